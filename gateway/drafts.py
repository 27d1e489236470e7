"""What one event changes, collected before any of it is true. Decides nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.events import TransactionChanged
from gateway.lanes import lane_of
from gateway.records import OutboxEvent, OutboxRow, Transaction
from gateway.remote_asks import RemoteAsks, RemoteStart
from gateway.slots import SlotTable
from gateway.transaction_table import TransactionTable
from gateway.writes import Enqueue, SaveTransaction, SetAside, Write

UPSTREAM_CONNECTOR = 1
"""Every EVSE upstream has one connector: EVSE and 1.6 connectorId are the same number."""


@dataclass(slots=True)
class Draft:
    """What one event changes, collected. Lives for one `apply`."""

    station_id: str
    is_numbered: bool
    """The station calls transactions by the numbers we give it (1.6)."""
    now_utc: datetime
    is_cloud_connected: bool
    table: TransactionTable
    slots: SlotTable
    remote: RemoteAsks
    new_number: Callable[[], int]
    row_ids: Iterator[int]
    new_uuid: Callable[[], str]
    next_number: int
    """Numbers below it were given by us."""
    is_strict: bool = False
    """Everything is delivered in one order, see `lanes`."""
    station_message_id: str | None = None
    """Of the CALL that is booked."""
    changed: dict[int, Transaction] = field(default_factory=dict)
    rows: list[OutboxRow] = field(default_factory=list)
    asides: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    transaction: Transaction | None = None
    """The one the event is about, as it will be."""
    is_duplicate: bool = False
    is_refused: bool = False
    """The EVSE is not in the site file: it has no limit, so it must not charge."""
    used: RemoteStart | None = None

    def save(self, transaction: Transaction) -> Transaction:
        self.changed[transaction.number] = transaction
        self.transaction = transaction
        return transaction

    def send(
        self, cloud_evse: int, event: OutboxEvent, transaction: Transaction | None = None
    ) -> None:
        self.rows.append(self._row(cloud_evse, event, transaction))

    def set_aside(
        self,
        transaction: Transaction | None,
        event: TransactionChanged,
        code: str,
        description: str,
    ) -> None:
        """Keep for a person what must not go to the cloud by itself; None: nobody knows whose."""
        cloud_evse = transaction.cloud_evse if transaction else None
        row = self._row(cloud_evse, event, transaction)
        self.asides.append(SetAside(row, self.now_utc, code, description))

    def _row(
        self, cloud_evse: int | None, event: OutboxEvent, transaction: Transaction | None
    ) -> OutboxRow:
        is_offline = not self.is_cloud_connected
        if isinstance(event, TransactionChanged):
            is_offline = is_offline or event.is_offline  # E04.FR.03
            event = _upstream(event, cloud_evse, is_offline)
        return OutboxRow(
            id=next(self.row_ids),
            lane=lane_of(cloud_evse, is_strict=self.is_strict),
            event=event,
            transaction=transaction.number if transaction else None,
            enqueued_at=self.now_utc,
            is_offline=is_offline,
            station_message_id=self.station_message_id,
        )

    def note(self, dotted: str, **facts: object) -> None:
        told = "".join(f" {name}={value}" for name, value in facts.items())
        self.notes.append(f"{dotted} station={self.station_id}{told}")

    def writes(self) -> tuple[Write, ...]:
        return (
            *(SaveTransaction(transaction) for transaction in self.changed.values()),
            *(Enqueue(row) for row in self.rows),
            *self.asides,
        )


def _upstream(
    event: TransactionChanged, cloud_evse: int | None, is_offline: bool
) -> TransactionChanged:
    now = (event.evse_id, event.connector_id, event.transaction_id, event.seq_no, event.is_offline)
    if now == (cloud_evse, UPSTREAM_CONNECTOR, None, 0, is_offline):
        return event
    return replace(
        event,
        evse_id=cloud_evse,
        connector_id=UPSTREAM_CONNECTOR,
        transaction_id=None,
        seq_no=0,
        is_offline=is_offline,
    )
