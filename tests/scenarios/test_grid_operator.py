"""The grid operator dims a running site, and proves it afterwards, over a restart."""

import asyncio
from contextlib import asynccontextmanager

import httpx

from gateway.meters.model import meter_model
from gateway.simulation.cars import Car
from gateway.simulation.meter import SimulatedMeter
from tests.gateway.adapters.test_digital_input import InputModule
from tests.scenarios.living import live as lively
from tests.scenarios.test_journal import HEADERS, WEB
from tests.scenarios.test_limits import Grid, live, with_meter

PATH = "/api/v1/grid-operator"


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


async def test_together_they_share_the_minimum_of_all_and_who_waits_goes_on_when_one_leaves(
    depot_of,
):
    """Three charge points keep 4.2 kW + 2 x 0.75 x 4.2 kW = 10.5 kW: enough for two of them."""
    operator = {"minimum": "together"}
    async with depot_of("ocpp1.6", web=WEB, grid_operator=operator) as depot:
        one = await depot.station("CP-01", "ocpp1.6")
        two = await depot.station("CP-02", "ocpp1.6")
        for bench in (one, two):
            await depot.set_up(bench)
        await one.charge(Car(max_current_a=16), "CARD-1")
        await two.charge(Car(max_current_a=16), "CARD-2", 1)
        await two.charge(Car(max_current_a=16), "CARD-3", 2)
        places = [("CP-01", one, 1), ("CP-02", two, 1), ("CP-02", two, 2)]

        def limits_a():
            return [bench.limit_a(evse_id) for _, bench, evse_id in places]

        def is_shared():
            return sum(limits_a()) * 690 <= 10_500 and sum(a >= 6 for a in limits_a()) == 2

        await lively([one, two], depot, lambda: min(limits_a()) >= 10)

        async with httpx.AsyncClient(base_url=depot.listening.web_url, headers=HEADERS) as http:
            status = (await http.put(f"{PATH}/limit", json={"reason": "grid full"})).json()
            await lively([one, two], depot, is_shared)

        waiting, bench, evse_id = places[limits_a().index(0)]
        reason = depot.evse(waiting, evse_id).limited_by
        charging = next(p for p, a in zip(places, limits_a(), strict=True) if a >= 6)
        charging[1].link.unplug(charging[2])
        await lively([one, two], depot, lambda: bench.limit_a(evse_id) >= 6)
        evidence = await depot.gateway.operations.grid_operator.evidence(None, None)

        assert (status["total_w"], status["limit_w"]) == (10_500, None)
        assert (evidence[0].after_total_w, evidence[0].after_w) == (10_500, None)
        assert reason.rule == "grid_operator"


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
