"""A station's flash is written rarely: counted per day, and bounded for all that can wait."""

from datetime import UTC, datetime, timedelta

from gateway.limit_delivery import LimitDelivery
from gateway.profile_writes import BUDGET, WORN_RISE_INTERVAL_S, ProfileWrites, kept_for
from gateway.station_forms import StationForms
from site_config.stations import Evse, Station

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR_S = 3600.0
REFRESH_S = 30.0


def worn():
    writes = ProfileWrites()
    for _ in range(BUDGET):
        writes.note(0.0)
    return writes


def charging(writes):
    station = Station(circuit="grid", safe_current_a=6, evses={1: {}})
    made = LimitDelivery(1, Evse(), 6.0, 230.0, StationForms.of(station), REFRESH_S, writes)
    made.connected()
    made.has_safe_default = True
    made.transaction_began("7")
    made.want(16.0)
    assert made.due(0.0, NOON) is not None
    made.accepted(0.0)
    return made


def test_what_left_is_counted_for_a_day_and_then_forgotten():
    writes = ProfileWrites()
    for hour in (0, 0, 1, 20):
        writes.note(hour * HOUR_S)

    assert writes.in_a_day(20 * HOUR_S) == 4
    assert writes.in_a_day(24 * HOUR_S) == 2
    assert writes.in_a_day(25 * HOUR_S) == 1
    assert writes.in_a_day(99 * HOUR_S) == 0


def test_a_restart_goes_on_counting():
    """Another monotonic clock, half an hour later by the site's."""
    writes = ProfileWrites()
    for hour in (0, 3, 3, 20):
        writes.note(hour * HOUR_S)
    kept = writes.to_keep("CP-01", 20 * HOUR_S, NOON)
    after = ProfileWrites()

    after.take_up(kept_for("CP-01", [kept]), 500.0, NOON + timedelta(minutes=30))
    after.note(500.0)

    assert after.in_a_day(500.0) == 5
    assert after.in_a_day(500.0 + 5 * HOUR_S) == 4
    assert after.in_a_day(500.0 + 8 * HOUR_S) == 2
    assert after.in_a_day(500.0 + 25 * HOUR_S) == 0


def test_what_was_counted_is_written_down_now_and_then():
    writes = ProfileWrites()
    assert writes.to_keep("CP-01", 600.0, NOON) is None
    writes.note(600.0)

    assert writes.to_keep("CP-01", 600.0, NOON) is not None
    writes.note(601.0)
    assert writes.to_keep("CP-01", 1199.0, NOON) is None
    assert writes.to_keep("CP-01", 1200.0, NOON) is not None
    assert writes.to_keep("CP-01", 1800.0, NOON) is None


def test_a_clock_that_went_back_makes_no_count_last_longer():
    writes = ProfileWrites()
    writes.note(600.0)
    kept = writes.to_keep("CP-01", 600.0, NOON)
    after = ProfileWrites()

    after.take_up(kept.value, 0.0, NOON - timedelta(days=9))

    assert after.in_a_day(24 * HOUR_S) == 0


def test_every_profile_that_leaves_counts():
    writes = ProfileWrites()
    made = charging(writes)
    made.want(10.0)
    made.due(1.0, NOON)

    assert writes.in_a_day(1.0) == 2


def test_over_the_budget_a_rise_waits_longer():
    fresh, tired = charging(ProfileWrites()), charging(worn())
    for made in (fresh, tired):
        made.want(20.0)

    assert fresh.due(6.0, NOON) is not None
    assert tired.due(6.0, NOON) is None
    assert tired.due(WORN_RISE_INTERVAL_S, NOON) is not None


def test_over_the_budget_a_refresh_is_put_off_but_not_beyond_the_end_of_the_profile():
    fresh, tired = charging(ProfileWrites()), charging(worn())

    assert fresh.due(REFRESH_S, NOON) is not None
    assert tired.due(1.9 * REFRESH_S, NOON) is None
    assert tired.due(2 * REFRESH_S, NOON) is not None


def test_a_cut_leaves_at_once_whatever_was_written():
    tired = charging(worn())
    tired.want(8.0)

    assert tired.due(0.1, NOON) is not None
