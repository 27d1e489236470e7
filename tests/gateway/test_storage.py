"""How full the store is, who is told, and what is given up for room; on a real store."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from gateway.adapters import store_file
from gateway.adapters.store import open_store
from gateway.batches import Delivery
from gateway.errors import StoreFailed
from gateway.events import EventType, MeterValue, SampledValue, TransactionChanged
from gateway.outbox import Depth, Outbox
from gateway.records import OutboxRow, StoreSize
from gateway.site_state import StorageState
from gateway.storage import IN_VAIN_S, MB, RESERVE_BYTES, Fill, StorageKeeping
from gateway.writes import Enqueue
from site_config.model import Storage

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BOUNDS = Storage(max_rows=1000, max_mb=100, max_age_days=10)
ROOMY = StoreSize(used_bytes=1 * MB, spare_bytes=0, disk_free_bytes=10_000 * MB)
EMPTY = Depth(0, 0, None)


@pytest.mark.parametrize(
    ("size", "depth", "share", "says"),
    [
        pytest.param(ROOMY, EMPTY, 0.01, "1 MB used, 100 MB", id="an empty one"),
        pytest.param(ROOMY, Depth(600, 100, NOON), 0.7, "700 rows wait, 1000", id="rows"),
        pytest.param(
            StoreSize(80 * MB, 0, 10_000 * MB), EMPTY, 0.8, "80 MB used, 100 MB", id="bytes"
        ),
        pytest.param(
            StoreSize(30 * MB, 0, RESERVE_BYTES + 10 * MB),
            EMPTY,
            0.75,
            "30 MB used, 40 MB",
            id="a small disk counts before the bound",
        ),
        pytest.param(StoreSize(30 * MB, 0, 5), EMPTY, 1.0, "30 MB used", id="no disk left"),
        pytest.param(
            ROOMY, Depth(5, 0, NOON - timedelta(days=9)), 0.9, "9.0 days, 10 is", id="age"
        ),
    ],
)
def test_the_fullest_bound_counts_and_is_named(size, depth, share, says):
    fill = Fill.of(BOUNDS, size, depth, NOON)

    assert fill.share == pytest.approx(share)
    assert says in fill.what


def event_of(kind, id_):
    at = NOON + timedelta(seconds=id_)
    sample = SampledValue(f"{id_}.5", "Current.Import", "L1", unit="A")
    trigger = "MeterValuePeriodic" if kind is EventType.UPDATED else "Authorized"
    values = (MeterValue(at, (sample,)),)
    return TransactionChanged(kind, at, None, trigger, 0, 1, 1, meter_values=values)


def lane_of(evse, first, count):
    """A transaction's rows: its start, samples, its end."""
    for id_ in range(first, first + count):
        kind = EventType.UPDATED
        if id_ in (first, first + count - 1):
            kind = EventType.STARTED if id_ == first else EventType.ENDED
        yield OutboxRow(id_, f"evse/{evse}", event_of(kind, id_), evse, NOON)


class Keeping:
    """The keeping of a real store and outbox, and what it says."""

    def __init__(self, store, bounds):
        self.store, self.outbox = store, Outbox(Delivery())
        self.problems, self.said = {}, []
        self.state = StorageState()
        self.registration = SimpleNamespace(is_registered=False)
        parts = SimpleNamespace(
            site=SimpleNamespace(storage=bounds),
            cloud=SimpleNamespace(registration=self.registration),
            outbox=self.outbox,
            state=SimpleNamespace(storage=self.state),
            problem=self.problems.__setitem__,
        )
        self.refuses = False
        self.keeping = StorageKeeping(
            parts, store, self.commit, self.said.append, lambda seconds: asyncio.sleep(0)
        )

    async def commit(self, writes):
        if self.refuses:
            raise StoreFailed("full")
        await self.store.commit(writes)

    async def fill(self, *lanes):
        for lane in lanes:
            rows = list(lane)
            await self.store.commit([Enqueue(row) for row in rows])
            for row in rows:
                self.outbox.enqueued(row)

    async def look(self, now=0.0, at=NOON):
        await self.keeping.look(now, at)

    async def rows(self, evse):
        return [row.id for row in await self.store.read_lane(f"evse/{evse}", 0, 5000)]

    def events(self):
        return [line.split()[0] for line in self.said]


@pytest.fixture
def keeping_of(tmp_path):
    @asynccontextmanager
    async def made(**bounds):
        store = await open_store(tmp_path / "gateway.db")
        try:
            yield Keeping(store, Storage(**({"max_rows": 1000, "max_mb": 100} | bounds)))
        finally:
            await store.close()

    return made


async def test_a_store_with_room_says_nothing(keeping_of):
    async with keeping_of() as keeping:
        await keeping.fill(lane_of(1, 1, 100))
        await keeping.look()

        assert keeping.problems == {"storage": ""}
        assert keeping.said == []
        assert len(await keeping.rows(1)) == 100


async def test_at_70_percent_it_is_said_once_and_again_once_when_it_is_over(keeping_of):
    async with keeping_of() as keeping:
        await keeping.fill(lane_of(1, 1, 750))
        await keeping.look()
        await keeping.look()

        assert "75% full: 750 rows wait, 1000 is the most" in keeping.problems["storage"]
        assert len(await keeping.rows(1)) == 750
        keeping.keeping.bounds = Storage(max_rows=1140)
        await keeping.look()
        assert keeping.events() == ["storage.filling"], "66 % is not yet well"
        keeping.keeping.bounds = Storage(max_rows=2000)
        await keeping.look()
        assert keeping.events() == ["storage.filling", "storage.relieved"]
        assert keeping.problems == {"storage": ""}


async def test_under_pressure_the_longest_lane_gives_up_every_other_sample_and_no_bill(keeping_of):
    async with keeping_of() as keeping:
        await keeping.fill(lane_of(1, 1, 700), lane_of(2, 701, 250))
        await keeping.look()

        left = await keeping.rows(1)
        assert len(left) == 2 + 698 - 348
        assert left[:4] == [1, 2, 4, 6]
        assert left[-2:] == [699, 700]
        assert len(await keeping.rows(2)) == 250, "there was room by then"
        assert keeping.outbox.depth().pending == len(left) + 250
        assert keeping.state.thinned_rows == 348
        assert "storage.thinned" in keeping.events()


async def test_it_goes_on_until_only_what_is_billed_is_left_and_accepts_more(keeping_of):
    async with keeping_of() as keeping:
        for evse in range(1, 261):
            await keeping.fill(lane_of(evse, evse * 10, 5))
        for now in range(4):
            await keeping.look(now=now)

        assert {len(await keeping.rows(evse)) for evse in range(1, 261)} == {4}
        await keeping.fill(lane_of(1, 9000, 2))
        await keeping.look(now=IN_VAIN_S - 1)
        assert keeping.problems["storage"].startswith("the store is 104% full")


async def test_while_the_cloud_is_there_nothing_goes_before_the_bound_is_reached(keeping_of):
    async with keeping_of() as keeping:
        keeping.registration.is_registered = True
        await keeping.fill(lane_of(1, 1, 950))
        await keeping.look()
        assert len(await keeping.rows(1)) == 950
        await keeping.fill(lane_of(2, 1001, 50))
        await keeping.look()

        assert len(await keeping.rows(1)) < 600


async def test_what_cannot_be_thinned_is_not_read_again_and_again(keeping_of):
    async with keeping_of() as keeping:
        for evse in range(1, 251):
            await keeping.fill(lane_of(evse, evse * 10, 4))
        await keeping.look(now=0.0)
        asked = []
        keeping.store.lanes = lambda: asked.append("read")
        await keeping.look(now=IN_VAIN_S - 1)

        assert asked == []


async def test_what_the_disk_does_not_delete_is_delivered(keeping_of):
    async with keeping_of() as keeping:
        await keeping.fill(lane_of(1, 1, 950))
        keeping.refuses = True
        with pytest.raises(StoreFailed):
            await keeping.look()

        assert keeping.outbox.depth().pending == 950
        delivered = []
        while True:
            for ask in keeping.outbox.needs_refill():
                keeping.outbox.refill(ask, await keeping.store.read_lane(*ask))
            if (batch := keeping.outbox.next_batch(0.0, "ocpp2.0.1")) is None:
                break
            delivered += batch.row_ids
            keeping.outbox.confirmed(batch)
        assert delivered == list(range(1, 951))


async def test_what_is_left_is_delivered_in_order_and_nothing_else(keeping_of):
    async with keeping_of() as keeping:
        await keeping.fill(lane_of(1, 1, 990))
        first = keeping.outbox.next_batch(0.0, "ocpp2.0.1")
        await keeping.look()

        left = await keeping.rows(1)
        delivered = list(first.row_ids)
        keeping.outbox.confirmed(first)
        while True:
            for ask in keeping.outbox.needs_refill():
                keeping.outbox.refill(ask, await keeping.store.read_lane(*ask))
            if (batch := keeping.outbox.next_batch(0.0, "ocpp2.0.1")) is None:
                break
            delivered += batch.row_ids
            keeping.outbox.confirmed(batch)
        assert delivered == left
        assert keeping.outbox.depth().pending == 0


async def test_the_file_gives_the_room_back_to_the_disk(keeping_of, tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.adapters.store._SPARED_PAGES", 16)
    async with keeping_of(max_rows=20_000) as keeping:
        await keeping.fill(lane_of(1, 1, 19_000))
        before = await keeping.store.size()
        await keeping.look()
        after = await keeping.store.size()

    size = (tmp_path / "gateway.db").stat().st_size
    assert before.spare_bytes < 200_000
    assert after.spare_bytes <= 16 * 4096
    assert size < before.used_bytes * 0.75


async def test_every_file_is_made_so_that_it_can_shrink(keeping_of, tmp_path):
    async with keeping_of():
        pass
    path = tmp_path / "gateway.db"

    assert path.exists()
    with store_file.open_to_read(path) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    connection.close()
