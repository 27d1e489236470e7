"""A whole site whose disk fails or whose data file breaks: it charges on, says so, and mends."""

import asyncio
import resource
from contextlib import contextmanager

from gateway.simulation.cars import Car

DATABASE = "gateway.db"


@contextmanager
def full_disk():
    """No file may grow beyond a page."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def parts_of_the_file(depot):
    return [part for part in depot.data_dir.glob(f"{DATABASE}*") if part.suffix != ".lock"]


def books_agree(depot, bench, index=0):
    return (depot.cloud.transactions[index].start_wh, depot.cloud.transactions[index].stop_wh) == (
        bench.books[index].start_wh,
        bench.books[index].stop_wh,
    )


async def test_a_full_disk_keeps_charging_cars_within_their_limits_and_bills_later(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        bench = await depot.station("CP-01", "ocpp2.0.1")
        await depot.registered()
        await depot.set_up(bench)
        await bench.charge(Car())
        with full_disk():
            bench.link.unplug(1)
            await depot.until(lambda: depot.gateway.store.failure is not None)
            await depot.until(lambda: "store" in depot.gateway.state.problems)
            other = await depot.station("CP-02", "ocpp1.6")
            await depot.set_up(other)

            assert not bench.station.talk.is_online or bench.station.talk.pending
            assert depot.gateway.operations.health()["status"] == "degraded"
            assert 0 <= bench.limit_a() <= 32
        while bench.station.talk.pending or not depot.cloud.transactions[0].stop_wh:
            bench.pass_time(10)  # the station asks again after a while
            await asyncio.sleep(0.01)
        await depot.delivered()
        await depot.until(lambda: "store" not in depot.gateway.state.problems)

        assert len(depot.cloud.transactions) == 1
        assert books_agree(depot, bench)
        assert depot.cloud.complaints == []


async def test_a_data_file_deleted_in_mid_transaction_is_missed_by_nobody(depot_of):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await depot.set_up(bench)
        await bench.charge(Car())
        for part in parts_of_the_file(depot):
            part.unlink()
        bench.pass_time(30)
        await bench.settled()
        await depot.until((depot.data_dir / DATABASE).exists)
        await depot.stop()
        await depot.start_again()
        await depot.registered()
        bench.pass_time(60)
        await bench.settled()
        await bench.leave()
        await depot.delivered()

        assert len(depot.cloud.transactions) == 1
        assert books_agree(depot, bench)
        assert depot.cloud.complaints == []
        assert "damage" not in depot.gateway.state.problems


async def test_a_data_file_that_is_nonsense_keeps_no_car_waiting(depot_of):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car())
        await bench.leave()
        await depot.delivered()
        first = bench.books[0].transaction_id
        await depot.stop()
        for part in parts_of_the_file(depot):
            part.write_bytes(b"nonsense" * 2000)
        await depot.start_again()
        await depot.registered()
        bench.pass_time(60)
        await bench.settled()
        await bench.charge(Car())
        await bench.leave()
        await depot.delivered()
        await depot.until(lambda: "damage" in depot.gateway.state.problems)

        assert int(bench.books[1].transaction_id) > int(first) + 1000
        assert books_agree(depot, bench, 1)
        assert "damaged" in " ".join(depot.gateway.operations.health()["reasons"])
        assert len(list(depot.data_dir.glob(f"{DATABASE}.damaged-*Z"))) == 1
