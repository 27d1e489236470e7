"""What a command of the cloud makes the gateway say, after the command was answered. Pure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.cloud_station import CloudStation
from gateway.events import ReportSent
from gateway.outbox import lane_of
from gateway.records import OutboxRow, Transaction

ROWS_PER_REPORT = 50
"""Variables in one NotifyReport; about 12 kB."""
ROWS_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class CloudUpward:
    """`actions.Upward` over the cloud station."""

    station: CloudStation
    read_lane: Callable[[str, int, int], Awaitable[list[OutboxRow]]]
    clock: Callable[[], float]
    clock_utc: Callable[[], datetime]
    wake: Callable[[], None]
    """Look for something to say, once the answer to the command has left."""

    def is_registered(self) -> bool:
        return self.station.registration.is_registered

    def boot_again(self, reason: str) -> None:
        self.station.registration.boot_again(reason, self.clock())
        self.wake()

    def heartbeat_now(self) -> None:
        self.station.registration.heartbeat_now(self.clock())
        self.wake()

    def tell_status(self, cloud_evse: int | None) -> None:
        if cloud_evse is None:
            self.station.statuses.tell_everything()
        else:
            self.station.statuses.tell_again(cloud_evse)
        self.wake()

    def report(self, request_id: int, rows: list[dict[str, object]]) -> None:
        at = self.clock_utc()
        for start in range(0, len(rows), ROWS_PER_REPORT):
            part = tuple(rows[start : start + ROWS_PER_REPORT])
            has_more = start + ROWS_PER_REPORT < len(rows)
            seq_no = start // ROWS_PER_REPORT
            self.station.remark(ReportSent(request_id, seq_no, at, has_more, part))
        self.wake()

    async def has_rows(self, transaction: Transaction | None) -> bool:
        if transaction is None:
            return self.station.outbox.depth().pending > 0
        lane = lane_of(transaction.cloud_evse)
        rows = await self.read_lane(lane, 0, ROWS_LOOKED_AT)
        return any(row.transaction == transaction.number for row in rows)
