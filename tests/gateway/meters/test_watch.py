"""Readings sound one by one that cannot be true together are noticed; sound ones never are."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.doubts import DoubtKind
from gateway.meters.plausibility import Bounds
from gateway.meters.watch import MeterWatch
from load_balancer.phases import PhaseCurrents

GOOD = DecodedValues(
    PhaseValues(10, 20, 30),
    PhaseValues(230, 231, 229),
    PhaseValues(2300, 4600, 6900),
    13_800,
    1_000_000,
    5_000,
    50.0,
)
IDLE = replace(GOOD, currents=PhaseValues(0, 0, 0), powers=PhaseValues(0, 0, 0), power_w=0.0)


def watch(**options):
    return MeterWatch(
        Bounds.of_circuit(100, 230), **{"frozen_s": 120.0, "max_age_s": 5.0} | options
    )


def moving(n, values=GOOD, *, wh=None):
    """The n-th reading, a second apart: last digits and counter move, as those of a real meter."""
    counted = (values.power_w or 0.0) * n / 3600 if wh is None else wh * n
    return replace(
        values,
        voltages=PhaseValues(*(None if v is None else v + n % 7 / 10 for v in values.voltages)),
        energy_import_wh=values.energy_import_wh + max(0.0, counted),
        energy_export_wh=values.energy_export_wh + max(0.0, -counted),
    )


def kinds(meter_watch, readings, *, step_s=1.0, ours=None):
    """Return what was doubted at which second."""
    return [
        (n, doubt.kind)
        for n, reading in enumerate(readings)
        for doubt in meter_watch.doubts(reading, n * step_s, ours)
    ]


def first(found, kind):
    return next((n for n, other in found if other is kind), None)


# Frozen.


def test_meter_that_repeats_itself_while_current_flows_is_frozen():
    found = kinds(watch(), [replace(GOOD, energy_import_wh=1e6 + n) for n in range(200)])

    assert first(found, DoubtKind.FROZEN) == 120
    assert len(found) == 80


def test_one_digit_that_moves_ends_it():
    readings = [GOOD] * 150 + [moving(1)] + [moving(n) for n in range(2, 100)]

    found = kinds(watch(), readings)

    assert [n for n, kind in found if kind is DoubtKind.FROZEN] == list(range(120, 150))


def test_idle_site_may_repeat_itself_all_night():
    assert kinds(watch(), [IDLE] * 5000) == []


def test_few_readings_prove_nothing_however_long_they_took():
    found = kinds(watch(max_age_s=300), [GOOD] * 9, step_s=100.0)

    assert found == []


def test_coarse_meter_is_given_longer():
    assert kinds(watch(frozen_s=3600), [GOOD] * 1000) == []


# Too old.


def test_converter_that_hands_out_copies_of_half_a_minute_is_noticed():
    readings = [moving(n // 30) for n in range(400)]

    found = kinds(watch(), readings)

    assert first(found, DoubtKind.CACHED) == 150
    assert found[-1] == (399, DoubtKind.CACHED)


def test_meter_that_measures_every_two_seconds_is_asked_every_second_for_nothing_but_is_sound():
    assert kinds(watch(), [moving(n // 2, wh=7) for n in range(2000)]) == []


def test_steady_load_that_stands_still_now_and_then_is_no_copy():
    readings = [moving(n if n % 40 < 10 else n - n % 40 + 10) for n in range(2000)]

    assert first(kinds(watch(), readings), DoubtKind.CACHED) is None


def test_gap_between_readings_is_no_standing_still():
    meter_watch = watch()
    found = [doubt for n in range(50) for doubt in meter_watch.doubts(moving(n), now=n * 60.0)]

    assert found == []


# Counters.


def test_counter_that_falls_is_not_believed_for_a_minute():
    readings = [moving(n) for n in range(10)]
    readings += [replace(moving(n), energy_import_wh=7.0 + n) for n in range(10, 200)]

    found = kinds(watch(), readings)

    assert [n for n, kind in found] == list(range(10, 70))
    assert {kind for _, kind in found} == {DoubtKind.COUNTER_FELL}


def test_last_digit_of_a_float_counter_may_fall():
    readings = [replace(moving(n, wh=0), energy_import_wh=1e8 - n % 2 * 8) for n in range(50)]

    assert kinds(watch(), readings) == []


def test_counter_that_stands_while_power_flows_is_told_and_the_currents_are_used():
    readings = [moving(n, wh=0) for n in range(3000)]

    found = kinds(watch(), readings)

    at_s = 5000 / 13_800 * 3600
    assert found[0] == (pytest.approx(at_s, abs=2), DoubtKind.COUNTER_STANDS)
    assert not watch_refuses(readings)


def watch_refuses(readings):
    meter_watch = watch()
    return any(
        doubt.is_refused for n, r in enumerate(readings) for doubt in meter_watch.doubts(r, n)
    )


def test_meter_without_counters_has_none_that_stand():
    bare = replace(GOOD, energy_import_wh=None, energy_export_wh=None)
    readings = [replace(bare, frequency_hz=50 + n % 3 / 100) for n in range(3000)]

    assert kinds(watch(), readings) == []


def test_import_while_the_export_counter_moves_is_told_once_and_the_currents_are_used():
    readings = [
        replace(moving(n, wh=0), energy_export_wh=5000 + n * 13_800 / 3600) for n in range(600)
    ]

    found = kinds(watch(), readings)

    assert first(found, DoubtKind.DIRECTION) == pytest.approx(1000 / 13_800 * 3600, abs=2)
    assert not watch_refuses(readings)


def test_meter_that_does_not_net_its_phases_counts_both_ways_and_is_sound():
    readings = [replace(moving(n), energy_export_wh=5000 + n * 1000 / 3600) for n in range(3000)]

    assert kinds(watch(), readings) == []


def test_sun_that_comes_and_goes_is_sound():
    export = replace(GOOD, powers=PhaseValues(-2300, -4600, -6900), power_w=-13_800)
    readings, taken_wh, given_wh = [], 1e6, 5e3
    for n in range(5000):
        now = export if n // 900 % 2 else GOOD
        taken_wh += max(0.0, now.power_w) / 3600
        given_wh += max(0.0, -now.power_w) / 3600
        counted = {"energy_import_wh": taken_wh // 100 * 100, "energy_export_wh": given_wh}
        readings.append(replace(moving(n, now, wh=0), **counted))

    assert kinds(watch(), readings) == []


def test_power_that_swings_around_nothing_moves_no_counter_and_is_sound():
    export = replace(GOOD, powers=PhaseValues(-2300, -4600, -6900), power_w=-13_800)
    readings = [moving(n, export if n % 10 < 5 else GOOD, wh=0) for n in range(5000)]

    assert kinds(watch(), readings) == []


def test_nobody_knows_what_flowed_in_a_gap():
    readings = [moving(n, wh=0) for n in range(200)]

    assert kinds(watch(max_age_s=300), readings, step_s=60.0) == []


# Phases.


def test_phase_that_was_there_and_is_gone_is_missing():
    gone = replace(GOOD, voltages=PhaseValues(230, 3, 229), currents=PhaseValues(10, 0, 30))
    readings = [moving(n) for n in range(5)] + [moving(n, gone) for n in range(5, 10)]

    found = kinds(watch(), readings)

    assert found == [(n, DoubtKind.MISSING_PHASE) for n in range(5, 10)]


def test_phase_that_was_never_connected_is_not_missing():
    one = replace(GOOD, voltages=PhaseValues(230, 0, 0), currents=PhaseValues(10, 0, 0))

    assert kinds(watch(), [moving(n, one) for n in range(50)]) == []


def test_phase_that_an_evse_is_wired_to_is_missing_from_the_first_reading_on():
    """The fuse before the meter's input was gone before we came: others draw there unseen."""
    one = replace(GOOD, voltages=PhaseValues(230, 0, 229), currents=PhaseValues(10, 0, 30))
    needed = frozenset({0, 1})

    assert kinds(watch(needed=needed), [moving(0, one)]) == [(0, DoubtKind.MISSING_PHASE)]
    assert kinds(watch(needed=frozenset({0, 2})), [moving(0, one)]) == []


def test_meter_that_tells_no_voltage_misses_no_phase():
    blind = replace(GOOD, voltages=PhaseValues(None, None, None))

    assert kinds(watch(needed=frozenset({0, 1, 2})), [moving(n, blind) for n in range(9)]) == []


def test_all_phases_sagging_at_once_is_the_network():
    readings = [replace(moving(n), voltages=PhaseValues(100, 101, 99)) for n in range(2)]

    assert kinds(watch(), [moving(n) for n in range(3)] + readings) == []


def test_nothing_on_a_phase_on_which_our_cars_draw_is_a_missing_phase():
    dead = replace(GOOD, currents=PhaseValues(10, 0, 30))

    found = kinds(watch(), [moving(n, dead) for n in range(50)], ours=PhaseCurrents(6, 16, 6))

    assert found == [(n, DoubtKind.MISSING_PHASE) for n in range(30, 50)]


@pytest.mark.parametrize("ours", [None, PhaseCurrents(16, 0, 16), PhaseCurrents(16, 2, 16)])
def test_nothing_on_a_phase_on_which_nobody_draws_is_sound(ours):
    dead = replace(GOOD, currents=PhaseValues(10, 0, 30))

    assert kinds(watch(), [moving(n, dead) for n in range(90)], ours=ours) == []


def test_nothing_on_a_phase_for_a_moment_again_and_again_is_sound():
    dead = replace(GOOD, currents=PhaseValues(10, 0, 30))
    readings = [moving(n, GOOD if n % 20 == 0 else dead) for n in range(200)]

    assert kinds(watch(), readings, ours=PhaseCurrents(6, 16, 6)) == []


# All together.


@settings(max_examples=40, deadline=None)
@given(
    loads=st.lists(st.floats(-60, 90), min_size=30, max_size=120),
    noise=st.lists(st.floats(-3, 3), min_size=7, max_size=7),
)
def test_real_meter_is_never_doubted_whatever_the_load_does(loads, noise):
    """Any load, either way, whose last digits move and whose counters follow its power."""
    meter_watch, taken_wh, given_wh, found = watch(), 1e6, 5e3, []
    for n, load_a in enumerate(loads * 20):
        power_w = 3 * 230 * load_a
        taken_wh, given_wh = taken_wh + max(0, power_w) / 3600, given_wh - min(0, power_w) / 3600
        reading = DecodedValues(
            PhaseValues(load_a, load_a, load_a),
            PhaseValues(*[230 + noise[n % 7] + n % 11 / 10] * 3),
            PhaseValues(*[230 * load_a] * 3),
            power_w,
            taken_wh,
            given_wh,
        )
        found += meter_watch.doubts(reading, float(n))

    assert found == []


def test_what_refuses_a_reading_comes_first_and_names_its_register():
    gone = replace(GOOD, voltages=PhaseValues(230, 3, 229))
    readings = [moving(n, wh=0) for n in range(3000)] + [moving(3000, gone, wh=0)]
    meter_watch = watch()
    last = [meter_watch.doubts(reading, float(n)) for n, reading in enumerate(readings)][-1]

    assert [doubt.kind for doubt in last] == [DoubtKind.MISSING_PHASE, DoubtKind.COUNTER_STANDS]
    assert last[0].quantity == "voltage_l2"
