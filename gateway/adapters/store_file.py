"""The store's file: one owner, looked over, copied while in use, replaced whole or not at all.

Everything here blocks: it is called before the first station connects, or on a thread.

A file that takes the place of `gateway.db` is made beside it and is complete on disk, as
`gateway.db.next`, before anything of the old one is touched; `finish_replacement` at the next start
does what a power cut has left undone.
"""

import fcntl
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, count
from pathlib import Path
from typing import IO

from gateway.adapters import store_schema
from gateway.errors import StoreFailed
from gateway.records import StoreSize

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told pages done and pages in all."""

_CHECK_S = 0.3
"""How long the look over the file at start may take: start to listening is 1.5 s."""
_CHECK_EVERY = 10_000
"""SQLite virtual machine steps between two looks at the clock."""
_BUSY_MS = 2000
"""How long to wait for somebody else's write, e.g. a person's `sqlite3` shell."""
_WAL_KEPT_BYTES = 16 * 2**20
"""A longer write-ahead log is cut back to this after a checkpoint."""
_PAGES_PER_STEP = 1024
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_PREPARE = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA temp_store = MEMORY;
PRAGMA busy_timeout = {_BUSY_MS};
PRAGMA journal_size_limit = {_WAL_KEPT_BYTES};
"""


class Damaged(StoreFailed):
    """The file itself is broken: what can be read of it has to be put into a new one."""


def lock(path: Path) -> IO[str]:
    """Make this process the file's only gateway until the returned file is closed.

    The kernel releases the lock however the process ends. Raises `StoreFailed` if another has it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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


def lock_again(held: IO[str], path: Path) -> IO[str]:
    """Return the lock of a path whose lock file may have been deleted with everything else."""
    if os.fstat(held.fileno()).st_nlink > 0:
        return held
    anew = lock(path)
    held.close()
    return anew


def in_one_line(found: str) -> str:
    """Return what SQLite's check says, without its heading, as a log line holds it."""
    return " ".join(found.replace("*** in database main ***", "").split())


def is_damage(failure: BaseException | None) -> bool:
    """Whether SQLite says that the file itself is broken, not the disk, the caller or a value."""
    code = getattr(failure, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def prepare(connection: sqlite3.Connection) -> None:
    """Make commits durable, bring the schema up to date, look for damage.

    Raises `Damaged` for a broken file, `StoreFailed` for one that a newer version has written.
    """
    try:
        connection.executescript(_PREPARE)
        _look_over(connection)
        version = store_schema.version_of(connection)
        store_schema.refuse_newer(version)
        if 0 < version < store_schema.newest_version():
            _keep_as_before(connection, version)
        store_schema.migrate(connection)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise Damaged(str(error)) from error
        raise


def prepare_reader(connection: sqlite3.Connection) -> None:
    """Make a connection one that cannot change anything."""
    connection.executescript(f"PRAGMA busy_timeout = {_BUSY_MS}; PRAGMA query_only = ON;")


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open without changing a byte, also while a gateway runs."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def back_up(source: Path, target: Path, progress: Progress = lambda done, total: None) -> None:
    """Copy the store as it is at one instant to `target`, whole or not at all.

    Neither waits for writers nor holds them up. Replaces `target` only when the copy is on disk.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with closing(sqlite3.connect(source)) as live:
            # The open read transaction pins one instant: else every write starts the copy anew.
            live.execute("BEGIN")
            live.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            copy_pages(live, partial, progress)
            live.execute("ROLLBACK")
        partial.replace(target)
        _sync(target.parent)
    except FileNotFoundError as error:
        raise StoreFailed(
            f"backup to {target}: make the directory {target.parent} first"
        ) from error
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise StoreFailed(f"backup to {target}: {error}") from error


def copy_pages(live: sqlite3.Connection, target: Path, progress: Progress) -> None:
    """Copy page by page into the existing `target`; it is on disk when this returns."""

    def told(_: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=_PAGES_PER_STEP, progress=told)
        copy.execute("PRAGMA journal_mode = DELETE")
    _sync(target)


def size(connection: sqlite3.Connection, path: Path) -> StoreSize:
    """Measure the file and its disk."""
    [(page_bytes,)] = connection.execute("PRAGMA page_size").fetchall()
    [(pages,)] = connection.execute("PRAGMA page_count").fetchall()
    [(free_pages,)] = connection.execute("PRAGMA freelist_count").fetchall()
    wal = path.with_name(path.name + "-wal")
    wal_bytes = wal.stat().st_size if wal.exists() else 0
    return StoreSize(
        used_bytes=(pages - free_pages) * page_bytes + wal_bytes,
        spare_bytes=free_pages * page_bytes,
        disk_free_bytes=shutil.disk_usage(path.parent).free,
    )


def shrink(connection: sqlite3.Connection, pages: int, spared: int) -> bool:
    """Give some free pages back to the disk, all but `spared`; return whether more could go."""
    [(free,)] = connection.execute("PRAGMA freelist_count").fetchall()
    if free <= spared:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({min(pages, free - spared)})").fetchall()
    return bool(free - pages > spared)


# Replacing the file.


@contextmanager
def replacement(path: Path) -> Iterator[sqlite3.Connection]:
    """Give an empty file to fill; it takes the place of `path` at the end, unless that raises."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(partial)) as new:
            new.executescript("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = DELETE;")
            yield new
        _sync(partial)
        partial.replace(_next(path))
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)
    finish_replacement(path)


def finish_replacement(path: Path) -> None:
    """Let a complete `gateway.db.next` take its place; nothing to do where there is none."""
    if _next(path).exists():
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        _next(path).replace(path)
        _sync(path.parent)


def keep_aside(path: Path, word: str) -> Path | None:
    """Give the file, with what is not yet checkpointed, a second name; None: there is no file."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    aside = path.with_name(f"{path.name}.{word}")
    if aside.exists() and aside.samefile(path):
        return aside  # what came after was cut off, and is tried again within the second
    aside = _free(aside)
    wal, wal_aside = (one.with_name(one.name + "-wal") for one in (path, aside))
    try:
        if wal.exists():
            shutil.copyfile(wal, wal_aside)
        try:
            os.link(path, aside)
        except OSError:  # a file system without links
            shutil.copyfile(path, aside)
        _sync(path.parent)
    except OSError:
        for half in (aside, wal_aside):
            half.unlink(missing_ok=True)
        raise
    return aside


def _free(path: Path) -> Path:
    """Return the path, numbered if there is such a file: what was kept is never overwritten."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(found for found in chain([path], numbered) if not found.exists())


def _next(path: Path) -> Path:
    return path.with_name(path.name + ".next")


def inode_of(path: Path) -> int | None:
    """Return which file stands at the path; None: none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def write_again(live: sqlite3.Connection, path: Path) -> None:
    """Write the file anew from the connection that still has it open, though it was deleted.

    What somebody has put there instead is kept aside.
    """
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.touch(mode=0o600)
    copy_pages(live, partial, lambda done, total: None)
    keep_aside(path, "put-here-while-running")
    partial.replace(_next(path))
    finish_replacement(path)


# Damage.


def report_of(path: Path) -> Path:
    """Return the text file that tells what was lost; a person removes it once it is read."""
    return path.with_name(path.name + ".damaged.txt")


def loss_told(path: Path) -> str | None:
    """Return in one line what was lost when the file was last made anew; None: nothing to tell."""
    try:
        return report_of(path).read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return None


def is_missing(path: Path) -> bool:
    """Whether a gateway has run here, and its file is gone or empty."""
    is_empty = not path.exists() or path.stat().st_size == 0
    return is_empty and path.with_name(path.name + ".lock").exists()


def _keep_as_before(connection: sqlite3.Connection, version: int) -> None:
    """Copy the file beside itself before a migration: for whoever must go back to the old program.

    Without room for it the migration goes on: it is carried out whole or not at all.
    """
    query = "SELECT file FROM pragma_database_list WHERE name = 'main'"
    [(name,)] = connection.execute(query).fetchall()
    target = Path(name).with_name(f"{Path(name).name}.schema-{version}")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        copy_pages(connection, partial, lambda done, total: None)
        partial.replace(target)
        log.info("store.kept_as_before schema=%d file=%s", version, target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        log.warning('store.not_kept_as_before schema=%d reason="%s"', version, error)


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
        raise Damaged(in_one_line(found))


def _sync(path: Path) -> None:
    """Have the file, or the names in a directory, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
