"""What page, REST, MQTT and command line may ask of the running gateway, carried out.

Each change is bounded, committed, then in force, then balanced: in this order. Handed the store's
readings; owns no file and no clock.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from gateway.charging_wishes import ChargingWish, ChargingWishes
from gateway.circuit_limits import CircuitLimits
from gateway.dimming_desk import DimmingDesk
from gateway.journal import KEPT_S, JournalEntry, JournalOf, JournalQuery, moment
from gateway.journal_book import JournalBook
from gateway.journey import Journey
from gateway.limit_wish import NotAWish
from gateway.operations import Caller, NotAllowed, NotFound, TraceEntry, TraceQuery
from gateway.outbox import Outbox
from gateway.quarantine_edits import mended
from gateway.records import (
    CircuitLimit,
    LaneBacklog,
    LimitSource,
    OutboxRow,
    QuarantinedRow,
    QuarantineEdit,
    Transaction,
)
from gateway.site_state import SiteState
from gateway.trace import MessageTrace
from gateway.upstream_view import KnownTransactions
from gateway.writes import EditQuarantined, Release, SaveSetting, Write
from load_balancer.inputs import EvseKey
from site_config.links import Role


class Shelves(Protocol):
    """What is read from the store."""

    async def lanes(self) -> list[LaneBacklog]: ...

    async def read_lane(self, lane: str, after_id: int, limit: int) -> list[OutboxRow]: ...

    async def quarantined(self) -> list[QuarantinedRow]: ...

    async def transactions(self, since: datetime, until: datetime) -> list[Transaction]: ...

    async def journey(self, number: int) -> Journey | None: ...

    async def quarantine_edits(self, row_id: int) -> list[QuarantineEdit]: ...


class Books(KnownTransactions, Protocol):
    def recall(self, transaction: Transaction) -> None: ...


@dataclass(frozen=True, slots=True)
class SiteOperations:
    """`operations.Operations` of this process."""

    state: SiteState
    limits: CircuitLimits
    wishes: ChargingWishes
    trace: MessageTrace
    outbox_queue: Outbox
    books: Books
    shelves: Shelves
    journal_book: JournalBook
    grid_operator: DimmingDesk | None
    commit: Callable[[Sequence[Write]], Awaitable[None]]
    clock_utc: Callable[[], datetime]
    limits_changed: Callable[[], None]
    wake_cloud: Callable[[], None]
    """There is something to send."""
    log: Callable[[str], None]

    async def set_circuit_limit(
        self,
        circuit: str,
        limit_a: float,
        *,
        reason: str,
        until: datetime | None,
        source: LimitSource,
        caller: Caller,
    ) -> CircuitLimit:
        change = self.limits.wish(
            circuit,
            limit_a,
            reason=reason,
            until=until,
            source=source,
            caller=caller,
            at=self.clock_utc(),
        )
        await self.commit([change])
        self.limits.take([change])
        self.limits_changed()
        end = until.isoformat() if until else "never"
        self.log(
            f"limit.set circuit={circuit} limit_a={limit_a:g} by={caller.name} source={source} "
            f'until={end} reason="{reason}"'
        )
        return change.limit

    async def clear_circuit_limit(
        self, circuit: str, *, source: LimitSource, caller: Caller
    ) -> None:
        change = self.limits.unwish(circuit, source, caller)
        await self.commit([change])
        self.limits.take([change])
        self.limits_changed()
        self.log(f"limit.cleared circuit={circuit} by={caller.name} source={source}")

    async def set_wish(
        self,
        key: EvseKey,
        *,
        energy_wh: float | None,
        departs_at: datetime | None,
        caller: Caller,
    ) -> ChargingWish:
        self._require_wisher(key, caller)
        now = self.clock_utc()
        if energy_wh is None and departs_at is None:
            raise NotAWish("neither energy nor departure is told: nothing is wished")
        if energy_wh is not None and not 0 <= energy_wh < float("inf"):
            raise NotAWish(f"{energy_wh:g} Wh cannot be wished")
        if departs_at is not None and departs_at <= now:
            raise NotAWish(
                f"departs_at {departs_at.isoformat()} is in the past: now is {now.isoformat()}"
            )
        evse = self.state.stations[key.station_id].evses[key.evse_id]
        before_wh = (evse.energy_wh or 0.0) if evse.transaction_id is not None else 0.0
        wish = ChargingWish(energy_wh, departs_at, caller.name, before_wh)
        await self._keep_wish(key, self.wishes.told(key, wish))
        energy = "unknown" if energy_wh is None else f"{energy_wh:.0f}"
        departs = departs_at.isoformat(timespec="seconds") if departs_at else "unknown"
        self.log(
            f"wish.set evse={key.station_id}/{key.evse_id} energy_wh={energy} "
            f"departs_at={departs} by={caller.name}"
        )
        return wish

    async def clear_wish(self, key: EvseKey, caller: Caller) -> None:
        self._require_wisher(key, caller)
        if rows := self.wishes.ended(key):
            await self._keep_wish(key, rows)
            self.log(f"wish.cleared evse={key.station_id}/{key.evse_id} by={caller.name}")

    def _require_wisher(self, key: EvseKey, caller: Caller) -> None:
        if caller.role is Role.VIEWER:
            raise NotAllowed(f"{caller.name} may look, not change: use an operator's token")
        self._require(JournalOf(key.station_id, key.evse_id))

    async def _keep_wish(self, key: EvseKey, rows: Sequence[SaveSetting]) -> None:
        await self.commit(rows)
        self.wishes.take(rows)
        self.state.stations[key.station_id].evses[key.evse_id].wish = self.wishes.of(key)
        self.limits_changed()

    def circuit_limits(self) -> Sequence[CircuitLimit]:
        return self.limits.in_force(self.clock_utc())

    async def transactions(
        self, since: datetime | None, until: datetime | None
    ) -> Sequence[Transaction]:
        earliest = datetime.min.replace(tzinfo=self.clock_utc().tzinfo)
        latest = datetime.max.replace(tzinfo=self.clock_utc().tzinfo)
        found = await self.shelves.transactions(since or earliest, until or latest)
        return found[::-1]

    async def journey(self, number: int) -> Journey:
        found = await self.shelves.journey(number)
        if found is None:
            raise NotFound(f"there is no transaction {number}")
        return found

    async def outbox(self, limit: int) -> Sequence[OutboxRow]:
        rows: list[OutboxRow] = []
        for backlog in await self.shelves.lanes():
            rows += await self.shelves.read_lane(backlog.lane, 0, limit)
        return sorted(rows, key=lambda row: row.id)[:limit]

    async def quarantined(self) -> Sequence[QuarantinedRow]:
        return await self.shelves.quarantined()

    async def quarantine_edits(self, row_id: int) -> Sequence[QuarantineEdit]:
        return await self.shelves.quarantine_edits(row_id)

    async def edit(
        self,
        row_id: int,
        *,
        changes: Mapping[str, Any] | None,
        event: Any,
        note: str,
        caller: Caller,
    ) -> QuarantinedRow:
        found = await self._decidable(row_id, caller)
        await self._recall(found.row)
        version = self.state.cloud.protocol or found.row.sent_version
        row = mended(found.row, changes, event, books=self.books, version=version)
        at = self.clock_utc()
        await self.commit([EditQuarantined(row_id, row.event, caller.name, at, note)])
        self.log(f'outbox.edited row={row_id} lane={row.lane} by={caller.name} note="{note}"')
        return replace(found, row=row)

    async def _decidable(self, row_id: int, caller: Caller) -> QuarantinedRow:
        """Return a quarantined row, if it is there and the caller may decide about it."""
        if caller.role is Role.VIEWER:
            raise NotAllowed(f"{caller.name} may look, not change: use an operator's token")
        rows = {found.row.id: found for found in await self.shelves.quarantined()}
        if row_id not in rows:
            raise NotFound(f"row {row_id} is not in quarantine; there are {sorted(rows) or 'none'}")
        return rows[row_id]

    async def _recall(self, row: OutboxRow) -> None:
        """Let the books know the transaction of a row that waited longer than they remember."""
        if row.transaction is None or self.books.by_number(row.transaction) is not None:
            return
        if (found := await self.shelves.journey(row.transaction)) is not None:
            self.books.recall(found.transaction)

    async def release(self, row_id: int, *, is_retried: bool, caller: Caller) -> None:
        row = (await self._decidable(row_id, caller)).row
        if is_retried:
            await self._recall(row)
        await self.commit([Release(row_id, is_retried, self.clock_utc(), caller.name)])
        self.outbox_queue.released(row, is_retried=is_retried)
        self.wake_cloud()
        action = "retried" if is_retried else "discarded"
        self.log(f"outbox.{action} row={row_id} lane={row.lane} by={caller.name}")

    async def journal(self, query: JournalQuery) -> Sequence[JournalEntry]:
        self._require(query.of)
        now = self.clock_utc()
        if query.at is not None:
            zone = ZoneInfo(self.state.site.site.timezone)
            return await self.journal_book.at(moment(query.at, zone, now), query.of)
        until = query.until or now + timedelta(seconds=1)
        since = query.since or until - timedelta(seconds=KEPT_S)
        return await self.journal_book.between(since, until, query.of, query.limit)

    def _require(self, of: JournalOf) -> None:
        stations = self.state.stations
        if of.station_id is not None and of.station_id not in stations:
            raise NotFound(f"no station {of.station_id!r}; there are {', '.join(stations)}")
        evses = stations[of.station_id].evses if of.station_id is not None else ()
        if of.evse_id is not None and evses and of.evse_id not in evses:
            raise NotFound(f"{of.station_id} has no EVSE {of.evse_id}; it has {sorted(evses)}")

    def messages(self, query: TraceQuery) -> Sequence[TraceEntry]:
        return self.trace.find(query)

    def health(self) -> dict[str, Any]:
        reasons = list(self.state.problems.values())
        return {"status": "degraded" if reasons else "ok", "reasons": reasons}
