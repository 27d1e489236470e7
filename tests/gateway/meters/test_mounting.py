"""A meter may sit in its cabinet as it likes, if the site file says how."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.meters.decode import DecodedValues, PhaseValues
from gateway.meters.model import Quantity
from gateway.meters.mounting import as_the_meter_sees, input_of, mounted
from site_config.meters import Meter

SEEN = DecodedValues(
    PhaseValues(10, 20, -30), PhaseValues(231, 232, 233), PhaseValues(1, 2, -3), 5.0, 100.0, 7.0
)


def meter(phases=("L1", "L2", "L3"), *, invert=False):
    return Meter(model="sunspec", url="tcp://h", phases=phases, invert=invert)


def test_meter_as_it_should_be_is_taken_as_it_is():
    assert mounted(SEEN, meter()) == SEEN


def test_phases_name_the_circuits_phase_on_each_of_the_meters_inputs():
    values = mounted(SEEN, meter(["L2", "L3", "L1"]))

    assert values.currents == (-30, 10, 20)
    assert values.voltages == (233, 231, 232)
    assert values.powers == (-3, 1, 2)
    assert values.power_w == 5.0


def test_inverted_meter_takes_what_it_calls_giving():
    values = mounted(SEEN, meter(invert=True))

    assert values.currents == (-10, -20, 30)
    assert values.voltages == SEEN.voltages
    assert (values.power_w, values.energy_import_wh, values.energy_export_wh) == (-5.0, 7.0, 100.0)


@pytest.mark.parametrize(
    ("quantity", "at_the_meter"),
    [
        (Quantity.CURRENT_L2, Quantity.CURRENT_L1),
        (Quantity.VOLTAGE_L1, Quantity.VOLTAGE_L3),
        (Quantity.ENERGY_IMPORT, Quantity.ENERGY_EXPORT),
        (Quantity.FREQUENCY, Quantity.FREQUENCY),
    ],
)
def test_register_that_is_named_is_the_one_of_the_meters_own_input(quantity, at_the_meter):
    assert input_of(quantity, meter(["L2", "L3", "L1"], invert=True)) is at_the_meter


amounts = st.builds(PhaseValues, *[st.one_of(st.none(), st.floats(-99, 99))] * 3)


@given(
    values=st.builds(DecodedValues, amounts, amounts, amounts, st.none(), st.floats(0, 9)),
    phases=st.sampled_from(list(permutations(("L1", "L2", "L3")))),
    invert=st.booleans(),
)
def test_simulated_meter_that_sits_as_declared_is_read_as_its_circuit(values, phases, invert):
    site_meter = meter(phases, invert=invert)

    assert mounted(as_the_meter_sees(values, site_meter), site_meter) == values


@pytest.mark.parametrize("phases", [["L1", "L2"], ["L1", "L2", "L2"], ["L1", "L2", "N"]])
def test_every_phase_is_measured_once(phases):
    with pytest.raises(ValueError, match="phases"):
        meter(phases)
