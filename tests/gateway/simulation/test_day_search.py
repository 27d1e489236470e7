"""The search stops at the edge: what it answers is enough, a little more is not."""

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gateway.simulation.day import Weather
from gateway.simulation.day_record import Figures
from gateway.simulation.day_search import Aim, Found, Search, edge_of
from gateway.simulation.day_search_report import answer_of, print_search
from gateway.simulation.day_sessions import read_sessions
from tests.load_balancer.plant import site

HEADING = "evse,phases,arrival,departure,energy_wh,max_current_a"
CAR_WH = 9.9 * 230
"""9 A for an hour bring nine tenths of it, 8 A do not."""


def garage(count, rating_a, *, thirsty=0, **circuit):
    """`count` EVSEs on one phase, and a car at each for an hour; the
    first of them want more than the others."""
    config = site(
        {"grid": {"rating_a": rating_a} | circuit},
        {
            f"S{n}": {"circuit": "grid", "safe_current_a": 0, "evses": {1: {"phases": ["L1"]}}}
            for n in range(count)
        },
    )
    rows = [
        f"S{n},L1,2019-03-01T09:00Z,2019-03-01T10:00Z,{CAR_WH * (1 + (n < thirsty) / 2)},16"
        for n in range(count)
    ]
    return config, read_sessions("\n".join([HEADING, *rows]), config)


def find(sought, config, sessions, served=1.0):
    found = Search(config, sessions, Weather(), Aim(sought, served)).find()
    return found, answer_of(found, config)


@settings(deadline=None)
@given(edge=st.integers(1, 5000), first=st.integers(1, 5000))
def test_the_edge_is_found_to_one_in_a_hundred_from_anywhere(edge, first):
    found = edge_of(
        lambda number: number <= edge,
        first,
        easier=lambda number: number // 2 or None,
        harder=lambda number: 2 * number,
    )

    assert 0 <= edge - found <= max(1, edge // 100)


@pytest.mark.parametrize(
    ("served_share", "fuse_share", "is_met"),
    [
        pytest.param(0.9, 0.99, True, id="just enough"),
        pytest.param(0.89, 0.0, False, id="too few"),
        pytest.param(1.0, 1.0, False, id="the fuse has tripped"),
    ],
)
def test_enough_are_served_and_no_fuse_has_tripped(served_share, fuse_share, is_met):
    figures = Figures("fair", 9, 1.0, 1.0, None, served_share, 1.0, 0.0, 0.0, fuse_share, 1.0, 0.0)

    assert Aim("cars", 0.9).is_met_by(figures) is is_met


def test_where_nothing_holds_there_is_no_edge():
    tried = []

    def holds(number):
        tried.append(number)
        return False

    assert edge_of(holds, 8, easier=lambda n: n // 2 or None, harder=lambda n: 2 * n) is None
    assert tried == [8, 4, 2, 1]


@pytest.mark.parametrize(
    ("count", "most"),
    [
        pytest.param(9, 7, id="fewer than in the file"),
        pytest.param(4, 4 + 4 + 4 + 3, id="copies on the next phases"),
        pytest.param(1, 7 + 7 + 7, id="one after the other"),
    ],
)
def test_the_most_cars_are_seven_on_a_phase(count, most):
    found, said = find("cars", *garage(count, 63))

    assert (found.answer.cars, found.beyond.cars) == (most, most + 1)
    assert found.answer.is_enough
    assert not found.beyond.is_enough
    assert f"{most} in all" in said


def test_the_smallest_rating_is_found_and_the_fuse_that_can_be_bought():
    found, said = find("rating", *garage(7, 16))

    assert (found.answer.rating_a, found.beyond.rating_a) == (63, 62)
    assert "needs 63 A" in said
    assert "The next usual fuse: 63 A." in said


def test_a_fuse_that_is_larger_than_needed_is_made_smaller():
    found, _ = find("rating", *garage(1, 250))

    assert found.answer.rating_a == 9


def test_fewer_cars_need_be_served_where_that_is_enough():
    plan = garage(7, 16, thirsty=2)

    all_a, most_a = (find("rating", *plan, served)[0].answer.rating_a for served in (1.0, 0.7))

    assert most_a == 63
    assert all_a > most_a


def test_another_limit_than_the_fuse_is_no_matter_of_the_rating():
    found, said = find("rating", *garage(7, 16, contract_a=20))

    assert found.answer is None
    assert "not even 225 A" in said
    assert "contract_a" in said


def test_a_connection_that_charges_nobody_carries_no_cars():
    found, said = find("cars", *garage(2, 5))

    assert found.answer is None
    assert "none of these cars" in said


def test_what_is_not_enough_does_not_look_so():
    found, _ = find("rating", *garage(2, 16))
    figures = replace(found.answer.figures, served_90_share=0.8996)
    console = Console(file=io.StringIO(), width=100)

    short = replace(found.answer, figures=figures, is_enough=False)
    print_search(Found(Aim("cars", 0.9), [short], None), "fair", garage(2, 16)[0], console)

    assert "89.9%" in console.file.getvalue()
