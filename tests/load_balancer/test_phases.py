"""Conductors are found again after rotation, and A and W are one current."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_balancer.phases import PHASES, PhaseCurrents, amperes, on_circuit, rotation, watts

currents = st.floats(0, 100)


@pytest.mark.parametrize(
    ("phases", "expected_a"),
    [
        pytest.param(["L1", "L2", "L3"], (1, 2, 3), id="straight"),
        pytest.param(["L2", "L3", "L1"], (3, 1, 2), id="rotated"),
        pytest.param(["L3"], (0, 0, 1), id="one phase"),
        pytest.param(["L3", "L1"], (2, 0, 1), id="two phases"),
    ],
)
def test_currents_sit_on_the_circuits_phases(phases, expected_a):
    assert on_circuit(PhaseCurrents(1, 2, 3), rotation(phases)) == expected_a


@given(st.permutations(PHASES), currents, currents, currents)
def test_rotation_loses_no_current(phases, l1, l2, l3):
    turned = on_circuit(PhaseCurrents(l1, l2, l3), rotation(phases))

    assert sorted(turned) == sorted((l1, l2, l3))


@given(currents, st.floats(100, 300), st.integers(1, 3))
def test_watts_and_amperes_are_inverse(current_a, voltage_v, phases):
    power_w = watts(current_a, voltage_v, phases)

    assert amperes(power_w, voltage_v, phases) == pytest.approx(current_a)
