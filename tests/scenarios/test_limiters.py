"""Contract, unbalance and the allowance of a fuse on a running site: they reach the car."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from tests.scenarios.living import live as lively
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


@asynccontextmanager
async def charging(depot_of, car, **circuit):
    """A car behind a meter, beside a building of 10 A on each phase."""
    grid = Grid()
    async with SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter:
        site = with_meter(meter, poll_s=0.1)
        site["meters"]["grid"]["max_age_s"] = 10.0
        site["circuits"]["grid"] |= circuit
        async with depot_of("ocpp1.6", **site) as depot:
            bench = await depot.station("CP-01", "ocpp1.6")
            await depot.set_up(bench)
            grid.benches.append(bench)
            await bench.charge(car)
            yield depot, bench, grid


async def test_a_car_on_one_phase_is_held_within_the_unbalance_and_it_is_named(depot_of):
    car = Car(phases=1, max_current_a=32)
    async with charging(depot_of, car, unbalance_a=12) as (depot, bench, grid):
        spreads_a = []

        def is_all_it_may():
            return bench.limit_a() >= 11 and depot.evse("CP-01").limited_by.rule == "unbalance"

        def is_watched():
            phases = grid.values().currents
            spreads_a.append(max(phases) - min(phases))
            return len(spreads_a) >= 100

        await lively([bench], depot, is_all_it_may)
        reason = depot.evse("CP-01").limited_by
        await lively([bench], depot, is_watched)

        assert reason.value_a == pytest.approx(12, abs=1)
        assert 11 <= spreads_a[-1] <= max(spreads_a) <= 12.5


async def test_a_car_on_three_phases_is_none_of_the_unbalances_business(depot_of):
    car = Car(phases=3, max_current_a=32)
    async with charging(depot_of, car, unbalance_a=12) as (depot, bench, _):
        await lively([bench], depot, lambda: bench.limit_a() >= 20)


async def until_it_is_granted(depot):
    """The allowance of the grid connection; while the fuse may still be warm there is none."""
    (allowance,) = depot.gateway.rounds.balancer._allowances.values()
    while any(allowance._is_spent):
        depot.clock.skipped_s += 4.5  # a reading stands for 5 s at most
        await asyncio.sleep(0.12)


async def test_a_fuse_bears_a_short_overload_and_the_car_is_cut_when_it_lasts(depot_of):
    """86 A through a fuse of 63 A; the site file lets it be 91 A for a while."""
    allowance = {"curve": "gG", "excess": 0.45}
    car = Car(max_current_a=16)
    async with charging(depot_of, car, fuse_allowance=allowance) as (depot, bench, grid):
        await until_it_is_granted(depot)
        await lively([bench], depot, lambda: bench.limit_a() >= 16)
        grid.base_a = 70.0
        begun_at = depot.clock.now
        await live(bench, depot, lambda: depot.clock.now - begun_at >= 5)
        borne_a = bench.limit_a()
        await live(bench, depot, lambda: bench.limit_a() == 0)
        lasted_s = depot.clock.now - begun_at
        grid.base_a = 10.0
        await lively([bench], depot, lambda: bench.limit_a() >= 6)

        assert borne_a >= 16
        assert 5 < lasted_s < 37  # it may blow after 37 s
