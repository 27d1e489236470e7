"""A wish is understood as it was meant, or refused in words."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limit_wish import EXAMPLE, NotAWish, parse_instant, parse_wish


@pytest.mark.parametrize(
    ("text", "limit_a"),
    [
        pytest.param(b"40", 40.0, id="plain number"),
        pytest.param("31.5", 31.5, id="plain fraction"),
        pytest.param(b" 0 ", 0.0, id="nothing at all"),
        pytest.param('{"limit_a": 40}', 40.0, id="object"),
    ],
)
def test_a_wish_is_a_number_or_an_object(text, limit_a):
    wish = parse_wish(text)

    assert (wish.limit_a, wish.reason, wish.until) == (limit_a, "", None)


def test_the_example_shown_to_people_is_itself_a_wish():
    wish = parse_wish(EXAMPLE)

    assert wish.limit_a == 40
    assert wish.until == datetime(2026, 6, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b"", "neither a number", id="empty"),
        pytest.param(b"\xff\xfe\x00", "neither a number", id="not text"),
        pytest.param("forty", "neither a number", id="a word"),
        pytest.param("[" * 100_000, "neither a number", id="deep nesting"),
        pytest.param("[40]", "limit_a is not a number", id="list"),
        pytest.param("true", "limit_a is not a number", id="truth is not 1 A"),
        pytest.param('"40"', "limit_a is not a number", id="number in quotes"),
        pytest.param("NaN", "limit_a", id="not a number"),
        pytest.param("Infinity", "limit_a", id="infinite"),
        pytest.param("-1", "limit_a", id="negative"),
        pytest.param('{"reason": "x"}', "limit_a", id="no limit"),
        pytest.param('{"limit_a": 1, "limit": 2}', "limit extra", id="unknown key"),
        pytest.param('{"limit_a": 1, "until": 1780000000}', "until is not a time", id="unix"),
        pytest.param('{"limit_a": 1, "until": "18:00"}', "until is not a time", id="no date"),
        pytest.param(
            '{"limit_a": 1, "until": "2026-06-01T18:00:00"}', "no time zone", id="zone-less"
        ),
        pytest.param(
            '{"limit_a": 1, "until": "2026-13-01T18:00:00Z"}', "is not a time", id="month 13"
        ),
        pytest.param(
            '{"limit_a": 1, "until": "9999-12-31T23:59:59-14:00"}', "is not a time", id="too late"
        ),
    ],
)
def test_nonsense_is_refused_in_words(text, words):
    with pytest.raises(NotAWish, match=words):
        parse_wish(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-01T18:00:00+02:00",
        "2026-06-01T18:00:00 02:00",
        "2026-06-01t16:00:00z",
        "2026-06-01 16:00Z",
        "2026-06-01T16:00:00.000Z",
    ],
)
def test_an_instant_may_be_written_in_any_zone(text):
    assert parse_instant(text) == datetime(2026, 6, 1, 16, tzinfo=UTC)


@given(st.one_of(st.text(), st.binary(), st.recursive(st.none() | st.floats() | st.text(), st.lists)
                 .map(json.dumps)))  # fmt: skip
def test_whatever_arrives_is_a_wish_of_0_or_more_or_refused(text):
    try:
        wish = parse_wish(text)
    except NotAWish as refused:
        assert str(refused)
    else:
        assert 0 <= wish.limit_a < float("inf")
