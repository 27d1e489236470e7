"""Nobody steers by a reading that cannot be true."""

from dataclasses import replace

import pytest

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.plausibility import Bounds, implausible

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
    doubt = implausible(values, BOUNDS)

    assert words in str(doubt)
    assert doubt.is_refused
