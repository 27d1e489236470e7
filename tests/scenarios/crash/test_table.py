"""The table of crash points is complete, and every row of it is a line that exists."""

import importlib
import re
from typing import get_args

import pytest

from gateway import cloud_speech
from gateway.writes import Write
from tests.scenarios.crash.points import COMMITS, POINTS


def test_every_change_of_the_books_dies_before_inside_and_after_its_commit():
    written = {
        (write, moment)
        for write in get_args(Write)
        for moment in COMMITS
        if any(write in point.writes and point.trap.moment is moment for point in POINTS)
    }

    assert written == {(write, moment) for write in get_args(Write) for moment in COMMITS}


def test_every_step_of_a_billing_call_is_followed_by_a_death():
    assert cloud_speech.__doc__ is not None
    (order,) = re.findall(r"Order of a billing CALL: (.*?)\.", cloud_speech.__doc__, re.DOTALL)
    steps = {" ".join(step.split()) for step in order.split(";")}

    assert {point.step for point in POINTS if point.step} == steps


def test_no_two_rows_have_one_name():
    names = [point.name for point in POINTS]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("where", sorted({point.trap.where for point in POINTS}))
def test_every_row_names_a_line_that_exists(where):
    module, _, path = where.partition(":")
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)

    assert callable(found)
