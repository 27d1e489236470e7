"""Contract and demand tariff on a running site: they reach the car, are named, and survive."""

import sqlite3
from contextlib import closing

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from tests.scenarios.test_limits import Grid, live, with_meter


async def test_a_contract_below_the_fuse_holds_the_car_and_is_named(depot_of):
    circuits = {"grid": {"rating_a": [63, 63, 50], "contract_a": 9}}
    async with depot_of("ocpp1.6", circuits=circuits) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32))

        await live(bench, depot, lambda: bench.limit_a() == 9.0, speed=5)

        reason = depot.evse("CP-01").limited_by
        assert (reason.rule, reason.circuit, reason.value_a) == ("contract", "grid", 9.0)


async def test_a_demand_tariff_is_kept_by_the_meter_and_its_quarter_is_on_disk(depot_of):
    grid = Grid()
    async with SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter:
        site = with_meter(meter)
        site["circuits"]["grid"]["demand_w"] = 15 * 690
        async with depot_of("ocpp1.6", **site) as depot:
            bench = await depot.station("CP-01", "ocpp1.6")
            await depot.set_up(bench)
            grid.base_a = 6.0
            grid.benches.append(bench)
            await bench.charge(Car(max_current_a=32))

            await live(
                bench, depot, lambda: depot.evse("CP-01").limited_by.rule == "demand", speed=15
            )
            words = depot.gateway.state.circuits["grid"].limited_by
        with closing(sqlite3.connect(depot.data_dir / "gateway.db")) as database:
            ((circuit, used_wh),) = database.execute("SELECT circuit, used_wh FROM quarters")

        assert words.startswith("demand tariff: ")
        assert circuit == "grid"
        assert used_wh > 0
