"""The process killed before any touch of a file while one takes another's place."""

import asyncio
import os
import shutil
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.adapters import store_file
from gateway.adapters.store import open_store
from gateway.events import SecurityEventOccurred
from gateway.records import OutboxRow, Slot
from gateway.writes import Enqueue, SaveSlot

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KILLED = -9
PATIENCE_S = 60.0

MOST_TOUCHES = 18

DYING = """
import os, shutil, sys
from datetime import datetime, UTC
from pathlib import Path
from rich.console import Console
from gateway.adapters import store_commands, store_file, store_salvage

command, folder, left = sys.argv[1], Path(sys.argv[2]), [0]

def deadly(function):
    def touch(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), 9)
        return function(*args, **kwargs)
    return touch

def carry_out(path, other):
    quiet = Console(quiet=True)
    if command == "rebuild":
        store_salvage.rebuild(path, "test", datetime.now(UTC))
    elif command == "restore":
        assert store_commands.restore_backup(other, path.parent, quiet) == 0
    else:
        assert store_commands.write_backup(path, other, quiet) == 0

os.link, shutil.copyfile = deadly(os.link), deadly(shutil.copyfile)
for name in ("replace", "unlink", "touch", "write_text"):
    setattr(Path, name, deadly(getattr(Path, name)))
store_file._sync = deadly(store_file._sync)
for touches in range(1, int(sys.argv[3]) + 1):
    place = folder / str(touches)
    if (child := os.fork()) == 0:
        left[0] = touches
        carry_out(place / "gateway.db", place / "copy.db")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@asynccontextmanager
async def opened(path):
    store = await open_store(path)
    try:
        yield store
    finally:
        await store.close()


async def fill(path, *row_ids):
    async with opened(path) as store:
        events = [(n, SecurityEventOccurred(f"event-{n}", NOON)) for n in row_ids]
        await store.commit([Enqueue(OutboxRow(n, "station", event)) for n, event in events])
        await store.commit([SaveSlot(Slot(1, "CP-01", 1))])


async def how_it_ended(command, folder):
    """Carry out the command in each place, killed before one touch more of a file each time."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DYING, command, str(folder), str(MOST_TOUCHES)),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        said, _ = await process.communicate()
    return [int(line) for line in said.split()]


async def ids(path):
    async with opened(path) as store:
        return [row.id for row in await store.read_lane("station", 0, 1000)]


OLD, NEW = [1, 2, 3], [1, 2]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("rebuild", [OLD], id="a file made anew: every row, whenever it was killed"),
        pytest.param("restore", [OLD, NEW], id="a restore: the old file or the new"),
        pytest.param("backup", [OLD], id="a backup: the file is not touched"),
    ],
)
async def test_killed_before_any_touch_of_a_file_loses_nothing(tmp_path, command, expected):
    first = tmp_path / "1"
    first.mkdir()
    await fill(first / "gateway.db", *NEW)
    store_file.back_up(first / "gateway.db", first / "copy.db")
    before = (first / "copy.db").read_bytes()
    await fill(first / "gateway.db", 3)
    places = [tmp_path / str(touches) for touches in range(1, MOST_TOUCHES + 1)]
    for place in places[1:]:
        shutil.copytree(first, place)

    ends = await how_it_ended(command, tmp_path)

    through = ends.index(0)
    assert ends == [KILLED] * through + [0] * (MOST_TOUCHES - through)
    assert through > 3
    found = [await ids(place / "gateway.db") for place in places[: through + 1]]
    assert [rows for rows in found if rows not in expected] == []
    assert {tuple(rows) for rows in found} == {tuple(rows) for rows in expected}
    assert found[-1] == expected[-1]
    if command == "rebuild":
        for place in places:
            async with opened(place / "gateway.db") as store:
                is_new = (await store.load()).next_row_id > 1000
                assert not is_new or "damaged" in store.loss
    if command == "backup":
        for place in places:
            copy = place / "copy.db"
            assert copy.read_bytes() == before or await ids(copy) == OLD


def test_what_was_kept_aside_within_the_same_second_is_not_overwritten(tmp_path):
    path = tmp_path / "gateway.db"
    path.write_text("first")
    first = store_file.keep_aside(path, "replaced")
    assert store_file.keep_aside(path, "replaced") == first

    path.unlink()
    path.write_text("second")
    second = store_file.keep_aside(path, "replaced")

    assert (first.read_text(), second.read_text()) == ("first", "second")
