"""What the store does when the disk fails or the file breaks, on real files."""

import asyncio
import resource
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.adapters import store as store_module
from gateway.adapters import store_file
from gateway.adapters.store import open_store
from gateway.errors import StoreFailed
from gateway.events import (
    AuthorizationStatus,
    IdToken,
    IdTokenInfo,
    MetersSampled,
    MeterValue,
    SampledValue,
)
from gateway.records import KnownToken, OutboxRow, Slot, Transaction
from gateway.writes import (
    Confirm,
    Enqueue,
    EnqueueAgain,
    SaveSetting,
    SaveSlot,
    SaveToken,
    SaveTransaction,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NUMBERS_BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
PAGE = 4096
PATIENCE_S = 20.0


def row(id_, lane="evse/1"):
    values = tuple(SampledValue(f"{id_ * n}.5", "Voltage", f"L{n}") for n in (1, 2, 3))
    event = MetersSampled(1, 1, (MeterValue(NOON + timedelta(seconds=id_), values),))
    return OutboxRow(id_, lane, event, id_ % 7 + 1, NOON)


def transaction(number):
    return Transaction(number, f"uuid-{number}", "CP-01", 1, 1, 1, NOON, str(number))


TOKEN = KnownToken(IdToken("CARD", "ISO14443"), IdTokenInfo(AuthorizationStatus.ACCEPTED), NOON)
ROWS = [row(n) for n in range(1, 301)]
WRITES = [
    SaveSlot(Slot(1, "CP-01", 1)),
    *(SaveTransaction(transaction(n)) for n in range(1, 41)),
    *(Enqueue(one) for one in ROWS),
    SaveToken(TOKEN),
    SaveSetting("key", "value"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.db"


@asynccontextmanager
async def opened(path):
    store = await open_store(path)
    try:
        yield store
    finally:
        await store.close()


async def fill(path):
    async with opened(path) as store:
        await store.commit(WRITES)


async def ids(store):
    return [one.id for one in await store.read_lane("evse/1", 0, 1000)]


@contextmanager
def disk_of(size):
    """No file may grow beyond `size` bytes: what a full quota, or a failing disk, does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def overwrite(path, first_byte, count=PAGE):
    with path.open("r+b") as file:
        file.seek(first_byte)
        file.write(bytes(0xA5 ^ (n * 31 & 0xFF) for n in range(count)))


def a_page_of_rows(path):
    """Return where the last page begins that holds many rows of a table: those of the outbox."""
    content = path.read_bytes()
    return max(n for n in range(0, len(content), PAGE) if content[n] == 0x0D and content[n + 4] > 9)


def aside(path):
    return sorted(path.parent.glob("gateway.db.damaged-*Z"))


# Damaged files.


async def test_nonsense_is_kept_aside_and_the_site_starts_with_numbers_never_given(path):
    await fill(path)
    nonsense = b"x" * 9000
    path.write_bytes(nonsense)

    async with opened(path) as store:
        kept = await store.load()

        assert kept.slots == ()
        assert "not a database" in store.loss
        assert "everything" in store.loss
    assert [found.read_bytes() for found in aside(path)] == [nonsense]
    at_least = (datetime.now(UTC) - NUMBERS_BEGAN).total_seconds() - 60
    assert min(kept.next_transaction_number, kept.next_row_id) > at_least
    assert kept.next_transaction_number < 2**31


@pytest.mark.parametrize("take_away", ["gone", "empty"])
async def test_a_file_that_was_there_and_is_gone_or_empty_is_said_and_not_taken_for_new(
    path, take_away
):
    await fill(path)
    path.unlink()
    if take_away == "empty":
        path.touch()

    async with opened(path) as store:
        assert "gone, or empty" in store.loss
        assert (await store.load()).next_transaction_number > 41
    async with opened(path) as store:
        assert store.loss, "until a person has taken note"
        store_file.report_of(path).unlink()

        assert store.loss is None


async def test_a_first_start_has_lost_nothing(path):
    async with opened(path) as store:
        assert store.loss is None
        assert (await store.load()).next_transaction_number == 1


async def test_whatever_page_breaks_the_rest_is_read_as_it_was_written(path):
    """And no number is given twice, and what is lost is told."""
    await fill(path)
    whole = path.read_bytes()
    written = {one.id: one for one in ROWS}
    read_back = []
    for page in range(1, len(whole) // PAGE, 4):
        path.write_bytes(whole)
        overwrite(path, page * PAGE)

        async with opened(path) as store:
            kept = await store.load()
            found = await store.read_lane("evse/1", 0, 1000)
            loss = store.loss
        store_file.report_of(path).unlink(missing_ok=True)

        assert all(written[one.id] == one for one in found)
        assert set(kept.running) <= {transaction(n) for n in range(1, 41)}
        assert (kept.next_row_id, kept.next_transaction_number) > (300, 40)
        assert len(found) == 300 or "outbox" in loss
        read_back.append(len(found))
    assert len(read_back) > 5
    assert sum(read_back) / len(read_back) > 250, "one page is not the whole file"


async def test_one_broken_page_costs_only_its_own_rows_and_says_how_many(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(n)) for n in range(1, 5001)])
    overwrite(path, a_page_of_rows(path))

    async with opened(path) as store:
        lane = await store.read_lane("evse/1", 0, 10_000)

    assert 4900 < len(lane) < 5000
    [told] = [
        line
        for line in store_file.report_of(path).read_text().splitlines()
        if line.startswith("outbox")
    ]
    assert told == f"outbox: {len(lane)} rows kept, up to {5000 - len(lane)} lost"


async def test_where_the_table_of_tables_breaks_those_told_before_are_read(path):
    await fill(path)
    content = path.read_bytes()
    overwrite(path, content.index(b"CREATE TABLE journal ") // PAGE * PAGE)

    async with opened(path) as store:
        assert await ids(store) == list(range(1, 301))
        assert (await store.load()).slots == (Slot(1, "CP-01", 1),)
        assert "journal" in store.loss
        assert "outbox" not in store.loss


async def test_what_waits_in_the_write_ahead_log_is_saved_too(path):
    async with opened(path) as store:
        await store.commit(WRITES[:1])
        with closing(sqlite3.connect(path)) as other:  # keeps the log from being folded in
            other.execute("BEGIN")
            other.execute("SELECT * FROM slots").fetchall()
            await store.commit(WRITES[1:])
            copies = {n: path.with_name(n).read_bytes() for n in ("gateway.db", "gateway.db-wal")}
    for name, content in copies.items():
        path.with_name(name).write_bytes(content)
    store_file.report_of(path).unlink(missing_ok=True)

    with closing(store_file.lock(path)):
        store_module.store_salvage.rebuild(path, "test", NOON)

    async with opened(path) as store:
        assert await ids(store) == list(range(1, 301))


async def test_damage_found_while_running_is_mended_while_running(path):
    await fill(path)
    remade = []
    async with opened(path) as store:
        store.remade = lambda: remade.append("told")
        overwrite(path, a_page_of_rows(path))
        with pytest.raises(StoreFailed, match="malformed"):
            await ids(store)
        await store.commit([Enqueue(row(400))])

        found = await ids(store)
        assert remade == ["told"]
        assert store.failure is None
        assert 250 < len(found) < 301
        assert found[-1] == 400
        assert "damaged" in store.loss
    assert len(aside(path)) == 1


async def test_rows_that_memory_still_holds_are_written_again_with_all_that_is_known(path):
    await fill(path)
    marked = replace(row(301), attempts=2, message_id="m", sent=b"[]", sent_version="ocpp2.0.1")
    known = [*ROWS, replace(marked, sent_with=(302,))]
    async with opened(path) as store:
        await store.commit([Confirm((1,))])
        before = await store.read_lane("evse/1", 0, 1000)
    overwrite(path, a_page_of_rows(path))

    async with opened(path) as store:
        lost = {one.id for one in before} - set(await ids(store))
        await store.commit([EnqueueAgain(one) for one in known[1:]])

        assert lost
        assert await store.read_lane("evse/1", 0, 1000) == known[1:]


async def test_a_full_disk_leaves_the_damaged_file_as_it_is(path):
    await fill(path)
    path.write_bytes(broken := b"x" * 100_000)

    with disk_of(8192), pytest.raises(StoreFailed, match="not replaced"):
        await open_store(path)

    assert path.read_bytes() == broken
    assert not list(path.parent.glob("*.partial"))
    async with opened(path) as store:
        assert store.loss


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_power_cut_while_the_file_is_replaced_leaves_the_old_or_the_new(path, cut):
    await fill(path)
    new = path.with_name("gateway.db.next")
    if cut == "before":
        path.with_name("gateway.db.partial").write_bytes(b"half of a file")
    else:
        async with opened(path.parent / "other" / "gateway.db") as other:
            await other.commit([Enqueue(row(7))])
        (path.parent / "other" / "gateway.db").rename(new)

    async with opened(path) as store:
        assert await ids(store) == ([7] if cut == "after" else list(range(1, 301)))
    assert not new.exists()


# The file is taken away.


async def test_a_file_deleted_under_us_is_written_again_with_everything(path):
    async with opened(path) as store:
        await store.commit(WRITES)
        for part in path.parent.glob("gateway.db*"):
            part.unlink()
        await store.commit([Enqueue(row(301))])

        assert await ids(store) == list(range(1, 302))
        with pytest.raises(StoreFailed, match="another gateway"):
            await open_store(path)
    async with opened(path) as store:
        assert await ids(store) == list(range(1, 302))
        assert (await store.load()).slots == (Slot(1, "CP-01", 1),)


async def test_an_idle_store_notices_too(path, monkeypatch):
    monkeypatch.setattr(store_module, "_LOOK_S", 0.01)
    async with opened(path) as store:
        await store.commit(WRITES)
        path.unlink()
        async with asyncio.timeout(PATIENCE_S):
            while store_file.inode_of(path) != store._inode:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)

        assert await ids(store) == list(range(1, 301))


async def test_a_file_put_in_its_place_while_running_is_kept_aside(path):
    async with opened(path) as store:
        await store.commit(WRITES)
        stranger = path.with_name("stranger")
        stranger.write_bytes(b"somebody's copy")
        stranger.replace(path)
        await store.commit([Enqueue(row(301))])

        assert await ids(store) == list(range(1, 302))
    [kept] = path.parent.glob("*put-here-while-running")
    assert kept.read_bytes() == b"somebody's copy"


# The disk.


async def test_a_full_database_refuses_and_goes_on_when_there_is_room(path):
    async with opened(path) as store:
        await store.commit(WRITES)
        [(pages,)] = await store._writer.execute_fetchall("PRAGMA page_count")
        await store._writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreFailed, match="full"):
            await store.commit([Enqueue(row(n)) for n in range(301, 1001)])
        assert "full" in store.failure
        await store.commit([Confirm((1, 2, 3))])
        await store._writer.execute("PRAGMA max_page_count = 1000000")
        await store.commit([Enqueue(row(n)) for n in range(301, 1001)])

        assert store.failure is None
        assert await ids(store) == list(range(4, 1001))[: len(await ids(store))]


async def test_an_idle_store_says_by_itself_that_the_disk_is_back(path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(store_module, "_LOOK_S", 0.01)
    async with opened(path) as store:
        await store.commit(WRITES)
        with disk_of(4096):
            with pytest.raises(StoreFailed):
                await store.commit([Enqueue(row(n)) for n in range(301, 401)])
            assert store.failure is not None
        async with asyncio.timeout(PATIENCE_S):
            while store.failure is not None:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
        await store.commit([Enqueue(row(n)) for n in range(301, 401)])

        assert await ids(store) == list(range(1, 401))
    said = [record.getMessage().split()[0] for record in caplog.records]
    assert [event for event in said if event in ("store.failed", "store.back")] == [
        "store.failed",
        "store.back",
    ]


async def test_what_was_refused_by_a_failing_disk_is_not_there_and_the_rest_is(path):
    await fill(path)
    refused, accepted = [], []
    async with opened(path) as store:
        with disk_of(path.stat().st_size + 40_000):
            for n in range(301, 901):
                try:
                    await store.commit([Enqueue(row(n))])
                except StoreFailed:
                    refused.append(n)
                else:
                    accepted.append(n)
        await store.commit([Enqueue(row(1000))])

        assert await ids(store) == [*range(1, 301), *accepted, 1000]
    assert refused
    async with opened(path) as store:
        assert await ids(store) == [*range(1, 301), *accepted, 1000]
