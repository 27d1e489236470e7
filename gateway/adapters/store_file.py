"""The store's file: one owner, its schema brought up to date, looked over, copied while in use.

Everything here blocks: it is called before the first station connects, or on a thread.
"""

import fcntl
import logging
import os
import sqlite3
import time
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import IO

from gateway.errors import StoreFailed

log = logging.getLogger(__name__)

_CHECK_S = 0.3
"""How long the look over the file at start may take: start to listening is 1.5 s."""
_CHECK_EVERY = 10_000
"""SQLite virtual machine steps between two looks at the clock."""
_BUSY_MS = 2000
"""How long to wait for somebody else's write, e.g. a person's `sqlite3` shell."""
_WAL_KEPT_BYTES = 16 * 2**20
"""A longer write-ahead log is cut back to this after a checkpoint."""
_PAGES_PER_STEP = 1024

_PREPARE = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA temp_store = MEMORY;
PRAGMA busy_timeout = {_BUSY_MS};
PRAGMA journal_size_limit = {_WAL_KEPT_BYTES};
"""


def lock(path: Path) -> IO[str]:
    """Make this process the file's only gateway until the returned file is closed.

    The kernel releases the lock however the process ends. Raises `StoreFailed` if another has it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Tokens are in it: not for every user of the machine.
        path.touch(mode=0o600)
        held = path.with_name(path.name + ".lock").open("a+", encoding="ascii")
    except OSError as error:
        raise StoreFailed(f"cannot open the data file {path}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.seek(0)
        owner = held.read().strip() or "unknown"
        held.close()
        raise StoreFailed(f"{path} is in use by another gateway (process {owner})") from error
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def prepare(connection: sqlite3.Connection) -> None:
    """Make commits durable, bring the schema up to date, look for damage.

    Raises `StoreFailed` for a damaged file, or one that a newer version has written.
    """
    connection.executescript(_PREPARE)
    _look_over(connection)
    _migrate(connection)


def prepare_reader(connection: sqlite3.Connection) -> None:
    """Make a connection one that cannot change anything."""
    connection.executescript(f"PRAGMA busy_timeout = {_BUSY_MS}; PRAGMA query_only = ON;")


def back_up(source: Path, target: Path) -> None:
    """Copy the store as it is at one instant to `target`, whole or not at all.

    Neither waits for writers nor holds them up. Replaces `target` only when the copy is on disk.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(partial)) as copy:
            # The open read transaction pins one instant: else every write starts the copy anew.
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            live.backup(copy, pages=_PAGES_PER_STEP)
            live.execute("ROLLBACK")
            copy.execute("PRAGMA journal_mode = DELETE")
        partial.replace(target)
        _sync_directory(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise StoreFailed(f"backup to {target}: {error}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look_over(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_EVERY)
    try:
        [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        log.info("store.check seconds=%.1f result=unfinished", _CHECK_S)
        return
    finally:
        connection.set_progress_handler(None, 0)
    if found != "ok":
        raise StoreFailed(f"the data file is damaged: {found}")


def _migrate(connection: sqlite3.Connection) -> None:
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    migrations = _migrations()
    newest = migrations[-1][0]
    if version > newest:
        raise StoreFailed(
            f"the data file has schema {version}, this version knows up to {newest}: "
            "it was written by a newer one"
        )
    for number, sql in migrations:
        if number > version:
            connection.executescript(
                f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {number}; COMMIT;"
            )
            log.info("store.migrated from=%d to=%d", version, number)


def _migrations() -> list[tuple[int, str]]:
    """Return number and SQL of every `NNNN_name.sql`, in order."""
    folder = files("gateway.adapters") / "migrations"
    return sorted(
        (int(script.name.split("_")[0]), script.read_text(encoding="utf-8"))
        for script in folder.iterdir()
        if script.name.endswith(".sql")
    )
