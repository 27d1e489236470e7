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
        told = depot.gateway.state.problems
        await live(bench, depot, lambda: "input register" in told.get("meter.grid", ""))

        meter.fault = Fault.NONE
        await live(bench, depot, lambda: bench.limit_a() > 6.0, speed=5)
        assert not depot.gateway.state.problems.get("meter.grid")


def with_policy(meter, on_loss):
    site = with_meter(meter)
    site["meters"]["grid"]["on_loss"] = on_loss
    return site


@pytest.mark.parametrize(
    ("fault", "on_loss", "rule", "low_a"),
    [
        (Fault.SILENT, "hold", "meter_stale", 16.0),
        (Fault.UNREACHABLE, "panic", "meter_panic", 0.0),
    ],
)
async def test_what_a_lost_meter_means_is_for_the_site_file_to_say(
    depot_of, fault, on_loss, rule, low_a
):
    """Time-out or exception; and never up again in one leap."""
    grid = Grid()
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter,
        depot_of("ocpp1.6", **with_policy(meter, on_loss)) as depot,
    ):
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        grid.benches.append(bench)
        await bench.charge(Car(max_current_a=32))
        await live(bench, depot, lambda: bench.limit_a() >= 16, speed=8)
        held_a = bench.limit_a()

        meter.fault = fault
        await live(bench, depot, lambda: depot.evse("CP-01").limited_by.rule == rule)
        await live(bench, depot, lambda: bench.limit_a() <= min(low_a, held_a), speed=5)
        until = depot.clock() + 30
        seen = {bench.limit_a()}

        def is_late():
            seen.add(bench.limit_a())
            return depot.clock() >= until

        await live(bench, depot, is_late, speed=10)
        assert seen == {min(low_a, held_a)}

        meter.fault = Fault.NONE
        await live(bench, depot, lambda: bench.limit_a() > min(low_a, held_a), speed=8)
        assert bench.limit_a() <= min(low_a, held_a) + 6.0


async def test_a_phase_that_the_meter_never_saw_is_no_phase_without_load(depot_of):
    grid = Grid()
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter,
        depot_of("ocpp1.6", **with_meter(meter)) as depot,
    ):
        meter.fault = Fault.PHASE_LOST
        await depot.stop()
        await depot.start_again()
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        grid.benches.append(bench)
        await bench.charge(Car(max_current_a=32))

        await live(bench, depot, lambda: "meter.grid" in depot.gateway.state.problems, speed=5)
        assert "voltage of L2 is gone" in depot.gateway.state.problems["meter.grid"]
        assert depot.evse("CP-01").limited_by.rule == "meter_stale"
