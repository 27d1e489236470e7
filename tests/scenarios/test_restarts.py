"""What a running site still knows after a restart: nobody's limit rises by it, nobody loses."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from gateway.meters.model import meter_model
from gateway.profile_writes import kept_for
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from load_balancer.inputs import EvseKey
from load_balancer.limiters.dimming import DimmingSource
from load_balancer.limiters.quarter_hour import quarter_of
from tests.scenarios.conftest import PATIENCE_S
from tests.scenarios.test_grid_operator import silent_module
from tests.scenarios.test_limits import Grid, live, with_meter

SPEED = 16
QUARTER_S = 900
FLOOR_W = 4200


async def restarted(depot):
    await depot.stop()
    await depot.start_again()


def dimmed_to_w(depot):
    return depot.gateway.parts.dimming.state(depot.clock.monotonic(), depot.clock.wall()).point_w


@pytest.mark.parametrize("back_s", [0, 400], ids=["", "the machine's clock is lost"])
async def test_what_a_station_was_told_before_counts_until_it_takes_another_limit(depot_of, back_s):
    """The safe current is installed, and a limit from before the restart lies above it."""
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32))
        await live(bench, depot, lambda: 14 <= bench.limit_a() <= 20, speed=5)
        told_a = bench.limit_a()

        await depot.stop()
        depot.clock.began -= timedelta(seconds=back_s)
        await depot.start_again()
        delivery = depot.gateway.deliveries[EvseKey("CP-01", 1)]
        delivery.has_safe_default = True  # as if that were the first to be said
        now = depot.clock.monotonic()

        assert told_a <= delivery.believed_a(now) < 32.0
        await depot.until(lambda: delivery.believed_a(now) == depot.evse("CP-01").limit_a)


async def test_the_energy_that_ranks_those_who_wait_is_known_before_any_station_speaks(depot_of):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=16))
        await live(bench, depot, lambda: (depot.evse("CP-01").energy_wh or 0) > 100, speed=SPEED)
        await bench.settled()
        before = depot.evse("CP-01")

        await depot.stop()
        await bench.until(lambda: not bench.station.talk.is_online)
        await depot.start_again()
        after = depot.evse("CP-01")

        assert after.energy_wh >= before.energy_wh > 100
        assert (after.transaction_id, after.started_at) == (
            before.transaction_id,
            before.started_at,
        )


async def writes_on_disk(depot):
    kept = kept_for("CP-01", (await depot.gateway.store.load()).settings)
    return sum(count for _, count in orjson.loads(kept or "[]"))


async def test_what_wears_out_a_stations_flash_is_counted_on(depot_of):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=16))
        writes = depot.gateway.deliveries.writes["CP-01"]
        await live(bench, depot, lambda: writes.in_a_day(depot.clock.monotonic()) >= 3, speed=SPEED)
        depot.clock.skipped_s += 600
        async with asyncio.timeout(PATIENCE_S):
            while await writes_on_disk(depot) < 3:  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.01)

        await restarted(depot)

        counted = depot.gateway.deliveries.writes["CP-01"]
        assert counted.in_a_day(depot.clock.monotonic()) >= 3


async def test_a_quarter_hour_goes_on_with_the_energy_it_has_used(depot_of):
    grid = Grid()
    async with SimulatedMeter(meter_model("eastron-sdm630"), grid.values) as meter:
        sections = with_meter(meter)
        sections["circuits"]["grid"]["demand_w"] = 9000
        async with depot_of("ocpp1.6", **sections) as depot:
            # A minute after its beginning, so that it does not end meanwhile.
            depot.clock.now += QUARTER_S - depot.clock.wall().timestamp() % QUARTER_S + 60
            begins_at = quarter_of(depot.clock.wall())
            limiters = depot.gateway.parts.limiters
            await depot.until(lambda: limiters.kept()[0].begins_at == begins_at)
            await depot.stop()
            (before,) = limiters.kept()
            depot.clock.now += 120

            await depot.start_again()
            after = depot.gateway.parts.limiters
            await depot.until(lambda: after.on_circuit("grid"))
            (quarter,) = after.kept()

            # While nobody counted, the limit's own power flowed, as far as we know.
            assert quarter.begins_at == before.begins_at == begins_at
            assert quarter.used_wh >= before.used_wh + 9000 * 120 / 3600 - 1


async def test_a_missing_heartbeat_goes_on_missing(depot_of):
    """Else each restart would lift the limit for as long as a heartbeat may be late."""
    async with depot_of("ocpp1.6", grid_operator={"heartbeat_s": 60}) as depot:
        await depot.until(lambda: depot.gateway.grid_operator.lines is not None)
        assert dimmed_to_w(depot) is None
        depot.clock.skipped_s += 61
        depot.clock.now += 61
        await depot.until(lambda: depot.gateway.parts.limiters.on_evse(EvseKey("CP-01", 1)))

        await restarted(depot)

        assert dimmed_to_w(depot) == FLOOR_W


async def test_a_heartbeat_before_a_restart_counts_from_when_it_was_heard(depot_of):
    async with depot_of("ocpp1.6", grid_operator={"heartbeat_s": 60}) as depot:
        await depot.until(lambda: depot.gateway.grid_operator.lines is not None)

        await depot.stop()
        depot.clock.skipped_s += 40
        depot.clock.now += 40
        await depot.start_again()
        at_once = dimmed_to_w(depot)
        depot.clock.skipped_s += 21
        depot.clock.now += 21

        assert at_once is None
        assert dimmed_to_w(depot) == FLOOR_W


@pytest.mark.parametrize("source", [DimmingSource.INPUT, DimmingSource.FAIL_SAFE])
async def test_a_contact_that_dimmed_dims_until_it_is_read_again(depot_of, source):
    async with silent_module() as url:
        contact = {"url": url, "poll_s": 3600, "max_age_s": 3600}
        async with depot_of("ocpp1.6", grid_operator={"input": contact}) as depot:
            desk = depot.gateway.grid_operator
            if source is DimmingSource.INPUT:
                desk.input_read(url, is_active=True)
            else:
                desk.input_silent(url, "no answer")
            await desk.keep()

            await restarted(depot)
            first = dimmed_to_w(depot)
            desk = depot.gateway.grid_operator
            desk.input_read(url, is_active=False)
            await desk.keep()

            assert first == FLOOR_W
            assert dimmed_to_w(depot) is None
            await restarted(depot)
            assert dimmed_to_w(depot) is None
