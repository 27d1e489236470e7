"""Copies of the store, by the night and by hand, and the way back; on real files."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from gateway.adapters import store_backups, store_file
from gateway.adapters.store import open_store
from gateway.adapters.store_commands import restore_backup, write_backup
from gateway.errors import StoreFailed
from gateway.events import SecurityEventOccurred
from gateway.records import OutboxRow, Transaction
from gateway.writes import Confirm, Enqueue, SaveTransaction

NIGHT = datetime(2026, 6, 1, 1, 30, tzinfo=UTC)


def row(id_):
    return OutboxRow(id_, "evse/1", SecurityEventOccurred(f"event-{id_}", NIGHT), None, NIGHT)


def transaction(number):
    return Transaction(number, f"uuid-{number}", "CP-01", 1, 1, 1, NIGHT, str(number))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "gateway.db"


@pytest.fixture
def folder(path):
    return path.parent / "backups"


@asynccontextmanager
async def opened(path):
    store = await open_store(path)
    try:
        yield store
    finally:
        await store.close()


async def fill(path, count=300):
    async with opened(path) as store:
        await store.commit([Enqueue(row(n)) for n in range(1, count + 1)])
        await store.commit([SaveTransaction(transaction(7))])


async def ids(path):
    async with opened(path) as store:
        return [one.id for one in await store.read_lane("evse/1", 0, 10_000)]


def names(folder):
    return sorted(found.name for found in folder.iterdir())


def break_a_page(path):
    content = path.read_bytes()
    [*_, last] = [n for n in range(4096, len(content), 4096) if content[n] == 0x0D]
    with path.open("r+b") as file:
        file.seek(last)
        file.write(b"\xa5" * 4096)


# By the night.


async def test_each_night_adds_a_whole_copy_and_the_newest_few_stay(path, folder):
    async with opened(path) as store:
        for n in range(1, 6):
            await store.commit([Enqueue(row(n))])
            await store.look_over("backups", 3, NIGHT + timedelta(days=n))

        assert await store.newest_copy_at("backups") == NIGHT + timedelta(days=5)
    assert names(folder) == [f"gateway-2026060{day}T013000Z.db" for day in (4, 5, 6)]
    assert await ids(folder / "gateway-20260605T013000Z.db") == [1, 2, 3, 4]


async def test_what_else_lies_there_is_left_alone(path, folder):
    folder.mkdir(parents=True)
    for name in ("gateway-mine.db", "now.db", "gateway-2026.db"):
        (folder / name).touch()
    async with opened(path) as store:
        for n in range(3):
            await store.look_over("backups", 1, NIGHT + timedelta(days=n))

    assert names(folder) == [
        "gateway-2026.db",
        "gateway-20260603T013000Z.db",
        "gateway-mine.db",
        "now.db",
    ]


async def test_stations_are_answered_while_the_copy_is_made_and_checked(path):
    async with opened(path) as store:
        await store.commit([Enqueue(row(n)) for n in range(1, 5001)])
        night = asyncio.create_task(store.look_over("backups", 1, NIGHT))
        during = 0
        while not night.done():
            await store.commit([Confirm((during + 1,))])
            during += 1

        assert during > 3
        assert (await night).startswith("backup.made")


async def test_a_copy_that_would_fill_the_disk_is_not_made(path, folder, monkeypatch):
    monkeypatch.setattr(store_backups, "_RESERVE_BYTES", 10**18)
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="MB free"):
            await store.look_over("backups", 3, NIGHT)

        assert store.failure is None
    assert names(folder) == []


async def test_a_place_that_cannot_be_written_is_said(path):
    path.parent.mkdir(parents=True)
    (path.parent / "backups").write_text("a file")
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="backup to"):
            await store.look_over("backups", 3, NIGHT)


@pytest.mark.parametrize("kept", [3, 0])
async def test_damage_the_night_finds_is_mended_and_pushes_out_no_older_copy(path, folder, kept):
    await fill(path)
    async with opened(path) as store:
        await store.look_over("backups", 1, NIGHT)
        break_a_page(path)
        with pytest.raises(StoreFailed):
            await store.look_over("backups", kept, NIGHT + timedelta(days=1))
        await store.commit([Enqueue(row(1000))])

        assert "damaged" in store.loss
        assert (await store.look_over("backups", kept, NIGHT + timedelta(days=2))) != ""
    copies = ["gateway-20260601T013000Z.db", "gateway-20260603T013000Z.db"]
    assert names(folder) == copies[: 2 if kept else 1]
    assert 1000 in await ids(path)


async def test_without_copies_the_file_itself_is_checked(path, folder):
    await fill(path)
    async with opened(path) as store:
        assert await store.look_over("backups", 0, NIGHT) == "store.checked result=ok"
    assert not folder.exists()


# By hand.


def console_of(tmp_path, *, is_terminal=False):
    file = (tmp_path / "said").open("w+")
    return file, Console(file=file, force_terminal=is_terminal, width=200)


def run(tmp_path, command, *paths, is_terminal=False):
    """Return the exit code and what was said."""
    file, console = console_of(tmp_path, is_terminal=is_terminal)
    with file:
        code = command(*paths, console)
        file.seek(0)
        return code, file.read()


async def test_what_is_backed_up_comes_back_and_the_replaced_file_is_kept(path, tmp_path):
    await fill(path)
    code, said = await asyncio.to_thread(run, tmp_path, write_backup, path, tmp_path / "copy.db")
    assert (code, "25 %" in said or "100 %" in said) == (0, True)
    async with opened(path) as store:
        await store.commit([Enqueue(row(301))])

    code, said = await asyncio.to_thread(
        run, tmp_path, restore_backup, tmp_path / "copy.db", path.parent
    )

    assert code == 0, said
    assert await ids(path) == list(range(1, 301))
    [aside] = path.parent.glob("gateway.db.replaced-*Z")
    assert aside.name in said.replace("\n", "")
    assert await ids(aside) == list(range(1, 302))
    assert path.stat().st_mode & 0o077 == 0


async def test_no_number_given_since_the_backup_is_given_again(path, tmp_path):
    await fill(path)
    assert write_backup(path, tmp_path / "copy.db", Console(quiet=True)) == 0
    async with opened(path) as store:
        await store.commit([SaveTransaction(transaction(2_000_000_000)), Enqueue(row(900))])

    assert restore_backup(tmp_path / "copy.db", path.parent, Console(quiet=True)) == 0

    async with opened(path) as store:
        kept = await store.load()
    assert 2_000_000_000 < kept.next_transaction_number < 2**31
    assert kept.next_row_id > 900


async def test_no_seqNo_the_cloud_may_have_heard_since_the_backup_is_used_again(path, tmp_path):
    await fill(path)
    running = replace(transaction(500), next_seq_no=7)
    async with opened(path) as store:
        await store.commit([SaveTransaction(running)])
    assert write_backup(path, tmp_path / "copy.db", Console(quiet=True)) == 0

    assert restore_backup(tmp_path / "copy.db", path.parent, Console(quiet=True)) == 0

    async with opened(path) as store:
        kept = await store.load()
    [found] = [known for known in kept.running if known.number == 500]
    assert found.next_seq_no > 500


async def test_a_terminal_is_shown_a_bar(path, tmp_path):
    await fill(path)

    code, said = await asyncio.to_thread(
        run, tmp_path, write_backup, path, tmp_path / "copy.db", is_terminal=True
    )

    assert code == 0
    assert "100%" in said


async def test_while_a_gateway_runs_nothing_is_restored(path, tmp_path):
    await fill(path)
    write_backup(path, tmp_path / "copy.db", Console(quiet=True))
    async with opened(path):
        code, said = run(tmp_path, restore_backup, tmp_path / "copy.db", path.parent)

    assert code == 1
    assert "stop the gateway first" in said


def nonsense(path):
    path.write_bytes(b"x" * 5000)


def a_stranger(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (a)")


def from_the_future(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 9999")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "not a sound backup"),
        (nonsense, "not a database"),
        (break_a_page, "not a sound backup"),
        (a_stranger, "not a database of this program"),
        (from_the_future, "newer"),
    ],
)
async def test_what_is_no_sound_backup_replaces_nothing(path, tmp_path, spoil, says):
    await fill(path)
    write_backup(path, tmp_path / "copy.db", Console(quiet=True))
    spoil(tmp_path / "copy.db")
    before = path.read_bytes()

    code, said = run(tmp_path, restore_backup, tmp_path / "copy.db", path.parent)

    assert code == 1
    assert says in said
    assert path.read_bytes() == before
    assert await ids(path) == list(range(1, 301))


async def test_a_new_pc_starts_from_a_backup(path, tmp_path):
    await fill(path)
    write_backup(path, tmp_path / "copy.db", Console(quiet=True))
    new = tmp_path / "new"

    assert restore_backup(tmp_path / "copy.db", new, Console(quiet=True)) == 0

    assert await ids(new / "gateway.db") == list(range(1, 301))
    assert store_file.loss_told(new / "gateway.db") is None


async def test_a_damaged_database_is_replaced_all_the_same(path, tmp_path):
    await fill(path)
    write_backup(path, tmp_path / "copy.db", Console(quiet=True))
    path.write_bytes(b"x" * 20_000)

    assert restore_backup(tmp_path / "copy.db", path.parent, Console(quiet=True)) == 0
    assert await ids(path) == list(range(1, 301))
