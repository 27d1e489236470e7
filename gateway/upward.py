"""What a command of the cloud makes the gateway say, after the command was answered. Pure."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.cloud_station import CloudStation
from gateway.events import (
    ConnectorStatus,
    HeartbeatSent,
    RegistrationStatus,
    ReportSent,
    StatusChanged,
)
from gateway.records import Transaction

ROWS_PER_REPORT = 50
"""Variables in one NotifyReport; about 12 kB."""


@dataclass(frozen=True, slots=True)
class CloudUpward:
    """`actions.Upward` over the cloud station."""

    station: CloudStation
    has_rows_of: Callable[[int | None], Awaitable[bool]]
    """Whether a transaction has rows in the outbox, by its number; None: any transaction."""
    clock: Callable[[], float]
    clock_utc: Callable[[], datetime]
    wake: Callable[[], None]
    """Look for something to say, once the answer to the command has left."""

    @property
    def registration(self) -> RegistrationStatus | None:
        return self.station.registration.status

    def boot_again(self, reason: str) -> None:
        self.station.registration.boot_again(reason, self.clock())
        self.wake()

    def heartbeat_now(self) -> None:
        self.station.triggered(HeartbeatSent())
        self.wake()

    def tell_status(self, cloud_evse: int | None) -> None:
        statuses = self.station.statuses
        numbers = statuses.numbers if cloud_evse is None else (cloud_evse,)
        for number in numbers:
            if self.registration is RegistrationStatus.ACCEPTED:
                statuses.tell_again(number)  # in its turn, so that billing goes on meanwhile
            elif number or self.station.version == "ocpp1.6":
                self.station.triggered(statuses.current(number))
        self.wake()

    def set_station_status(self, is_operational: bool) -> None:
        word = ConnectorStatus.AVAILABLE if is_operational else ConnectorStatus.UNAVAILABLE
        self.station.statuses.changed(StatusChanged(0, 0, word, self.clock_utc()))
        self.wake()

    def report(self, request_id: int, rows: list[dict[str, object]]) -> None:
        at = self.clock_utc()
        for start in range(0, len(rows), ROWS_PER_REPORT):
            part = tuple(rows[start : start + ROWS_PER_REPORT])
            has_more = start + ROWS_PER_REPORT < len(rows)
            seq_no = start // ROWS_PER_REPORT
            self.station.triggered(ReportSent(request_id, seq_no, at, has_more, part))
        self.wake()

    async def has_rows(self, transaction: Transaction | None) -> bool:
        if self.station.outbox.depth().pending == 0:
            return False
        return await self.has_rows_of(None if transaction is None else transaction.number)
