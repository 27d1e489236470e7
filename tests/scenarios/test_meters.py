"""A meter that lies is treated like one that is silent, by the whole site."""

import pytest

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import Fault, SimulatedMeter
from tests.scenarios.test_limits import Grid, live, with_meter


def with_impatient(meter):
    """As `with_meter`, and frozen after 20 s instead of two minutes."""
    site = with_meter(meter)
    site["meters"]["grid"]["frozen_s"] = 20
    return site


@pytest.mark.parametrize("fault", [Fault.NAN, Fault.PHASE_LOST, Fault.FROZEN])
async def test_a_meter_that_lies_means_the_safe_current_until_it_is_sound_again(depot_of, fault):
    grid = Grid()
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter,
        depot_of("ocpp1.6", **with_impatient(meter)) as depot,
    ):
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        grid.benches.append(bench)
        await bench.charge(Car(max_current_a=32))
        await live(bench, depot, lambda: bench.limit_a() >= 16, speed=5)

        meter.fault = fault
        await live(bench, depot, lambda: bench.limit_a() <= 6.0, speed=20)
        assert depot.evse("CP-01").limited_by.rule == "meter_stale"
        assert "input register" in depot.gateway.state.problems["meter.grid"]

        meter.fault = Fault.NONE
        await live(bench, depot, lambda: bench.limit_a() > 6.0, speed=5)
        assert not depot.gateway.state.problems.get("meter.grid")
