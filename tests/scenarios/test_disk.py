"""A whole site whose disk fails or whose data file breaks: it charges on, says so, and mends."""

import asyncio
import resource
import sqlite3
from contextlib import closing, contextmanager

import pytest

from gateway.errors import StoreFailed
from gateway.simulation.cars import Car
from gateway.writes import SaveSetting

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


def break_the_tables_of(depot, *names):
    """Make the first page of each table nonsense, as a failing disk does."""
    path = depot.data_dir / DATABASE
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        pages = [connection.execute(query, (name,)).fetchone()[0] for name in names]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * size)
            file.write(b"nonsense" * (size // 8))


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


@pytest.mark.parametrize("is_restarted", [False, True], ids=["it runs on", "it is restarted"])
async def test_a_file_that_breaks_while_the_cloud_is_away_costs_nothing_that_memory_knows(
    depot_of, is_restarted
):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car())
        await depot.delivered()
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        bench.pass_time(60)
        await bench.leave()
        waiting = depot.gateway.outbox.depth().pending
        store = depot.gateway.store
        slots = (await store.load()).slots
        remade, told = asyncio.Event(), store.remade
        store.remade = lambda: (told(), remade.set())
        break_the_tables_of(depot, "outbox", "slots")
        with pytest.raises(StoreFailed):
            await store.look_over("copies", 1, depot.clock.wall())
        await remade.wait()
        await store.commit([SaveSetting("key", "behind what is written again")])
        assert "rows of" in store.loss

        if is_restarted:
            await depot.stop()
            await depot.start_again()
        assert depot.gateway.outbox.depth().pending == waiting
        assert (await depot.gateway.store.load()).slots == slots
        await depot.cloud.come_back()
        await depot.registered()
        await depot.delivered()

        assert len(depot.cloud.transactions) == 1
        assert books_agree(depot, bench)
        assert depot.cloud.complaints == []


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
