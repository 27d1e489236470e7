"""The work on files that a power cut can interrupt, each on a folder prepared for it."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console

from gateway.adapters import store_backups, store_commands, store_file, store_schema
from gateway.adapters.store import open_store
from gateway.writes import Enqueue, SaveSlot, SaveTransaction
from tests.scenarios.crash.keeping import AT, everything, example_of
from tests.scenarios.crash.steps import Steps

PAGE_BYTES = 4096
COUNTED = "counted"
"""The file that tells how many steps there were, once the work is done."""


def database(folder: Path) -> Path:
    return folder / "gateway.db"


def open_and_close(folder: Path) -> None:
    async def both() -> None:
        store = await open_store(database(folder))
        await store.close()

    asyncio.run(both())


# What is there before.


def nothing(folder: Path) -> None:
    pass


def some_rows(folder: Path) -> None:
    _commit(folder, [example_of(SaveSlot), example_of(SaveTransaction), example_of(Enqueue)])


def first_schema(folder: Path) -> None:
    """A store as the first version left it, with a row in it."""
    with closing(sqlite3.connect(database(folder))) as connection:
        store_schema.migrate(connection, through=1)
        connection.execute(
            "INSERT INTO slots (cloud_evse, station_id, evse_id, is_removed) VALUES (7, 'x', 1, 0)"
        )
        connection.commit()


def rows_and_a_backup(folder: Path) -> None:
    """A backup of less than there is now."""
    _commit(folder, [example_of(SaveSlot)])
    store_file.back_up(database(folder), folder / "backup.db")
    _commit(folder, [example_of(SaveTransaction), example_of(Enqueue)])


def damaged_rows(folder: Path) -> None:
    """The page with the outbox is broken, all else can be read."""
    some_rows(folder)
    with closing(sqlite3.connect(database(folder))) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'"
        [(page,)] = connection.execute(query).fetchall()
    with database(folder).open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(b"\xff" * 64)


def _commit(folder: Path, writes: list[object]) -> None:
    async def committed() -> None:
        store = await open_store(database(folder))
        await store.commit(writes)  # type: ignore[arg-type]  # examples of Write
        await store.close()

    asyncio.run(committed())


# The work.


def back_up(folder: Path) -> None:
    store_file.back_up(database(folder), folder / "backup.db")


def keep_copy(folder: Path) -> None:
    store_backups.keep_copy(database(folder), folder / "copies", 1, AT)


def restore(folder: Path) -> None:
    console = Console(stderr=True)
    assert store_commands.restore_backup(folder / "backup.db", folder, console) == 0


WORK: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "first start": (nothing, open_and_close),
    "migration": (first_schema, open_and_close),
    "damage": (damaged_rows, open_and_close),
    "backup": (rows_and_a_backup, back_up),
    "nightly copy": (some_rows, keep_copy),
    "restore": (rows_and_a_backup, restore),
}
"""What is there before, and what is done."""


def work(what: str, folder: str, last: str) -> None:
    """Do it, counting; die before the step `last`, if it is a number."""
    place = Path(folder)
    steps = Steps(place, int(last) if last else None)
    WORK[what][1](place)
    count = steps.count
    (place / COUNTED).write_text(str(count))


# What is there afterwards.


def found(what: str, folder: Path) -> list[str]:
    """Return what whoever comes next finds: the gateway, or a person with a backup."""
    if what in ("backup", "nightly copy"):
        copies = [folder / "backup.db", *sorted((folder / "copies").glob("*.db"))]
        whole = [copy for copy in copies if copy.exists()]
        return [line for copy in whole for line in everything(str(copy))]
    open_and_close(folder)
    return everything(str(database(folder)))


def again(folder: Path, fresh: Path) -> Path:
    """Return an equal folder that nobody has worked in yet."""
    return Path(shutil.copytree(folder, fresh))
