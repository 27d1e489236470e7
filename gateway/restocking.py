"""Bringing the outbox's rows from the store: all counted at the start, few held at a time.

Short orchestration, handed what it awaits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import StoreFailed
from gateway.outbox import Outbox
from gateway.records import Kept, LaneBacklog, OutboxRow, QuarantinedRow


class Shelves(Protocol):
    """The store, as far as the outbox reads it."""

    async def load(self) -> Kept: ...

    async def lanes(self) -> list[LaneBacklog]: ...

    async def quarantined(self) -> list[QuarantinedRow]: ...

    async def read_lane(self, lane: str, after_id: int, limit: int) -> Sequence[OutboxRow]: ...


@dataclass(frozen=True, slots=True)
class Restocking:
    outbox: Outbox
    shelves: Shelves
    problem: Callable[[str, str], None]
    """Sets, or with an empty reason clears, why the site is degraded."""

    async def restore(self, kept: Kept | None = None) -> None:
        """Count what waits: at the start, and again after the disk has failed."""
        kept = kept or await self.shelves.load()
        self.outbox.restore(
            await self.shelves.lanes(),
            quarantined=len(await self.shelves.quarantined()),
            next_row_id=kept.next_row_id,
        )

    async def refill(self) -> None:
        """Give the outbox what it asks for."""
        for ask in self.outbox.needs_refill():
            try:
                rows = await self.shelves.read_lane(*ask)
            except StoreFailed as error:
                # That lane waits for a person; the others go on.
                self.problem(f"lane.{ask.lane}", f"lane {ask.lane} is unreadable: {error}")
                rows = []
            self.outbox.refill(ask, rows)
