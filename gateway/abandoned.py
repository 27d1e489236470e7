"""Which running transactions nobody will end any more, and since when that is feared. Pure.

1. The station booted, or says that the EVSE is free (1.6: Available, Finishing): the Stop may
still be in its queue, so it is given time. Any younger word of the transaction ends the doubt.
2. The station is away, and has said nothing of the transaction for days.
3. The EVSE is no longer in the site file.
(A new transaction on the same EVSE ends the old one at once: `bookings`.)

`now` is monotonic seconds, `…_at` and `at` aware UTC.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.closings import BOOTED, FREE, REMOVED, SILENT, Why
from gateway.events import ChargingState, ConnectorStatus, StatusChanged
from gateway.records import Transaction

DRAWING = (ChargingState.CHARGING, ChargingState.SUSPENDED_EV, ChargingState.SUSPENDED_EVSE)
"""States that no EVSE is in without a transaction (1.6 §4.9)."""
CLOCKS_APART = timedelta(seconds=5)
"""A word is younger than what raised the doubt, unless it is older by more than this."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    why: Why
    since: float
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the end of a transaction is waited for, s."""

    free_s: float = 600.0
    silent_s: float = 259_200.0


class Abandoned:
    """The doubts about running transactions.

    Args:
        running: every running transaction of the site.
        running_at: those of one station.
        is_here: whether a station is connected.
        is_in_site: whether station and EVSE stand in the site file.
    """

    def __init__(
        self,
        patience: Patience,
        *,
        running: Callable[[], Iterable[Transaction]],
        running_at: Callable[[str], Iterable[Transaction]],
        is_here: Callable[[str], bool],
        is_in_site: Callable[[str, int], bool],
        now: float,
    ) -> None:
        self.patience = patience
        self._running = running
        self._running_at = running_at
        self._is_here = is_here
        self._is_in_site = is_in_site
        self._began = now
        self._doubts: dict[int, _Doubt] = {}

    def booted(self, station_id: str, now: float, at: datetime) -> None:
        """The station began anew: does it remember what it was doing?"""
        for transaction in self._running_at(station_id):
            self._doubts.setdefault(transaction.number, _Doubt(BOOTED, now, at))

    def status(self, station_id: str, status: StatusChanged, now: float, at: datetime) -> None:
        """Take a station's word on an EVSE; one without a time is of now."""
        said_at = status.at or at
        for transaction in self._running_at(station_id):
            if transaction.evse_id != status.evse_id:
                continue
            if said_at < (transaction.last_heard_at or transaction.started_at):
                continue  # told again after a reconnect: older than what is known
            if _is_free(status):
                self._doubts.setdefault(transaction.number, _Doubt(FREE, now, said_at))
            elif status.charging_state in DRAWING:
                self._goes_on(transaction.number, said_at)

    def heard(self, transaction: Transaction) -> None:
        """The station spoke of it."""
        if transaction.last_heard_at is not None:
            self._goes_on(transaction.number, transaction.last_heard_at)

    def due(self, now: float, at: datetime) -> Iterator[tuple[Transaction, Why]]:
        """Yield what is to be closed now."""
        running = {transaction.number: transaction for transaction in self._running()}
        self._doubts = {
            number: doubt for number, doubt in self._doubts.items() if number in running
        }
        for number, transaction in running.items():
            doubt = self._doubts.get(number)
            if not self._is_in_site(transaction.station_id, transaction.evse_id):
                yield transaction, REMOVED
            elif doubt is not None and now - doubt.since >= self.patience.free_s:
                yield transaction, doubt.why
            elif self._is_silent(transaction, now, at):
                yield transaction, SILENT

    def _is_silent(self, transaction: Transaction, now: float, at: datetime) -> bool:
        if self._is_here(transaction.station_id) or now - self._began < self.patience.free_s:
            return False
        heard_at = transaction.last_heard_at or transaction.started_at
        return (at - heard_at).total_seconds() >= self.patience.silent_s

    def _goes_on(self, number: int, at: datetime) -> None:
        doubt = self._doubts.get(number)
        if doubt is not None and at > doubt.since_at - CLOCKS_APART:
            del self._doubts[number]


def _is_free(status: StatusChanged) -> bool:
    is_finishing = status.charging_state is ChargingState.IDLE
    return status.status is ConnectorStatus.AVAILABLE or is_finishing
