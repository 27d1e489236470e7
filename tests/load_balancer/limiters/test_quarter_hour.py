"""A quarter of an hour ends within its mean power, whatever the building does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_balancer.limiters.quarter_hour import QuarterEnergy, QuarterHour, quarter_of

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LIMIT_W = 69_000.0
EVEN_A = 100.0
"""The limit, evenly on three phases of 230 V."""


class Run:
    """A quarter with one reading a second."""

    def __init__(self, at=NOON):
        self.quarter = QuarterHour("grid", LIMIT_W, 230.0)
        self.at, self.now = at, 1000.0
        self.quarter.observe(None, None, self.now, self.at)

    def live(self, seconds, power_w):
        for _ in range(seconds):
            self.at, self.now = self.at + timedelta(seconds=1), self.now + 1.0
            drawn_w = power_w(self.quarter.limit_a(self.now)) if callable(power_w) else power_w
            self.quarter.observe(drawn_w, None if drawn_w is None else self.now, self.now, self.at)
        return self.quarter.limit_a(self.now)


@pytest.mark.parametrize("power_w", [None, 0.0], ids=["no reading yet", "little flows now"])
def test_who_starts_within_a_quarter_takes_its_beginning_for_used(power_w):
    quarter = QuarterHour("grid", LIMIT_W, 230.0)

    quarter.observe(power_w, 5.0, 5.0, NOON + timedelta(minutes=13))

    assert quarter.limit_a(5.0) == pytest.approx(EVEN_A, abs=0.5)


def test_who_draws_just_the_mean_may_go_on_with_it():
    assert Run().live(600, LIMIT_W) == pytest.approx(EVEN_A, abs=0.5)


def test_a_quiet_beginning_may_be_made_up_for():
    assert Run().live(450, 0.0) == pytest.approx(2 * EVEN_A, abs=3)


def test_a_loud_beginning_is_paid_back_within_the_quarter():
    assert Run().live(450, 1.5 * LIMIT_W) == pytest.approx(0.5 * EVEN_A, abs=3)


def test_nothing_is_left_when_the_energy_is_used_up():
    assert Run().live(450, 2.1 * LIMIT_W) == 0.0


def test_a_new_quarter_begins_anew_on_the_clock():
    run = Run()
    run.live(899, 1.5 * LIMIT_W)
    spent_a = run.quarter.limit_a(run.now)

    assert spent_a == 0.0
    assert run.live(2, 0.0) == pytest.approx(EVEN_A, abs=1)


def test_a_lost_meter_counts_as_if_the_limit_flowed_or_more():
    run = Run()
    run.live(300, 0.0)
    before_wh = run.quarter.used_wh
    run.live(300, None)

    assert run.quarter.used_wh - before_wh == pytest.approx(LIMIT_W * 290 / 3600, rel=0.01)


def test_exported_energy_is_no_allowance():
    run = Run()

    run.live(450, -LIMIT_W)

    assert run.quarter.used_wh == 0.0


def test_a_restart_does_not_forget_what_was_used():
    run = Run()
    run.live(450, 1.5 * LIMIT_W)
    kept = run.quarter.kept()
    again = QuarterHour("grid", LIMIT_W, 230.0)

    again.take_up(kept)
    again.observe(None, None, 5.0, run.at + timedelta(seconds=10))

    assert again.used_wh == pytest.approx(kept.used_wh + LIMIT_W * 10 / 3600)


def test_what_an_earlier_quarter_used_is_gone():
    quarter = QuarterHour("grid", LIMIT_W, 230.0)
    quarter.take_up(QuarterEnergy("grid", NOON, 9e9, NOON + timedelta(seconds=5)))

    quarter.observe(0.0, 5.0, 5.0, NOON + timedelta(minutes=16))

    assert quarter.used_wh == pytest.approx(LIMIT_W * 60 / 3600)


def test_it_is_told_rarely_while_little_changes():
    run, told = Run(), set()
    for _ in range(30):
        told.add(run.live(1, 0.97 * LIMIT_W))

    assert len(told) <= 4


def all_of_it(limit_a):
    return limit_a * 690


def test_to_the_end_of_the_quarter_cars_may_draw_the_same_and_use_it_up():
    run, told = Run(), set()
    run.live(600, 0.5 * LIMIT_W)
    run.live(200, all_of_it)
    for _ in range(99):
        told.add(run.live(1, all_of_it))

    assert len(told) <= 2
    assert run.quarter.used_wh == pytest.approx(LIMIT_W / 4, rel=0.005)
    assert run.quarter.used_wh <= LIMIT_W / 4


def test_in_the_last_minute_a_limit_falls_but_does_not_leap():
    run = Run()
    run.live(840, LIMIT_W)
    even_a = run.live(10, LIMIT_W)
    quiet_a = run.live(10, 0.0)
    loud_a = run.live(20, 3 * LIMIT_W)

    assert even_a == pytest.approx(EVEN_A, abs=0.5)
    assert quiet_a == even_a
    assert loud_a < 0.9 * even_a


def test_who_starts_in_the_last_minute_with_much_left_does_not_leap_either():
    quarter = QuarterHour("grid", LIMIT_W, 230.0)
    at = NOON + timedelta(seconds=880)
    quarter.take_up(QuarterEnergy("grid", NOON, 0.5 * LIMIT_W / 4, at))
    quarter.observe(0.0, 5.0, 5.0, at)

    assert quarter.limit_a(5.0) <= 7.5 * EVEN_A


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 0.9), min_size=15, max_size=15))
def test_no_quarter_exceeds_its_mean_whatever_the_building_draws(parts):
    """Cars use all that is left, with a second of delay; the building alone stays below."""
    run = Run()
    for part in parts:
        base_w = part * LIMIT_W
        run.live(60, lambda limit_a, base_w=base_w: max(base_w, limit_a * 690))
        if run.quarter.begins_at == NOON:
            used_wh = run.quarter.used_wh

    assert used_wh <= LIMIT_W / 4 * 1.005


@pytest.mark.parametrize(("minute", "begins"), [(0, 0), (14, 0), (15, 15), (59, 45)])
def test_quarters_are_those_of_the_clock(minute, begins):
    at = NOON.replace(minute=minute, second=59, microsecond=7)

    assert quarter_of(at) == NOON.replace(minute=begins)
