"""Which meter values the cloud gets: as often as it has asked for, however often they come. Pure.

The stations are asked to report every few seconds, because the balancer steers by it; the cloud may
want one sample a minute (1.6 MeterValueSampleInterval, 2.0.1 TxUpdatedInterval), and has one socket
for the whole site. What is thinned is only not told: books and balancer have seen it.

Never thinned: begin and end, clock-aligned and triggered values, whatever tells anything else, and
values outside of a transaction. Until the cloud has set an interval, nothing is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.events import ChargingState, EventType, TransactionChanged
from gateway.records import OutboxRow
from gateway.writes import Enqueue, Write

TOLERANCE = 0.1
"""Share of the interval by which a sample may be early: stations do not count evenly."""

PERIODIC_TRIGGER, PERIODIC_CONTEXT = "MeterValuePeriodic", "Sample.Periodic"


@dataclass(frozen=True, slots=True)
class _Told:
    transaction: int | None
    at: datetime
    charging_state: ChargingState | None


class Sampling:
    """Remembers of each EVSE the last sample that was put in the outbox."""

    def __init__(self) -> None:
        self.interval_s = 0
        """As the cloud set it; 0: everything."""
        self._told: dict[tuple[str, int | None], _Told] = {}

    def thinned(self, writes: Sequence[Write]) -> Sequence[Write]:
        """Return the writes without the samples that come too early for the cloud."""
        if self.interval_s <= 0:
            return writes
        return [
            write for write in writes if not isinstance(write, Enqueue) or self._is_due(write.row)
        ]

    def stored(self, writes: Iterable[Write]) -> None:
        """Note what has been committed: the next interval begins."""
        if self.interval_s <= 0:
            return
        for write in writes:
            if isinstance(write, Enqueue) and _is_periodic(write.row):
                event = write.row.event
                assert isinstance(event, TransactionChanged)
                told = _Told(write.row.transaction, event.at, event.charging_state)
                self._told[write.row.lane, event.evse_id] = told

    def _is_due(self, row: OutboxRow) -> bool:
        event = row.event
        if not _is_periodic(row):
            return True
        assert isinstance(event, TransactionChanged)
        told = self._told.get((row.lane, event.evse_id))
        if told is None or told.transaction != row.transaction:
            return True
        if event.charging_state not in (None, told.charging_state):
            return True
        elapsed_s = (event.at - told.at).total_seconds()
        # A clock that was set back must not silence a transaction.
        return not 0 <= elapsed_s < self.interval_s * (1 - TOLERANCE)


def _is_periodic(row: OutboxRow) -> bool:
    """Whether the row tells samples of a running transaction that only time has caused."""
    event = row.event
    return (
        isinstance(event, TransactionChanged)
        and event.event_type is EventType.UPDATED
        and event.trigger_reason == PERIODIC_TRIGGER
        and event.id_token is None
        and event.remote_start_id is None
        and event.reservation_id is None
        and bool(event.meter_values)
        and all(
            sample.context == PERIODIC_CONTEXT
            for value in event.meter_values
            for sample in value.samples
        )
    )
