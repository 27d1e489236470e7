"""How full the store is, who is told, and when meter values are thinned.

Rows, bytes and age each have a bound in the site file, and the disk has an end; the fullest of the
four counts. From 70 % on it is a health reason. From 90 % on, while the cloud is away, and at 100 %
in any case, `thinning` halves the samples that wait, the longest lane first, until 80 % is left.
What is billed is accepted whatever the bounds say, until the disk itself refuses.

`Fill` is pure; `StorageKeeping` is short orchestration, handed what it awaits.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from gateway.errors import StoreFailed
from gateway.outbox import Depth
from gateway.parts import Parts
from gateway.records import LaneBacklog, OutboxRow, StoreSize
from gateway.thinning import LaneThinning
from gateway.writes import Thin, Write
from site_config.model import Storage

ALARM_FROM, ALARM_TO = 0.70, 0.65
THIN_FROM, THIN_TO = 0.90, 0.80
RESERVE_BYTES = 50_000_000
"""Of the disk, for everybody else on the machine."""
PAGE_ROWS = 500
BREATH_S = 0.05
"""Between two pages, so that stations are answered meanwhile."""
SHRINK_STEPS, SHRINK_APART_S = 40, 0.2
"""After a backlog the file shrinks by about 1 MB a second: every step is a commit."""
LOOK_S = 10.0
IN_VAIN_S = 3600.0
"""After a pass that found nothing to thin."""
MB = 1_000_000


class Fill(NamedTuple):
    """The fullest of the bounds."""

    share: float
    """1: reached."""
    what: str

    @classmethod
    def of(cls, bounds: Storage, size: StoreSize, depth: Depth, at: datetime) -> "Fill":
        rows = depth.pending + depth.quarantined
        age = at - depth.oldest_at if depth.oldest_at else timedelta()
        free_bytes = max(0, size.disk_free_bytes - RESERVE_BYTES)
        most_bytes = min(bounds.max_mb * MB, size.used_bytes + free_bytes)
        days = age / timedelta(days=1)
        return max(
            cls(rows / bounds.max_rows, f"{rows} rows wait, {bounds.max_rows} is the most"),
            cls(
                size.used_bytes / max(1, most_bytes),
                f"{size.used_bytes / MB:.0f} MB used, {most_bytes / MB:.0f} MB is the most",
            ),
            cls(
                days / bounds.max_age_days,
                f"the oldest row waits for {days:.1f} days, {bounds.max_age_days:g} is the most",
            ),
        )


class Shelves(Protocol):
    """The store, as far as it is measured and thinned."""

    async def size(self) -> StoreSize: ...

    async def lanes(self) -> list[LaneBacklog]: ...

    async def read_lane(self, lane: str, after_id: int, limit: int) -> Sequence[OutboxRow]: ...

    async def shrink(self) -> bool: ...


class StorageKeeping:
    """Keeps the store within its bounds.

    Args:
        warn: takes a log line.
        pause: sleeps so many seconds.
    """

    def __init__(
        self,
        parts: Parts,
        shelves: Shelves,
        commit: Callable[[Sequence[Write]], Awaitable[None]],
        warn: Callable[[str], None],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.bounds = parts.site.storage
        self._registration = parts.cloud.registration
        self._shelves = shelves
        self._outbox = parts.outbox
        self._state = parts.state.storage
        self._commit = commit
        self._problem = parts.problem
        self._warn = warn
        self._pause = pause
        self._not_before = 0.0
        """Monotonic; nothing can be thinned until then."""

    async def run(self, clock: Callable[[], float], wall_clock: Callable[[], datetime]) -> None:
        """Look every few seconds. Never returns."""
        while True:
            with suppress(StoreFailed):  # told by the store itself
                await self.look(clock(), wall_clock())
            await self._pause(LOOK_S)

    async def look(self, now: float, at: datetime) -> None:
        """Measure, tell, thin where it must be, and give freed room back to the disk."""
        fill = await self._measure(at)
        must_thin = fill.share >= (1.0 if self._registration.is_registered else THIN_FROM)
        if must_thin and now >= self._not_before:
            thinned = await self._thin(at)
            if not thinned:
                self._not_before = now + IN_VAIN_S
            fill = await self._measure(at)
            self._warn(f"storage.thinned rows={thinned} now={fill.share:.2f}")
        for _ in range(SHRINK_STEPS):
            if not await self._shelves.shrink():
                break
            await self._pause(SHRINK_APART_S)

    async def _measure(self, at: datetime) -> Fill:
        size, depth = await self._shelves.size(), self._outbox.depth()
        fill = Fill.of(self.bounds, size, depth, at)
        state = self._state
        state.share, state.used_bytes = fill.share, size.used_bytes
        is_alarm = fill.share >= (ALARM_TO if state.is_alarm else ALARM_FROM)
        if is_alarm is not state.is_alarm:
            word = "filling" if is_alarm else "relieved"
            self._warn(f'storage.{word} share={fill.share:.2f} reason="{fill.what}"')
        state.is_alarm = is_alarm
        thinned = f"; {state.thinned_rows} meter values thinned" if state.thinned_rows else ""
        reason = f"the store is {fill.share:.0%} full: {fill.what}{thinned}"
        self._problem("storage", reason if is_alarm else "")
        return fill

    async def _thin(self, at: datetime) -> int:
        """Pass once through the lanes, until there is room; return how many rows went."""
        thinned = 0
        lanes = await self._shelves.lanes()
        for lane in sorted(lanes, key=lambda lane: lane.pending, reverse=True):
            thinned += await self._thin_lane(lane.lane, self._cutoff(at))
            fill = Fill.of(self.bounds, await self._shelves.size(), self._outbox.depth(), at)
            if fill.share < THIN_TO:
                break
        return thinned

    def _cutoff(self, at: datetime) -> datetime | None:
        """Return how old what goes must be: pressure of age alone spares what is young."""
        depth = self._outbox.depth()
        rows = (depth.pending + depth.quarantined) / self.bounds.max_rows
        if max(rows, self._state.used_bytes / (self.bounds.max_mb * MB)) >= THIN_TO:
            return None
        return at - timedelta(days=self.bounds.max_age_days * THIN_TO)

    async def _thin_lane(self, lane: str, before: datetime | None) -> int:
        thinning, after_id, thinned = LaneThinning(before), 0, 0
        while rows := await self._shelves.read_lane(lane, after_id, PAGE_ROWS):
            after_id = rows[-1].id
            if going := self._outbox.forget(lane, thinning.take(rows)):
                await self._delete(lane, going)
                thinned += len(going)
                self._state.thinned_rows += len(going)
            await self._pause(BREATH_S)
        return thinned

    async def _delete(self, lane: str, row_ids: tuple[int, ...]) -> None:
        try:
            await self._commit([Thin(row_ids)])
        except StoreFailed:
            self._outbox.kept_after_all(lane, row_ids)
            raise
