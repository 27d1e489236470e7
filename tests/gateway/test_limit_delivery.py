"""A live limit ends in the safe current by itself, and what is believed is never too low."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands import GetComposite
from gateway.limit_delivery import (
    RISE_INTERVAL_S,
    START_IN_PAST_S,
    LimitDelivery,
    limit_period,
    safe_default,
)
from gateway.station_forms import StationForms
from load_balancer.profiles import (
    CompositeSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    SchedulePeriod,
)
from site_config.stations import ChargingRateUnit, Evse, Station

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SAFE_A = 6.0
REFRESH_S = 30.0


def delivery(unit: ChargingRateUnit | None = ChargingRateUnit.A) -> LimitDelivery:
    station = Station(circuit="grid", safe_current_a=SAFE_A, charging_rate_unit=unit, evses={1: {}})
    made = LimitDelivery(1, Evse(), SAFE_A, 230.0, StationForms.of(station), REFRESH_S)
    made.connected()
    made.has_safe_default = True
    return made


def charging(limit_a: float = 16.0, now: float = 0.0) -> LimitDelivery:
    made = delivery()
    made.transaction_began("7")
    made.want(limit_a)
    assert made.due(now, NOON) is not None
    made.accepted(now)
    return made


def test_the_profile_starts_in_the_past_and_steps_down_to_safe_by_itself():
    made = delivery()
    made.transaction_began("7")
    made.want(16.0)

    command = made.due(100.0, NOON)

    assert command is not None
    profile = command.profile
    assert (command.evse_id, profile.purpose, profile.transaction) == (1, ProfilePurpose.TX, "7")
    assert profile.kind is ProfileKind.ABSOLUTE
    assert profile.schedule.start_at == NOON - timedelta(seconds=START_IN_PAST_S)
    periods = [(period.start_s, period.limit) for period in profile.schedule.periods]
    assert periods == [(0, 16.0), (START_IN_PAST_S + 3 * REFRESH_S, SAFE_A)]


def test_no_limit_leaves_before_a_transaction_or_without_a_connection():
    made = delivery()
    made.want(16.0)
    assert made.due(0.0, NOON) is None

    made.transaction_began("7")
    made.lost()
    assert made.due(0.0, NOON) is None


def test_a_cut_leaves_at_once_and_a_rise_waits():
    made = charging(16.0)

    made.want(10.0)
    assert made.due(0.1, NOON) is not None
    made.accepted(0.2)

    made.want(20.0)
    assert made.due(1.0, NOON) is None
    assert made.due(0.1 + RISE_INTERVAL_S, NOON) is not None


def test_only_one_profile_is_in_flight():
    made = charging(16.0)
    made.want(10.0)
    assert made.due(1.0, NOON) is not None

    made.want(8.0)

    assert made.due(1.1, NOON) is None


def test_an_unchanged_limit_is_refreshed_long_before_it_falls():
    made = charging(16.0)

    assert made.due(REFRESH_S - 1, NOON) is None
    assert made.next_timer() == REFRESH_S
    assert made.due(REFRESH_S, NOON) is not None


def test_after_a_restart_the_limit_before_it_is_believed_until_another_is_taken_or_it_ended():
    """Nothing is written down of it: the highest there is."""
    made = delivery()
    made.transaction_began("7")
    made.went_on_without_us(0.0, None)
    made.want(10.0)

    assert made.believed_a(1.0) == 32.0
    assert made.due(1.0, NOON) is not None
    made.refused(1.5)
    assert made.believed_a(3 * REFRESH_S - 0.1) == 32.0
    assert made.believed_a(3 * REFRESH_S) == SAFE_A
    assert made.due(100.0, NOON) is not None
    made.accepted(100.5)
    assert made.believed_a(100.5) == 10.0


@pytest.mark.parametrize(("told_a", "believed_a"), [(10.0, 16.0), (30.0, 32.0), (0.0, 6.0)])
def test_after_a_restart_it_is_what_was_written_down_and_a_rise_that_was_not(told_a, believed_a):
    made = delivery()
    made.transaction_began("7")

    made.went_on_without_us(0.0, told_a)

    assert made.believed_a(1.0) == believed_a


def test_after_a_restart_a_paused_car_may_have_been_started_with_the_minimum_of_its_station():
    made = delivery()
    made.evse = Evse(min_current_a=10.0)
    made.transaction_began("7")

    made.went_on_without_us(0.0, 0.0)

    assert made.believed_a(1.0) == 10.0


def test_until_confirmed_the_higher_of_old_and_new_is_believed():
    made = charging(16.0)

    made.want(10.0)
    made.due(1.0, NOON)
    assert made.believed_a(1.0) == 16.0
    made.accepted(1.5)
    assert made.believed_a(1.5) == 10.0

    made.want(20.0)
    made.due(10.0, NOON)
    assert made.believed_a(10.0) == 20.0


def test_a_refusal_leaves_the_old_limit_and_silence_counts_both():
    made = charging(16.0)
    made.want(20.0)
    made.due(10.0, NOON)
    made.refused(10.1)
    assert made.believed_a(10.1) == 16.0

    assert made.due(10.0 + RISE_INTERVAL_S, NOON)
    made.unanswered(20.0)
    assert made.believed_a(20.0) == 20.0


def test_a_lost_station_is_believed_to_fall_to_safe_when_its_profile_ends():
    made = charging(16.0)

    made.lost()

    assert made.believed_a(3 * REFRESH_S - 1) == 16.0
    assert made.believed_a(3 * REFRESH_S) == SAFE_A


def test_without_a_confirmed_safe_default_nothing_is_known():
    made = delivery()
    made.booted()
    made.transaction_began("7")

    assert made.believed_a(0.0) is None


def test_an_empty_evse_takes_nothing_and_a_plugged_one_may_start_at_safe():
    made = delivery()
    assert made.believed_a(0.0) == 0.0

    made.is_plugged = True

    assert made.believed_a(0.0) == SAFE_A


def test_a_new_transaction_begins_under_the_default_again():
    made = charging(16.0)

    made.transaction_ended()
    made.transaction_began("8")

    assert made.believed_a(1.0) == SAFE_A


def test_a_refused_form_turns_to_the_next_at_once_and_the_accepted_one_is_kept():
    made = delivery(unit=None)
    made.transaction_began("7")
    made.want(16.0)

    tries = 0
    while (command := made.due(0.0, NOON)).profile.schedule.unit is RateUnit.A:
        made.refused(0.0)
        tries += 1
    made.accepted(0.0)

    assert tries == 4  # purpose and way to end; steps and pauses would be the same words
    assert command.profile.purpose is ProfilePurpose.TX
    assert made.forms.current.unit is RateUnit.W
    assert made.forms.is_proved


def test_what_has_been_refused_in_every_form_is_tried_ever_more_rarely():
    made = delivery()
    made.transaction_began("7")
    made.want(16.0)
    while made.due(0.0, NOON):
        made.refused(0.0)

    assert made.due(9.9, NOON) is None
    assert made.due(10.0, NOON)


def test_a_station_of_one_period_falls_to_the_safe_default_by_its_duration():
    made = delivery()
    made.transaction_began("7")
    made.want(16.0)
    made.due(0.0, NOON)
    made.refused(0.0)

    schedule = made.due(0.0, NOON).profile.schedule

    assert [(period.start_s, period.limit) for period in schedule.periods] == [(0, 16.0)]
    assert schedule.duration_s == START_IN_PAST_S + 3 * REFRESH_S
    made.accepted(0.0)
    assert made.believed_a(3 * REFRESH_S) == SAFE_A


def test_a_pause_that_does_not_pause_is_said_in_another_way():
    made = charging(0.0)

    assert not made.drew(16.0, 29.0)
    assert made.drew(16.0, 30.0)
    assert made.due(30.0, NOON).profile.schedule.periods[0].limit == 1.0
    made.accepted(30.0)
    assert not made.drew(0.4, 90.0)


def test_failures_are_tried_again_at_once_and_then_ever_more_rarely():
    made = charging(16.0)
    made.want(10.0)
    assert made.due(1.0, NOON)
    made.unanswered(2.0)
    assert made.due(2.0, NOON)
    made.unanswered(3.0)
    assert made.due(12.9, NOON) is None
    assert made.due(13.0, NOON)


def test_a_pause_does_not_rise_to_the_safe_current_when_we_die():
    made = delivery()
    made.transaction_began("7")
    made.want(0.0)

    command = made.due(0.0, NOON)
    made.accepted(0.0)

    assert command is not None
    assert [period.limit for period in command.profile.schedule.periods] == [0.0]
    assert made.believed_a(1e6) == 0.0


@pytest.mark.parametrize(
    ("limit_a", "unit", "wire"),
    [
        pytest.param(10.07, RateUnit.A, 10.0, id="tenths of an ampere, rounded down"),
        pytest.param(10.1, RateUnit.A, 10.1, id="a tenth stays a tenth"),
        pytest.param(6.0, RateUnit.W, 4140.0, id="watts over three phases"),
        pytest.param(0.0, RateUnit.W, 0.0, id="pause"),
    ],
)
def test_limits_on_the_wire(limit_a, unit, wire):
    period = limit_period(0, limit_a, unit, phases=3, spread_over=3, voltage_v=230.0)

    assert (period.limit, period.number_phases) == (wire, 3)


@given(st.floats(0, 100), st.sampled_from(RateUnit), st.integers(1, 3), st.floats(100, 260))
def test_a_limit_is_never_rounded_up(limit_a, unit, phases, voltage_v):
    period = limit_period(0, limit_a, unit, phases=3, spread_over=phases, voltage_v=voltage_v)

    allowed = limit_a if unit is RateUnit.A else limit_a * voltage_v * phases
    assert period.limit <= allowed + 1e-6


def test_the_safe_default_lies_under_every_transaction():
    command = safe_default(6.0, RateUnit.A, 3, 230.0)

    assert command.evse_id == 0
    assert command.profile.purpose is ProfilePurpose.TX_DEFAULT
    assert command.profile.stack_level == 0
    assert command.profile.schedule.duration_s is None


def watts(made: LimitDelivery, now: float) -> list[float] | None:
    command = made.due(now, NOON)
    if command is None:
        return None
    made.accepted(now)
    return [period.limit for period in command.profile.schedule.periods]


def test_watts_are_counted_on_one_phase_until_the_car_has_shown_its_phases():
    made = delivery(ChargingRateUnit.W)
    made.transaction_began("7")
    assert made.minimum_a == 18.0  # what lets a three-phase car begin may flow on one phase

    made.want(18.0)
    assert watts(made, 0.0) == [4140.0, 1380.0]

    made.drawn_on(3)
    assert made.minimum_a == 6.0
    made.want(10.0)
    assert watts(made, 1.0) == [6900.0, 4140.0]


def test_the_same_limit_is_told_again_when_it_becomes_other_watts():
    made = delivery(ChargingRateUnit.W)
    made.transaction_began("7")
    made.want(18.0)
    watts(made, 0.0)

    made.drawn_on(3)

    assert watts(made, 6.0) == [12420.0, 4140.0]
    assert watts(made, 7.0) is None


def test_a_safe_default_in_watts_is_safe_on_a_single_phase():
    command = safe_default(6.0, RateUnit.W, 3, 230.0)

    assert [period.limit for period in command.profile.schedule.periods] == [1380.0]


def test_a_draw_above_safe_counts_only_when_nothing_else_is_in_force():
    made = charging(16.0, now=0.0)
    falls_at = 3 * REFRESH_S

    assert not made.drew_above_safe(16.0, falls_at - 1)
    assert not made.drew_above_safe(16.0, falls_at + 10)  # it has to settle
    assert made.drew_above_safe(16.0, falls_at + 20)
    assert not made.drew_above_safe(SAFE_A + 0.9, falls_at + 20)


def test_a_station_that_takes_no_limit_at_all_has_to_hold_the_safe_default():
    made = delivery()
    made.transaction_began("7")
    made.want(16.0)
    assert made.due(10.0, NOON) is not None
    made.refused(10.0)

    assert not made.drew_above_safe(16.0, 30.0)  # what was sent before a restart may hold yet
    assert made.drew_above_safe(16.0, 10.0 + 3 * REFRESH_S + 20)


READ_BACK = {
    "it ends in the safe current": (RateUnit.A, 150, (16.0, 6.0), None),
    "an inaccurate one": (RateUnit.A, 150, (16.0, 6.9), None),
    "it goes on": (RateUnit.A, 150, (16.0,), "EVSE 1 would be allowed 16 A"),
    "more than now": (RateUnit.A, 150, (16.0, 32.0), "EVSE 1 would be allowed 32 A"),
    "in watts, on one phase": (RateUnit.W, 150, (3680.0, 1380.0), None),
    "too short to tell": (RateUnit.A, 60, (16.0,), None),
    "nothing": (RateUnit.A, 150, (), None),
}


@pytest.mark.parametrize(
    ("unit", "duration_s", "limits", "doubt"), READ_BACK.values(), ids=READ_BACK
)
def test_a_composite_schedule_has_to_end_in_the_safe_current(unit, duration_s, limits, doubt):
    periods = tuple(SchedulePeriod(95 * n, limit) for n, limit in enumerate(limits))

    said = charging().doubt(CompositeSchedule(NOON, duration_s, unit, periods))

    assert doubt in said if doubt else said is None


def test_a_station_is_asked_once_in_every_boot_what_it_makes_of_a_limit():
    made = delivery()
    made.transaction_began("7")
    before = made.read_back()
    made.want(16.0)
    made.due(0.0, NOON)
    made.accepted(0.0)

    assert before is None
    assert made.read_back() == GetComposite(1, 150, "A")
    assert made.read_back() is None


def test_a_rectifiers_limit_is_what_its_input_may_draw_in_watts_at_the_outlet():
    evse = Evse(power_type="DC", max_current_a=80)
    station = Station(circuit="grid", safe_current_a=10, evses={1: evse})
    outlet_v = 230.0 * evse.outlet_part
    made = LimitDelivery(1, evse, 10.0, outlet_v, StationForms.of(station), REFRESH_S)
    made.connected()
    made.transaction_began("7")
    made.want(50.0)

    schedule = made.due(0.0, NOON).profile.schedule

    assert [period.limit for period in schedule.periods] == [32_775.0, 6_555.0]
    assert made.minimum_a == 6.0
