"""A data file of every released schema opens, whole, and what waits in it is delivered."""

import asyncio
import os
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters import store_schema
from gateway.adapters.store import open_store
from gateway.batches import Delivery
from gateway.outbox import Outbox

ROOT = Path(__file__).parents[3]
RELEASED = sorted((Path(__file__).parent / "schemas").glob("schema_*.sql"))
BETWEEN = [number for number, _ in store_schema.migrations()]
KILLED = -9
PATIENCE_S = 60.0


def laid_out(path, script, through=None):
    """Make the data file as an old program left it, or one a little newer."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")
        old.executescript(script.read_text())
        if through is not None:
            store_schema.migrate(old, through=through)


@asynccontextmanager
async def opened(path):
    store = await open_store(path)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.db"


@pytest.fixture(params=RELEASED, ids=lambda script: script.stem)
def old(path, request):
    laid_out(path, request.param)
    return path


def plain(event):
    """An event without the name of its transaction, which tells first and second apart."""
    return replace(event, transaction_id=None) if hasattr(event, "transaction_id") else event


async def test_everything_is_found_again(old):
    async with opened(old) as store:
        kept = await store.load()

        assert [slot.cloud_evse for slot in kept.slots] == [1, 2]
        assert [(t.number, t.cloud_number, t.next_seq_no) for t in kept.running] == [
            (1, 77, 1),
            (2, 77, 1),
        ]
        assert (kept.next_transaction_number, kept.next_row_id) == (3, 17)
        assert [token.id_token.value for token in kept.tokens] == ["04A2B3C4"]
        assert (kept.local_list_version, len(kept.local_list)) == (4, 1)
        assert [stored.profile.id for stored in kept.profiles] == [7]
        assert [limit.limit_a for limit in kept.circuit_limits] == [40.0]
        assert len(kept.availability) == 1
        assert [setting.value for setting in kept.settings] == ["30"]


async def test_rows_say_what_they_said_squeezed_or_not(old):
    async with opened(old) as store:
        rows = [*await store.read_lane("evse/1", 0, 99), *await store.read_lane("station", 0, 99)]
        quarantined = await store.quarantined()
    by_id = {row.id: row for row in rows} | {found.row.id: found.row for found in quarantined}

    assert sorted(by_id) == [*range(1, 7), *range(11, 17)]
    for n in range(1, 7):
        assert plain(by_id[n].event) == plain(by_id[n + 10].event)
    assert by_id[4].event.meter_values[0].samples[0].signed["signedMeterData"] == "T0NNRg=="
    assert [by_id[n].attempts for n in (1, 2, 12)] == [0, 2, 2]
    assert {found.code for found in quarantined} == {"PropertyConstraintViolation"}


async def test_what_waits_is_delivered_in_order_and_what_had_left_byte_by_byte(old):
    async with opened(old) as store:
        outbox = Outbox(Delivery())
        kept = await store.load()
        outbox.restore(await store.lanes(), quarantined=2, next_row_id=kept.next_row_id)
        sent, delivered = [], []
        while True:
            for ask in outbox.needs_refill():
                outbox.refill(ask, await store.read_lane(*ask))
            if (batch := outbox.next_batch(0.0, "ocpp2.0.1")) is None:
                break
            sent += [batch.sent] if batch.sent else []
            delivered += [row_id for row_id in batch.row_ids if batch.lane == "evse/1"]
            await store.commit(outbox.confirmed(batch))

        assert delivered == [1, 2, 3, 4, 11, 12, 13, 14]
        assert sent == [b'{"eventType":"Started"}'] * 2
        assert await store.lanes() == []


@pytest.mark.parametrize("through", BETWEEN)
async def test_every_schema_between_comes_to_the_same(path, tmp_path, through):
    laid_out(path, RELEASED[0], through)
    laid_out(tmp_path / "first.db", RELEASED[0])

    async with opened(path) as store, opened(tmp_path / "first.db") as first:
        assert await store.load() == await first.load()
        assert await store.read_lane("evse/1", 0, 99) == await first.read_lane("evse/1", 0, 99)
        assert await store.quarantined() == await first.quarantined()


async def test_the_file_of_before_is_kept_aside_once(old):
    version = int(RELEASED[0].stem.rpartition("_")[2])
    async with opened(old):
        pass
    aside = old.with_name(f"gateway.db.schema-{version}")
    content = aside.read_bytes()
    async with opened(old):
        pass

    assert aside.read_bytes() == content
    assert aside.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(aside)) as before:
        assert store_schema.version_of(before) == version
        assert before.execute("SELECT count(*) FROM outbox").fetchone() == (10,)


async def test_a_new_file_leaves_no_file_of_before(path):
    async with opened(path):
        pass

    assert not list(path.parent.glob("*schema*"))


async def test_without_room_for_the_copy_the_migration_goes_on(old, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.adapters.store_file.copy_pages", full)
    async with opened(old) as store:
        assert len(await store.read_lane("evse/1", 0, 99)) == 8
    assert "store.not_kept_as_before" in caplog.text
    assert not list(old.parent.glob("*partial"))


def test_no_two_migrations_have_one_number():
    numbers = [number for number, _ in store_schema.migrations()]

    assert len(set(numbers)) == len(numbers)
    assert numbers[0] == 1


DYING = """
import asyncio, os, sqlite3, sys
from gateway.adapters import store_schema
from gateway.adapters.store import open_store

scripts, left = store_schema.migrations(), [int(sys.argv[2])]

def tick():
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), 9)
    return 0

def migrate(connection, *, through=None):
    connection.set_progress_handler(tick, 20)
    migrate_in_peace(connection, through=through)
    connection.set_progress_handler(None, 0)

migrate_in_peace, store_schema.migrate = store_schema.migrate, migrate

async def main():
    await (await open_store(sys.argv[1])).close()

asyncio.run(main())
"""


async def test_killed_anywhere_in_a_migration_leaves_the_old_or_the_new(tmp_path):
    """Each time three times as far into it, by SQLite's own steps, until it gets through."""
    versions, step = set(), 1
    while True:
        path = tmp_path / f"{step}.db"
        laid_out(path, RELEASED[0])
        died = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DYING, str(path), str(step)),
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        async with asyncio.timeout(PATIENCE_S):
            returncode = await died.wait()
        with closing(sqlite3.connect(path)) as left:
            versions.add(store_schema.version_of(left))
        async with opened(path) as store:
            assert [row.id for row in await store.read_lane("evse/1", 0, 99)] == [
                *(1, 2, 3, 4),
                *(11, 12, 13, 14),
            ]
            assert len((await store.load()).running) == 2
        if returncode != KILLED:
            break
        step *= 3
    assert step > 4
    assert {1, BETWEEN[-1]} <= versions <= set(BETWEEN)
