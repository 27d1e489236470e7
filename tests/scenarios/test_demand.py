"""A demand tariff on a running site: the mean of the quarter holds, over a restart too."""

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from tests.scenarios.test_limits import VOLTAGE_V, Grid, with_meter

TEN_PAST = datetime(2026, 6, 1, 12, 10, tzinfo=UTC)
"""Five minutes are left of the quarter."""
REST_S = 300.0
EVEN_A = 30.0
"""What the tariff allows on each phase on average."""
DEMAND_W = EVEN_A * 3 * VOLTAGE_V
UNSEEN_W = 0.01 * DEMAND_W
"""A step of the building is seen with the next reading, some seconds of the site later."""
SPEED = 25.0
"""Seconds of the site in one of the test."""
TICK_S = 0.05
PATIENCE_S = 60.0


class Counted(Grid):
    """What flows, and what has flowed since the beginning by the clock on the wall."""

    def __init__(self):
        super().__init__()
        self.clock, self.used_ws, self._at, self._power_w = None, 0.0, 0.0, 0.0

    def count(self):
        self.used_ws += self._power_w * (self.clock.now - self._at)
        self._at, self._power_w = self.clock.now, self.values().power_w


def under_a_tariff(meter):
    site = with_meter(meter, poll_s=0.1, rating_a=100)
    site["meters"]["grid"]["max_age_s"] = 10.0
    site["circuits"]["grid"]["demand_w"] = DEMAND_W
    return site


class Quarter:
    """A site whose car charges, in the last third of a quarter of an hour."""

    def __init__(self, depot, grid, bench):
        self.depot, self.grid, self.bench = depot, grid, bench

    @classmethod
    async def begun(cls, depot, grid):
        grid.clock = depot.clock
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        grid.benches.append(bench)
        await bench.charge(Car(max_current_a=32))
        return cls(depot, grid, bench)

    async def live(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.bench.pass_time(TICK_S * SPEED, step_s=0.25)
                self.depot.clock.skipped_s += TICK_S * (SPEED - 1)
                self.grid.count()
                await asyncio.sleep(TICK_S)

    async def until(self, second):
        await self.live(lambda: self.depot.clock.now >= second)

    def is_all_that_is_left(self):
        """The car has what the tariff leaves beside the building, and it is named."""
        left_a = self.reason.value_a - self.grid.base_a
        return self.reason.rule == "demand" and abs(self.bench.limit_a() - left_a) <= 1.5

    @property
    def at_work(self):
        """What the page names as the limit of the grid connection."""
        return self.depot.gateway.state.circuits["grid"].limited_by

    @property
    def reason(self):
        return self.depot.evse("CP-01").limited_by


@pytest.fixture
def grid():
    return Counted()


async def test_a_loud_building_lowers_the_cars_and_the_mean_of_the_quarter_holds(depot_of, grid):
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter,
        depot_of("ocpp1.6", began=TEN_PAST, **under_a_tariff(meter)) as depot,
    ):
        quarter = await Quarter.begun(depot, grid)
        await quarter.live(lambda: quarter.bench.limit_a() >= 14)
        grid.base_a = 45.0
        await quarter.until(90)
        while_loud, at_work = quarter.bench.limit_a(), quarter.at_work
        grid.base_a = 2.0
        await quarter.live(lambda: quarter.bench.limit_a() >= 6)
        grid.base_a = 15.0
        await quarter.live(quarter.is_all_that_is_left)
        reason = quarter.reason
        await quarter.until(REST_S)
        mean_w = grid.used_ws / REST_S

        assert while_loud == 0
        assert at_work.startswith("demand tariff: ")
        assert (reason.circuit, reason.value_a) == ("grid", pytest.approx(EVEN_A, abs=6))
        assert 0.9 * DEMAND_W <= mean_w <= DEMAND_W + UNSEEN_W


async def test_a_restart_does_not_forget_what_the_quarter_has_used(depot_of, grid):
    """A gateway that did would let the car have all that the tariff allows on average."""
    async with (
        SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter,
        depot_of("ocpp1.6", began=TEN_PAST, **under_a_tariff(meter)) as depot,
    ):
        quarter = await Quarter.begun(depot, grid)
        grid.base_a = 75.0
        await quarter.until(150)
        await depot.stop()
        grid.base_a = 2.0
        await depot.start_again()
        await depot.until(lambda: all(d.is_connected for d in depot.deliveries("CP-01")))
        allowed_a = []

        def is_over():
            allowed_a.append(depot.evse("CP-01").limit_a or 0.0)
            return depot.clock.now >= REST_S - 5

        await quarter.live(is_over)
        mean_w = grid.used_ws / REST_S
        at_work = quarter.at_work
        await quarter.live(lambda: quarter.bench.limit_a() >= 14)

        assert max(allowed_a) == 0
        assert at_work == "demand tariff: 0 A for the rest of this quarter hour"
        assert mean_w > DEMAND_W
        assert depot.clock.now > REST_S
