"""What nobody says and must be noted all the same: time passing, the disk failing, limits ending.

Called every second or so; `now` is monotonic seconds, `at` aware UTC.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gateway.dimming_desk import DimmingDesk
from gateway.errors import StoreFailed
from gateway.journal_book import JournalBook
from gateway.maintenance import Maintenance
from gateway.parts import Parts
from gateway.site_clock import SiteClock
from gateway.site_state import DepthPoint
from gateway.station_desk import StationDesk
from gateway.writes import ForgetJourneys, Write

LIST_CONFLICT = "LocalListConflict"
"""1.6 §3.5.2: told of connector 0. 2.0.1 has no word for it."""

JOURNEYS_KEPT = timedelta(days=90)
"""How long it is known which way a message went; as far as there is room."""
JOURNEYS_EVERY_S = 3600.0


class Housekeeping:
    def __init__(
        self,
        parts: Parts,
        maintenance: Maintenance,
        *,
        store_failure: Callable[[], str | None],
        store_loss: Callable[[], str | None],
        commit: Callable[[Sequence[Write]], Awaitable[None]],
        limits_changed: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        desk: StationDesk,
        journal: JournalBook,
        grid_operator: DimmingDesk | None,
        wake_cloud: Callable[[], None],
        site_clock: SiteClock,
    ) -> None:
        self._parts = parts
        self._maintenance = maintenance
        self._store_failure = store_failure
        self._store_loss = store_loss
        self._commit = commit
        self._limits_changed = limits_changed
        self._spawn = spawn
        self._desk = desk
        self._journal = journal
        self._grid_operator = grid_operator
        self._wake_cloud = wake_cloud
        self._journeys_due_at = 0.0
        self._site_clock = site_clock

    async def keep(self, now: float, at: datetime) -> None:
        """Bring everything up to this instant."""
        parts = self._parts
        parts.cloud.statuses.handle_timer(now, at)
        cloud = parts.state.cloud
        pending, quarantined, cloud.oldest_at = parts.outbox.depth()
        cloud.note_depth(DepthPoint(at, pending, quarantined))
        cloud.drain_s = parts.outbox.drain_estimate()
        parts.judge_health(self._store_failure())
        parts.judge_wear(now)
        if self._grid_operator is not None:
            await self._grid_operator.keep()
        if self._journal.is_due(now):
            self._spawn(self._journal.write(now, at))
        parts.problem("damage", self._store_loss() or "")
        with suppress(StoreFailed):  # told by the store itself; what is due stays due
            await self._write_what_is_due(now, at)
        if self._maintenance.has_idle_resets():
            self._spawn(self._maintenance.reset_idle())
        set_by_s = self._site_clock.step(t.started_at for t in parts.books.running())
        if set_by_s is not None:
            self._desk.clock_set(set_by_s)
        parts.problem("clock", self._site_clock.problem())
        if parts.authorization.conflict_to_report():
            of_the_whole = replace(parts.cloud.statuses.current(0), at=at, error_code=LIST_CONFLICT)
            parts.cloud.triggered(of_the_whole)
            self._wake_cloud()

    async def _write_what_is_due(self, now: float, at: datetime) -> None:
        if expired := self._parts.limits.expired(at):
            await self._commit(expired)
            self._parts.limits.take(expired)
            self._limits_changed()
        if lessons := self._parts.lessons():
            await self._commit(lessons)
            self._parts.models.take(lessons)
        if findings := self._parts.phase_findings.to_keep():
            await self._commit(findings)
            self._parts.phase_findings.take(findings)
        if counts := self._parts.deliveries.wear_to_keep(now, at):
            await self._commit(counts)
        await self._desk.close_abandoned(now, at)
        if now >= self._journeys_due_at:
            await self._commit([ForgetJourneys(at - JOURNEYS_KEPT)])
            self._journeys_due_at = now + JOURNEYS_EVERY_S
        if (seen := self._site_clock.to_keep()) is not None:
            await self._commit([seen])
