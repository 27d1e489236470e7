"""Everything the gateway must still know after a power cut, in one SQLite file.

Durability promise: when `commit` returns, its writes are on disk (`journal_mode=WAL`,
`synchronous=FULL`), all of them or, when it raises, none. A station is answered only after
that, so a message it believes delivered is never lost; the cloud may see one twice.

One task commits whatever is waiting in one transaction and one hop to the SQLite thread; a
second connection reads, so that nobody's page delays a station's answer. Every function raises
`StoreFailed`. Whoever cannot store, must not answer.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Concatenate, NamedTuple, ParamSpec, TypeVar

import aiosqlite

from gateway.adapters import (
    store_backups,
    store_dimming,
    store_file,
    store_journal,
    store_journeys,
    store_reads,
    store_salvage,
)
from gateway.adapters.store_statements import Statement
from gateway.adapters.store_writes import gathered, statements
from gateway.errors import StoreFailed
from gateway.journal import JournalEntry, JournalOf
from gateway.journey import Journey
from gateway.kept import Kept
from gateway.records import (
    LaneBacklog,
    OutboxRow,
    QuarantinedRow,
    QuarantineEdit,
    StoreSize,
    Transaction,
)
from gateway.writes import Write
from load_balancer.limiters.dimming import DimmingEvidence

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_Failure = sqlite3.Error | ValueError | OverflowError | OSError | StoreFailed
"""What SQLite raises: for the disk, for a value it cannot hold, for an integer beyond 64 bits;
and what opening the file anew raises."""
_FAILURES = (sqlite3.Error, ValueError, OverflowError)


_LOOK_S = 5.0
"""How often an idle store looks whether its file is still there, and a failing one whether the
disk is back."""
_SHRINK_PAGES = 64
_SPARED_PAGES = 1024
"""4 MB stay free inside the file: growing anew costs time too."""
_PROBE: Statement = ("UPDATE local_list_version SET version = version", ())
"""A write that changes nothing: does the disk take it?"""
_OF_THE_DISK = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
"""After these the file is opened anew: it may be another disk."""


class _Waiting(NamedTuple):
    """One caller of `commit`."""

    writes: Sequence[Write]
    statements: list[Statement]
    done: asyncio.Future[None]


class _Opened(NamedTuple):
    """The two connections, and which file they have opened."""

    writer: aiosqlite.Connection
    reader: aiosqlite.Connection
    inode: int | None


async def open_store(path: str | Path) -> "Store":
    """Open the store, made and brought up to date where needed, and own it until `close`.

    A damaged file is replaced by one with everything that can be read of it. Raises `StoreFailed`
    when another process owns it, a newer version has written it, or it cannot be written.
    """
    path = Path(path)
    is_missing = store_file.is_missing(path)
    lock = store_file.lock(path)
    try:
        with _as_store_failed(f"cannot open {path}"):
            await asyncio.to_thread(store_file.finish_replacement, path)
            if is_missing and store_file.is_missing(path):
                raise store_file.Damaged("it was gone, or empty")
            opened = await _opened(path)
    except store_file.Damaged as damage:
        try:
            opened = await _rebuilt(path, str(damage))
        except BaseException:
            lock.close()
            raise
    except BaseException:
        lock.close()
        raise
    return Store(path, lock, opened)


async def _rebuilt(path: Path, reason: str) -> _Opened:
    await asyncio.to_thread(store_salvage.rebuild, path, reason, datetime.now(UTC))
    with _as_store_failed(f"cannot open {path}"):
        return await _opened(path)


async def _opened(path: Path) -> _Opened:
    """Open both connections or none."""
    await asyncio.to_thread(path.touch, 0o600)  # tokens are in it: not for every user
    writer = await _connected(path, store_file.prepare)
    try:
        reader = await _connected(path, store_file.prepare_reader)
    except BaseException:
        await writer.close()
        raise
    return _Opened(writer, reader, await asyncio.to_thread(store_file.inode_of, path))


async def _connected(
    path: Path, prepare: Callable[[sqlite3.Connection], None]
) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        await _on_thread(connection, prepare)
    except BaseException:
        await connection.close()
        raise
    return connection


class Store:
    """The open file. Made by `open_store`, within a running event loop."""

    def __init__(self, path: Path, lock: IO[str], opened: _Opened) -> None:
        self.commits = 0
        """Batches written since it was opened: far fewer than calls when many are waiting."""
        self.committed: Callable[[Sequence[Write]], None] = lambda writes: None
        """Told every caller's writes once they are on disk, in the order of commits, before the
        caller goes on, and even when it was cancelled meanwhile. The place to tell the outbox of
        its rows: one it never hears of is not sent before the next start."""
        self.failure: str | None = None
        """Why the last batch could not be written; None: it was."""
        self.remade: Callable[[], None] = lambda: None
        """Told when a damaged file has been replaced while we ran: what memory still knows may be
        written again."""
        self._path = path
        self._lock = lock
        self._writer, self._reader, self._inode = opened
        self._damage: str | None = None
        """Why the file must be made anew before the next write; None: it is sound."""
        self._must_reopen = False
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._is_closing = False
        self._writing = asyncio.create_task(self._write_what_waits(), name="store")

    async def commit(self, writes: Sequence[Write]) -> None:
        """Carry out all of `writes` or none; they are on disk when this returns.

        Calls take effect, and return, in the order they were made. One that fails raises
        `StoreFailed` and leaves the others alone. The writes of a call that is cancelled while
        it waits are carried out all the same.
        """
        if self._is_closing or self._writing.done():
            raise StoreFailed("the store is closed")
        done = asyncio.get_running_loop().create_future()
        try:
            self._queue.append(_Waiting(writes, statements(writes), done))
        except (ValueError, TypeError) as error:
            raise StoreFailed(f"cannot be written: {error}") from error
        self._wake.set()
        await done

    @property
    def loss(self) -> str | None:
        """What was lost with a damaged file, in one line, until a person has taken note."""
        return store_file.loss_told(self._path)

    async def load(self) -> Kept:
        """Return everything the program starts from."""
        return await self._read(store_reads.load)

    async def read_lane(self, lane: str, after_id: int, limit: int) -> list[OutboxRow]:
        """Return up to `limit` rows of a lane in order, only those with a higher id."""
        return await self._read(store_reads.lane_rows, lane, after_id, limit)

    async def lanes(self) -> list[LaneBacklog]:
        """Return every lane that holds a row, the one with the oldest row first."""
        return await self._read(store_reads.lane_backlogs)

    async def has_rows_of(self, transaction: int | None) -> bool:
        """Return whether anything of a transaction waits in the outbox; None: of any."""
        return await self._read(store_reads.has_rows_of, transaction)

    async def quarantined(self) -> list[QuarantinedRow]:
        """Return every quarantined row in order of acceptance."""
        return await self._read(store_reads.quarantined_rows)

    async def transactions(self, since: datetime, until: datetime) -> list[Transaction]:
        """Return the transactions that started in [since, until), in order of their start."""
        return await self._read(store_reads.transactions_between, since, until)

    async def journey(self, number: int) -> Journey | None:
        """Return a transaction with what became of its messages; None: no such number."""
        return await self._read(store_reads.journey, number)

    async def journal(
        self, since: datetime, until: datetime, of: JournalOf, limit: int
    ) -> list[JournalEntry]:
        """Return the newest entries of [since, until), oldest first; None: of all."""
        return await self._read(store_journal.between, since, until, of, limit)

    async def journal_before(self, at: datetime, of: JournalOf) -> list[JournalEntry]:
        """Return for each EVSE the last entry that is not after an instant."""
        return await self._read(store_journal.before, at, of)

    async def dimming_evidence(self, since: datetime, until: datetime) -> list[DimmingEvidence]:
        """Return the grid operator's evidence of [since, until), oldest first."""
        return await self._read(store_dimming.evidence, since, until)

    async def quarantine_edits(self, row_id: int) -> list[QuarantineEdit]:
        """Return how people have changed a quarantined row, the first change first."""
        return await self._read(store_journeys.edits, row_id)

    async def backup(self, target: str | Path) -> None:
        """Copy the store as it is at one instant; `target` is replaced whole or not at all."""
        await asyncio.to_thread(store_file.back_up, self._path, Path(target))

    async def newest_copy_at(self, folder: str) -> datetime | None:
        """Return when the newest copy in `folder` was made; None: there is none."""
        return await asyncio.to_thread(store_backups.newest_at, self._path.parent / folder)

    async def look_over(self, folder: str, kept: int, at: datetime) -> str:
        """Check all of the store, on a copy that becomes the newest of the `kept` in `folder`.

        A relative folder lies beside the file. Returns a log line. With 0 kept the file itself is
        checked. What is found damaged is made anew at once. Raises `StoreFailed`.
        """
        try:
            if kept == 0:
                found = await asyncio.to_thread(store_backups.verdict, self._path)
                if found != "ok":
                    raise store_file.Damaged(found)
                return "store.checked result=ok"
            place = self._path.parent / folder
            copy = await asyncio.to_thread(store_backups.keep_copy, self._path, place, kept, at)
        except store_file.Damaged as error:
            self._damage = str(error)
            self._wake.set()
            raise
        return f"backup.made file={copy}"

    async def size(self) -> StoreSize:
        """Measure the file and its disk."""
        return await self._read(store_file.size, self._path)

    async def shrink(self) -> bool:
        """Give a little of what is free inside the file back to the disk; return whether there
        is more: to be asked again after a breath, so that no answer is delayed."""
        with _as_store_failed("cannot shrink"):
            return await _on_thread(self._writer, store_file.shrink, _SHRINK_PAGES, _SPARED_PAGES)

    async def close(self) -> None:
        """Write what is still waiting, then let go of the file. A second time is harmless."""
        self._is_closing = True
        self._wake.set()
        await asyncio.wait([self._writing])
        await self._reader.close()
        await self._writer.close()
        self._lock.close()

    async def _read(
        self,
        read: Callable[Concatenate[sqlite3.Connection, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        try:
            with _as_store_failed("cannot be read"):
                return await _on_thread(self._reader, read, *args, **kwargs)
        except StoreFailed as error:
            if store_file.is_damage(error.__cause__):
                self._damage = str(error.__cause__)
                self._wake.set()
            raise

    async def _write_what_waits(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._queue or not self._is_closing:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._wake.wait()
                self._wake.clear()
                batch, self._queue = self._queue, []
                await self._write(batch)
        finally:
            for waiting in (*batch, *self._queue):
                _settle(waiting, sqlite3.ProgrammingError("the store has stopped"))

    async def _write(self, batch: list[_Waiting]) -> None:
        """Write what waits; where nothing does, look whether it could be written."""
        groups = [waiting.statements for waiting in batch]
        outcomes = await self._tried(groups or [[_PROBE] if self.failure else []])
        damaged = [n for n, failure in enumerate(outcomes) if store_file.is_damage(failure)]
        if damaged:
            self._damage = str(outcomes[damaged[0]])
            again = await self._tried([groups[n] for n in damaged] if batch else [[]])
            for n, failure in zip(damaged, again, strict=True):
                outcomes[n] = failure
        self.commits += bool(batch)
        for waiting, outcome in zip(batch, outcomes, strict=False):
            if outcome is None:
                self.committed(waiting.writes)
            _settle(waiting, outcome)
        self._note(next((failure for failure in outcomes if failure is not None), None))

    async def _tried(self, groups: list[list[Statement]]) -> list[_Failure | None]:
        """Commit the groups, to a file that is opened anew or mended first if it has to be."""
        try:
            if self._must_reopen or self._damage is not None:
                await self._open_again()
            outcomes = await _on_thread(
                self._writer, _commit_there, self._path, self._inode, groups
            )
            if outcomes is None:
                await self._open_again()
                outcomes = await _on_thread(self._writer, _commit_batch, groups)
        except (*_FAILURES, OSError, StoreFailed) as error:
            outcomes = [error] * len(groups)
        self._must_reopen |= any(map(_is_of_the_disk, outcomes))
        return outcomes

    async def _open_again(self) -> None:
        """Let go of the file, make it anew where it is damaged, and open it."""
        self._must_reopen = True
        self._lock = store_file.lock_again(self._lock, self._path)
        await self._reader.close()
        await self._writer.close()
        if self._damage is None:
            opened = await _opened(self._path)
        else:
            opened = await _rebuilt(self._path, self._damage)
        self._writer, self._reader, self._inode = opened
        self._must_reopen = False
        if self._damage is not None:
            self._damage = None
            self.remade()

    def _note(self, failure: _Failure | None) -> None:
        """Log when writing begins to fail, and when it works again, once each."""
        reason = None if failure is None else str(failure)
        if reason is not None and self.failure is None:
            log.error('store.failed reason="%s" action="nothing is acknowledged"', reason)
        elif reason is None and self.failure is not None:
            log.info("store.back")
        self.failure = reason


def _settle(waiting: _Waiting, failure: _Failure | None) -> None:
    if waiting.done.done():
        return
    if failure is None:
        waiting.done.set_result(None)
    else:
        error = StoreFailed(f"not written: {failure}")
        error.__cause__ = failure
        waiting.done.set_exception(error)


@contextmanager
def _as_store_failed(what: str) -> Iterator[None]:
    try:
        yield
    except (*_FAILURES, OSError) as error:
        raise StoreFailed(f"{what}: {error}") from error


async def _on_thread(
    connection: aiosqlite.Connection,
    function: Callable[Concatenate[sqlite3.Connection, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a whole function on the connection's thread, in one hop.

    aiosqlite offers a hop per statement only; this is the one place that reaches behind it.
    """
    result: R = await connection._execute(  # type: ignore[no-untyped-call]  # see above
        function, connection._conn, *args, **kwargs
    )
    return result


def _commit_there(
    connection: sqlite3.Connection, path: Path, inode: int | None, groups: list[list[Statement]]
) -> list[_Failure | None] | None:
    """Commit as `_commit_batch`; None: the file was taken away, and is there anew to be opened."""
    if store_file.inode_of(path) == inode:
        return _commit_batch(connection, groups)
    log.error('store.file_taken path=%s action="written anew"', path)
    store_file.write_again(connection, path)
    return None


def _commit_batch(
    connection: sqlite3.Connection, groups: list[list[Statement]]
) -> list[_Failure | None]:
    """Commit every caller's group and return, for each, why it was not written.

    All together in one transaction; if that fails each alone, so that one cannot hurt another.
    What it raises itself is that not even a rollback was possible: nothing was written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        for sql, parameters in gathered(groups):
            connection.execute(sql, parameters)
        connection.execute("COMMIT")
    except _FAILURES as failure:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if len(groups) == 1 or _is_busy(failure):
            return [failure] * len(groups)
        return [outcome for group in groups for outcome in _commit_batch(connection, [group])]
    return [None] * len(groups)


def _is_busy(failure: _Failure) -> bool:
    """Whether somebody else holds the file: to try each alone would wait for each."""
    return getattr(failure, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def _is_of_the_disk(failure: _Failure | None) -> bool:
    """Whether the connection may be of a disk that is no more: gone, read-only, unreadable."""
    code = getattr(failure, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _OF_THE_DISK
