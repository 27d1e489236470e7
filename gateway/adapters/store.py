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
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Concatenate, NamedTuple, ParamSpec, TypeVar

import aiosqlite

from gateway.adapters import store_file, store_reads
from gateway.adapters.store_writes import Statement, gathered, statements
from gateway.errors import StoreFailed
from gateway.journey import Journey
from gateway.records import Kept, LaneBacklog, OutboxRow, QuarantinedRow, Transaction, Write

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_Failure = sqlite3.Error | ValueError | OverflowError
"""What SQLite raises: for the disk, for a value it cannot hold, for an integer beyond 64 bits."""
_FAILURES = (sqlite3.Error, ValueError, OverflowError)


class _Waiting(NamedTuple):
    """One caller of `commit`."""

    writes: Sequence[Write]
    statements: list[Statement]
    done: asyncio.Future[None]


async def open_store(path: str | Path) -> "Store":
    """Open the store, made and brought up to date where needed, and own it until `close`.

    Raises `StoreFailed` when another process owns it, it is damaged, or cannot be written.
    """
    path = Path(path)
    lock = store_file.lock(path)
    opened: list[aiosqlite.Connection] = []
    try:
        for prepare in (store_file.prepare, store_file.prepare_reader):
            opened.append(await aiosqlite.connect(path, isolation_level=None))
            await _on_thread(opened[-1], prepare)
    except BaseException as error:
        for connection in opened:
            await connection.close()
        lock.close()
        if isinstance(error, sqlite3.Error):
            raise StoreFailed(f"cannot open {path}: {error}") from error
        raise
    return Store(path, lock, *opened)


class Store:
    """The open file. Made by `open_store`, within a running event loop."""

    def __init__(
        self,
        path: Path,
        lock: IO[str],
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
    ) -> None:
        self.commits = 0
        """Batches written since it was opened: far fewer than calls when many are waiting."""
        self.committed: Callable[[Sequence[Write]], None] = lambda writes: None
        """Told every caller's writes once they are on disk, in the order of commits, before the
        caller goes on, and even when it was cancelled meanwhile. The place to tell the outbox of
        its rows: one it never hears of is not sent before the next start."""
        self.failure: str | None = None
        """Why the last batch could not be written; None: it was."""
        self._path = path
        self._lock = lock
        self._writer = writer
        self._reader = reader
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

    async def load(self) -> Kept:
        """Return everything the program starts from."""
        return await self._read(store_reads.load)

    async def read_lane(self, lane: str, after_id: int, limit: int) -> list[OutboxRow]:
        """Return up to `limit` rows of a lane in order, only those with a higher id."""
        return await self._read(store_reads.lane_rows, lane, after_id, limit)

    async def lanes(self) -> list[LaneBacklog]:
        """Return every lane that holds a row, the one with the oldest row first."""
        return await self._read(store_reads.lane_backlogs)

    async def quarantined(self) -> list[QuarantinedRow]:
        """Return every quarantined row in order of acceptance."""
        return await self._read(store_reads.quarantined_rows)

    async def transactions(self, since: datetime, until: datetime) -> list[Transaction]:
        """Return the transactions that started in [since, until), in order of their start."""
        return await self._read(store_reads.transactions_between, since, until)

    async def journey(self, number: int) -> Journey | None:
        """Return a transaction with what became of its messages; None: no such number."""
        return await self._read(store_reads.journey, number)

    async def backup(self, target: str | Path) -> None:
        """Copy the store as it is at one instant; `target` is replaced whole or not at all."""
        await asyncio.to_thread(store_file.back_up, self._path, Path(target))

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
        with _as_store_failed("cannot be read"):
            return await _on_thread(self._reader, read, *args, **kwargs)

    async def _write_what_waits(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._queue or not self._is_closing:
                await self._wake.wait()
                self._wake.clear()
                batch, self._queue = self._queue, []
                if batch:
                    await self._write(batch)
        finally:
            for waiting in (*batch, *self._queue):
                _settle(waiting, sqlite3.ProgrammingError("the store has stopped"))

    async def _write(self, batch: list[_Waiting]) -> None:
        outcomes: list[_Failure | None]
        try:
            outcomes = await _on_thread(self._writer, _commit_batch, [w.statements for w in batch])
        except _FAILURES as error:
            outcomes = [error] * len(batch)
        self.commits += 1
        for waiting, failure in zip(batch, outcomes, strict=True):
            if failure is None:
                self.committed(waiting.writes)
            _settle(waiting, failure)
        self._note(next((failure for failure in outcomes if failure is not None), None))

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
    except _FAILURES as error:
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
