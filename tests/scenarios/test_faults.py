"""Calm under faults: what fails harms itself, says so, and is recovered from."""

import asyncio
import socket

from gateway.adapters import store_file
from gateway.simulation.cars import Car


async def test_a_taken_port_of_the_page_keeps_no_car_waiting(depot_of):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        web = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        async with depot_of("ocpp1.6") as depot:
            await depot.stop()
            depot.site = type(depot.site).model_validate(
                depot.site.model_dump(exclude={"web"}) | {"web": web}
            )
            depot.listening = None
            starting = asyncio.create_task(depot.start())
            await depot.until(lambda: depot.listening is not None)
            bench = await depot.station("CP-01", "ocpp1.6")
            await bench.charge(Car())

            await depot.until(lambda: "web" in depot.gateway.state.problems)
            assert "page and REST are down" in depot.gateway.state.problems["web"]
            assert depot.evse("CP-01").transaction_id is not None
            starting.cancel()


async def test_a_read_only_disk_acknowledges_nothing_and_heals_by_itself(depot_of, monkeypatch):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await depot.set_up(bench)
        read_only = store_file._PREPARE + "PRAGMA query_only = ON;"
        monkeypatch.setattr(store_file, "_PREPARE", read_only)  # for whoever opens it again
        await depot.gateway.store._writer.execute("PRAGMA query_only = ON")

        bench.link.plug_in(1, Car())
        bench.link.present(1, "CARD-1")
        await depot.until(lambda: depot.gateway.store.failure is not None)
        assert not bench.books or bench.books[0].transaction_id is None
        assert depot.gateway.operations.health()["status"] == "degraded"

        monkeypatch.undo()
        while not bench.books or bench.books[0].transaction_id is None:
            bench.pass_time(10)  # the station asks again after a while
            await asyncio.sleep(0.01)
        bench.pass_time(60)
        await bench.settled()
        await bench.leave()
        await depot.delivered()

        (booked,) = depot.cloud.transactions
        assert (booked.start_wh, booked.stop_wh) == (
            bench.books[0].start_wh,
            bench.books[0].stop_wh,
        )
        assert depot.cloud.complaints == []
        await depot.until(lambda: "store" not in depot.gateway.state.problems)
