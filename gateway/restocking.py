"""Bringing the outbox's rows from the store: all counted at the start, few held at a time.

Short orchestration, handed what it awaits.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.errors import StoreFailed
from gateway.kept import Kept
from gateway.outbox import Outbox
from gateway.records import LaneBacklog, OutboxRow, QuarantinedRow


class Shelves(Protocol):
    """The store, as far as the outbox reads it."""

    async def lanes(self) -> list[LaneBacklog]: ...

    async def quarantined(self) -> list[QuarantinedRow]: ...

    async def read_lane(self, lane: str, after_id: int, limit: int) -> Sequence[OutboxRow]: ...


@dataclass(slots=True)
class Restocking:
    outbox: Outbox
    shelves: Shelves
    problem: Callable[[str, str], None]
    """Sets, or with an empty reason clears, why the site is degraded."""
    settle_down: Callable[[], Awaitable[None]]
    """Commits that the cloud has confirmed what it has: it is not counted again."""
    _is_due: bool = False
    _unreadable: set[str] = field(default_factory=set)

    async def restore(self, kept: Kept | None = None) -> None:
        """Count what waits: at the start, `kept` is given, and again after the disk has failed.

        To be called while nothing is in flight.
        """
        self.outbox.restoring()
        quarantined = len(await self.shelves.quarantined())
        lanes = await self.shelves.lanes()
        next_row_id = kept.next_row_id if kept else None
        self.outbox.restore(lanes, quarantined=quarantined, next_row_id=next_row_id)
        self._is_due = False
        for lane in self._unreadable:
            self.problem(f"lane.{lane}", "")
        self._unreadable.clear()

    def restore_soon(self) -> None:
        """Count again before anything else leaves: the file is another than it was."""
        self._is_due = True

    async def refill(self) -> None:
        """Give the outbox what it asks for; called while nothing is in flight."""
        if self._is_due:
            await self.settle_down()
            await self.restore()
        for ask in self.outbox.needs_refill():
            try:
                rows = await self.shelves.read_lane(*ask)
            except StoreFailed as error:
                # That lane waits until the file is mended; the others go on.
                self._unreadable.add(ask.lane)
                self.problem(f"lane.{ask.lane}", f"lane {ask.lane} is unreadable: {error}")
                self.outbox.unreadable(ask)
            else:
                self.outbox.refill(ask, rows)
