"""Copies of the store: made while it is in use, looked over in full, the newest few kept.

The full integrity check runs on the copy: page by page the same, and nobody waits for it, as a
check of the file itself would hold up its write-ahead log. A copy that is not sound is no backup:
it never pushes out an older one. Everything here blocks, on a thread of its own.
"""

import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from gateway.adapters import store_file
from gateway.errors import StoreFailed

_NAME = "gateway-%Y%m%dT%H%M%SZ.db"
_RESERVE_BYTES = 50_000_000
"""Of the disk, for the outbox and everybody else: no copy at their expense."""
_STEPS_AT_ONCE = 100_000
_REST_S = 0.005
"""The check gives way to whoever answers stations, after so many steps of SQLite's machine."""


def keep_copy(path: Path, folder: Path, kept: int, at: datetime) -> Path:
    """Add a sound copy to `folder`, and remove all but the newest `kept`; return the copy.

    Raises `store_file.Damaged` when the store itself turns out to be broken, else `StoreFailed`.
    """
    target = folder / at.strftime(_NAME)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        needed = path.stat().st_size + _RESERVE_BYTES
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreFailed(f"backup to {folder}: {error.strerror}") from error
    if free < needed:
        raise StoreFailed(
            f"backup to {folder}: {free / 1e6:.0f} MB free, {needed / 1e6:.0f} MB needed"
        )
    store_file.back_up(path, target)
    if (found := verdict(target)) != "ok":
        target.unlink(missing_ok=True)
        raise store_file.Damaged(found)
    for old in _copies(folder)[:-kept]:
        old.unlink(missing_ok=True)
    return target


def newest_at(folder: Path) -> datetime | None:
    """Return when the newest copy was made, by its name; None: there is none."""
    copies = _copies(folder)
    return datetime.strptime(copies[-1].name, _NAME).replace(tzinfo=UTC) if copies else None


def verdict(path: Path) -> str:
    """Return `ok`, or the first thing a full check finds; gives way to others as it goes."""
    try:
        with closing(store_file.open_to_read(path)) as connection:
            connection.set_progress_handler(_rest, _STEPS_AT_ONCE)
            [(found,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        return str(error)
    return store_file.in_one_line(found)


def _rest() -> None:
    time.sleep(_REST_S)


def _copies(folder: Path) -> list[Path]:
    """Return the copies in the order they were made; nothing else that lies there."""
    found = []
    for path in sorted(folder.glob("gateway-*.db")):
        try:
            datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append(path)
    return found
