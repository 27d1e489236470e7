"""The journal and its way to the disk: together, now and then, beside everything billable.

Handed the store; owns no file and no clock. `now` monotonic seconds, instants aware UTC.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gateway.errors import StoreFailed
from gateway.journal import KEPT_S, MOMENT_S, Journal, JournalEntry, JournalOf
from gateway.writes import AppendJournal, ForgetJournal, SaveQuarter, Write
from load_balancer.inputs import EvseKey
from load_balancer.limiters.quarter_hour import QuarterEnergy

WRITTEN_EVERY_S = 5.0
FORGOTTEN_EVERY_S = 600.0
MOST_ROWS = 10_000
"""Most entries in one answer."""


class JournalShelf(Protocol):
    """What is read from the store."""

    async def journal(
        self, since: datetime, until: datetime, of: JournalOf, limit: int
    ) -> list[JournalEntry]:
        """Return the newest entries of [since, until), oldest first."""

    async def journal_before(self, at: datetime, of: JournalOf) -> list[JournalEntry]:
        """Return for each EVSE the last entry that is not after an instant."""


@dataclass(slots=True)
class JournalBook:
    journal: Journal
    shelf: JournalShelf
    commit: Callable[[Sequence[Write]], Awaitable[None]]
    quarters: Callable[[], list[QuarterEnergy]]
    """What the tariffs' quarters have used: it goes to disk with the journal."""
    _written_at: float = field(default=float("-inf"))
    _forgotten_at: float = field(default=float("-inf"))

    def is_due(self, now: float) -> bool:
        return now - self._written_at >= WRITTEN_EVERY_S

    async def write(self, now: float, at: datetime) -> None:
        """Bring to disk what is not there yet; what it refuses is tried again later."""
        self._written_at = now
        writes: list[Write] = [SaveQuarter(quarter) for quarter in self.quarters()]
        if now - self._forgotten_at >= FORGOTTEN_EVERY_S:
            self._forgotten_at = now
            writes.append(ForgetJournal(at - timedelta(seconds=KEPT_S)))
        entries = self.journal.take()
        if entries:
            writes.append(AppendJournal(tuple(entries)))
        if not writes:
            return
        try:
            await self.commit(writes)
        except StoreFailed:
            self.journal.put_back(entries)  # the store has said why, once

    async def between(
        self, since: datetime, until: datetime, of: JournalOf, limit: int
    ) -> list[JournalEntry]:
        """Return the newest entries of [since, until), oldest first."""
        await self._write_now()
        return await self.shelf.journal(since, until, of, limit)

    async def at(self, at: datetime, of: JournalOf) -> list[JournalEntry]:
        """Return what held at an instant, and what changed in the minute after it."""
        await self._write_now()
        held = await self.shelf.journal_before(at, of)
        after = at + timedelta(microseconds=1)
        until = at + timedelta(seconds=MOMENT_S)
        changed = await self.shelf.journal(after, until, of, MOST_ROWS)
        return held + changed

    async def highest_since(self, since: datetime, until: datetime) -> dict[EvseKey, float]:
        """Return the highest limit that each EVSE had within [since, until), A."""
        of = JournalOf()
        entries = await self.shelf.journal_before(since, of)
        entries += await self.shelf.journal(since, until, of, MOST_ROWS)
        highest_a: dict[EvseKey, float] = {}
        for entry in entries:
            highest_a[entry.key] = max(entry.to_a, highest_a.get(entry.key, 0.0))
        return highest_a

    async def _write_now(self) -> None:
        entries = self.journal.take()
        try:
            # Even of nothing: what a round has handed over a moment ago is on disk before it.
            await self.commit([AppendJournal(tuple(entries))])
        except StoreFailed:
            self.journal.put_back(entries)
