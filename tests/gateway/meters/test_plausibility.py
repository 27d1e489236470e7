"""Nobody steers by a reading that cannot be true, and a meter that never changes is told of."""

from dataclasses import replace

import pytest

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.plausibility import Bounds, FrozenWatch, implausible

BOUNDS = Bounds.of_circuit(rating_a=100, voltage_v=230)
GOOD = DecodedValues(
    PhaseValues(10, -20, 0), PhaseValues(230, 231, 229), PhaseValues(2300, -4600, 0)
)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(GOOD, id="import and export"),
        pytest.param(replace(GOOD, voltages=PhaseValues()), id="meter without voltages"),
        pytest.param(replace(GOOD, voltages=PhaseValues(0, 231, 229)), id="a phase is gone"),
        pytest.param(replace(GOOD, currents=PhaseValues(500, 0, 0)), id="fuse about to blow"),
    ],
)
def test_what_can_be_true_is_believed(values):
    assert implausible(values, BOUNDS) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (replace(GOOD, currents=PhaseValues(1, None, 1)), "no current on L2"),
        (replace(GOOD, currents=PhaseValues(1, 1, 2147483.6)), "impossible current on L3"),
        (replace(GOOD, currents=PhaseValues(-6553.5, 1, 1)), "impossible current on L1"),
        (replace(GOOD, voltages=PhaseValues(230, 6553.5, 230)), "impossible voltage on L2"),
        (replace(GOOD, voltages=PhaseValues(230, -230, 230)), "impossible voltage on L2"),
        (replace(GOOD, voltages=PhaseValues(0, 0, 1)), "no voltage on any phase"),
        (DecodedValues(), "no current on L1"),
    ],
)
def test_what_cannot_be_true_says_why(values, words):
    assert words in implausible(values, BOUNDS)


def test_identical_readings_are_told_once():
    watch = FrozenWatch(polls=3)

    assert [watch.just_froze(GOOD) for _ in range(6)] == [False, False, True, False, False, False]


def test_a_change_thaws_the_watch():
    watch = FrozenWatch(polls=2)
    other = replace(GOOD, voltages=PhaseValues(230.1, 231, 229))

    told = [watch.just_froze(values) for values in (GOOD, GOOD, other, GOOD, GOOD)]

    assert told == [False, True, False, False, True]


def test_energies_do_not_count_for_they_stand_still_at_night():
    watch = FrozenWatch(polls=2)

    assert not watch.just_froze(GOOD)
    assert watch.just_froze(replace(GOOD, energy_import_wh=1.0))


def test_an_idle_site_is_not_frozen():
    idle = DecodedValues(PhaseValues(0, 0, 0), PhaseValues(230, 230, 230), PhaseValues(0, 0, 0))
    watch = FrozenWatch(polls=2)

    assert not any(watch.just_froze(idle) for _ in range(9))
