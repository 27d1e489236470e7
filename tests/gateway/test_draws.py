"""A day of what an EVSE has drawn."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.draws import MINUTES, Draws

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def after(minutes, seconds=0.0):
    return NOON + timedelta(minutes=minutes, seconds=seconds)


def test_a_minute_holds_the_highest_that_was_seen_in_it():
    draws = Draws()
    for second, drawn_a in ((0, 6.0), (20, 16.0), (40, 8.0), (59, None)):
        draws.note(drawn_a, after(0, second))

    assert draws.points() == [(NOON, 16.0)]


def test_nothing_is_told_before_something_was_drawn_and_a_gap_is_not_zero():
    draws = Draws()
    draws.note(None, after(0))
    draws.note(0.0, after(1))
    draws.note(6.0, after(2))
    draws.note(0.0, after(5))

    assert [drawn_a for _, drawn_a in draws.points()] == [6.0, None, None, 0.0]


def test_what_no_cable_carries_is_shown_as_much_and_does_no_harm():
    draws = Draws()
    draws.note(40_000.0, after(0))
    draws.note(-40_000.0, after(1))

    assert [drawn_a for _, drawn_a in draws.points()] == [3276.7, -3276.7]


def test_a_clock_that_was_set_back_changes_nothing():
    draws = Draws()
    draws.note(6.0, after(10))

    draws.note(32.0, after(3))

    assert draws.points() == [(after(10), 6.0)]


@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0.1, 80)), min_size=1, max_size=30))
def test_it_tells_the_last_day_and_nothing_older(noted):
    draws, expected = Draws(), {}
    for minute, drawn_a in sorted(noted):
        draws.note(drawn_a, after(minute))
        expected[minute] = max(expected.get(minute, 0.0), drawn_a)
    newest = max(expected)

    told = {at: drawn_a for at, drawn_a in draws.points() if drawn_a is not None}

    assert told.keys() == {after(m) for m in expected if m > newest - MINUTES}
    assert all(abs(told[at] - expected[(at - NOON) // timedelta(minutes=1)]) < 0.1 for at in told)
