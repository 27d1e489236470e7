"""The grid operator dims a running site, and proves it afterwards, over a restart."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from tests.gateway.adapters.test_digital_input import InputModule
from tests.scenarios.living import live as lively
from tests.scenarios.test_journal import HEADERS, WEB
from tests.scenarios.test_limits import Grid, live, with_meter

PATH = "/api/v1/grid-operator"
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""A turn begins."""


async def test_dimming_reaches_the_car_survives_a_restart_and_leaves_evidence(depot_of):
    async with depot_of("ocpp1.6", web=WEB, grid_operator={}) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await bench.charge(Car(max_current_a=32))
        await live(bench, depot, lambda: bench.limit_a() >= 16, speed=5)
        await live(bench, depot, lambda: depot.evse("CP-01").measured, speed=5)
        async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as http:
            await http.put(f"{PATH}/limit", json={"reason": "grid full"})
            await live(bench, depot, lambda: bench.limit_a() == 6.0, speed=2)
            bench.pass_time(12)
            depot.clock.skipped_s += 12  # for the gateway too: its newest sample is the newest
            await bench.settled()
            await depot.until(lambda: (depot.evse("CP-01").measured or [99])[0] <= 6.1)
            rule = depot.evse("CP-01").limited_by.rule
        await depot.stop()
        await depot.start()
        async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as http:
            kept = (await http.get(PATH)).json()
            evidence = (await http.get(f"{PATH}/evidence")).json()

        assert rule == "grid_operator"
        assert (kept["dimmed"], kept["limit_w"], kept["set_by"]) == (True, 4200, "tablet")
        assert [line["what"] for line in evidence][:1] == ["dimmed"]
        assert evidence[0]["cars_w"] > 4200 >= evidence[0]["after_w"]
        assert evidence[0]["reason"] == "grid full"


@asynccontextmanager
async def silent_module():
    """A Modbus module that takes connections and never says a word."""

    async def swallow(reader, writer):
        await reader.read()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_contact_that_cannot_be_read_dims(depot_of):
    async with silent_module() as url:
        contact = {"input": {"url": url, "poll_s": 0.1, "max_age_s": 0.1}}
        async with depot_of("ocpp1.6", grid_operator=contact) as depot:
            desk = depot.gateway.operations.grid_operator

            await depot.until(lambda: desk.status()["dimmed"])

            assert desk.status()["source"] == "fail_safe"


class Together:
    """Three cars on three charge points, which keep 4.2 kW + 2 x 0.75 x 4.2 kW = 10.5 kW together:
    enough for two of them.
    """

    TOTAL_W = 10_500

    def __init__(self, depot, one, two):
        self.depot, self.benches = depot, [one, two]
        self.places = [("CP-01", one, 1), ("CP-02", two, 1), ("CP-02", two, 2)]

    @classmethod
    @asynccontextmanager
    async def charging(cls, depot_of, began):
        site = {"web": WEB, "grid_operator": {"minimum": "together"}}
        async with depot_of("ocpp1.6", began=began, **site) as depot:
            one = await depot.station("CP-01", "ocpp1.6")
            two = await depot.station("CP-02", "ocpp1.6")
            for bench in (one, two):
                await depot.set_up(bench)
            await one.charge(Car(max_current_a=16), "CARD-1")
            await two.charge(Car(max_current_a=16), "CARD-2", 1)
            await two.charge(Car(max_current_a=16), "CARD-3", 2)
            together = cls(depot, one, two)
            await together.live(lambda: min(together.limits_a()) >= 10)
            yield together

    async def dim(self):
        url = self.depot.listening.web_url
        async with httpx.AsyncClient(base_url=url, headers=HEADERS) as http:
            status = (await http.put(f"{PATH}/limit", json={"reason": "grid full"})).json()
            await self.live(self.is_shared)
        return status

    async def live(self, condition):
        await lively(self.benches, self.depot, condition)

    def limits_a(self):
        return [bench.limit_a(evse_id) for _, bench, evse_id in self.places]

    def waiting(self):
        return self.limits_a().index(0)

    def is_within_the_total(self):
        return sum(self.limits_a()) * 690 <= self.TOTAL_W

    def is_shared(self):
        rules = {self.depot.evse(name, evse_id).limited_by.rule for name, _, evse_id in self.places}
        two_charge = sum(a >= 6 for a in self.limits_a()) == 2
        return self.is_within_the_total() and two_charge and rules == {"grid_operator"}


async def test_together_they_share_the_minimum_of_all_and_who_waits_goes_on_when_one_leaves(
    depot_of,
):
    async with Together.charging(depot_of, NOON) as together:
        status = await together.dim()
        waiting = together.waiting()
        _, bench, evse_id = together.places[waiting - 1]
        bench.link.unplug(evse_id)
        await together.live(lambda: together.limits_a()[waiting] >= 6)
        evidence = await together.depot.gateway.operations.grid_operator.evidence(None, None)

        assert (status["total_w"], status["limit_w"]) == (10_500, None)
        assert (evidence[0].after_total_w, evidence[0].after_w) == (10_500, None)


async def test_together_they_take_turns_on_the_quarter_hours_and_never_exceed_their_total(
    depot_of,
):
    async with Together.charging(depot_of, NOON - timedelta(minutes=2)) as together:
        await together.dim()
        waiting, excesses = together.waiting(), []

        def is_his_turn():
            if not together.is_within_the_total():
                excesses.append(together.limits_a())
            return together.is_shared() and together.waiting() != waiting

        await together.live(is_his_turn)

        assert excesses == []
        assert together.depot.clock.wall() >= NOON


async def test_a_contact_on_the_meters_line_dims_while_it_is_closed(depot_of):
    grid, module = Grid(), InputModule()
    sdm = meter_model("eastron-sdm630")
    async with SimulatedMeter(sdm, grid.values, neighbours=[module]) as meter:
        contact = {"url": f"tcp://127.0.0.1:{meter.port}", "unit": 7, "address": 3, "poll_s": 0.1}
        site = with_meter(meter) | {"grid_operator": {"input": contact}}
        async with depot_of("ocpp1.6", **site) as depot:
            bench = await depot.station("CP-01", "ocpp1.6")
            await depot.set_up(bench)
            grid.benches.append(bench)
            await bench.charge(Car(max_current_a=16))
            await live(bench, depot, lambda: bench.limit_a() >= 11, speed=5)

            module.is_closed = True
            await live(bench, depot, lambda: bench.limit_a() == 6.0, speed=2)
            reason, meter_state = depot.evse("CP-01").limited_by, depot.gateway.state.meters["grid"]
            module.is_closed = False
            await live(bench, depot, lambda: bench.limit_a() >= 11, speed=5)

            assert reason.rule == "grid_operator"
            assert meter_state.is_healthy
