"""What one CALL to the cloud carries: a row, or the meter values of several. Pure.

The whole site has one unanswered CALL upward, so what waits after an outage leaves faster in
fewer messages: `meterValue` is an array in both versions, and 2.0.1 lets an Updated be split
(E04.FR.09, E11.FR.06); joining is the reverse. Only values are joined: an event that tells
anything else travels alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from gateway.events import EventType, MetersSampled, TransactionChanged
from gateway.records import OutboxEvent, OutboxRow

PERMANENT_ERRORS = frozenset(
    {
        "FormatViolation",
        "FormationViolation",
        "NotImplemented",
        "NotSupported",
        "OccurenceConstraintViolation",  # as 1.6J §4.2.3 spells it
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "ProtocolError",
        "TypeConstraintViolation",
        "message-too-big",
        "unreadable",
    }
)
"""CALLERROR codes (1.6J §4.2.3, 2.0.1 Part 4 §4.3) that the same message will meet again.
Clouds use the words of either version, so there is one list."""

NO_ANSWER = "no-answer"
TOO_BIG = "message-too-big"
"""The cloud closed the socket for the size of the message (RFC 6455 §7.4.1, code 1009)."""
UNREADABLE = "unreadable"
"""Nobody knows what the row says: its body is damaged, or of a newer program."""
SIZE_ERRORS = frozenset({TOO_BIG, "OccurenceConstraintViolation", "OccurrenceConstraintViolation"})
"""What may be said of a message that would be taken if it were shorter."""

SAMPLING_TRIGGERS = frozenset({"MeterValuePeriodic", "MeterValueClock"})
"""TriggerReasonEnumType: an event that was caused by nothing but the time."""

_EDGES = frozenset({"Transaction.Begin", "Transaction.End"})
_METER_VALUE_BYTES = 60
_SAMPLE_BYTES = 140
"""A sampled value in JSON with its usual words, without the value itself."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How hard to try; the first two may be changed by the cloud while we run."""

    attempts: int = 3
    """TransactionMessageAttempts (1.6), MessageAttempts of TransactionEvent (2.0.1)."""
    retry_interval_s: float = 60.0
    """Times the number of preceding transmissions (1.6 §3.7.1, E13.FR.03)."""
    merge_from: int = 10
    """Rows waiting on the whole site from which on meter values travel together."""
    merge_meter_values: int = 20
    merge_bytes: int = 30_000
    lane_rows: int = 50
    """Rows of one lane in memory; more than ever travel together."""
    held_rows: int = 2_000
    """Rows in memory over all lanes, about 4 kB each."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The rows of one CALL. Encode `event`, unless there is `sent`: then repeat those bytes."""

    lane: str
    rows: tuple[OutboxRow, ...]
    """The first is the head; the others are meter values that travel with it."""
    row_ids: tuple[int, ...]
    is_offline: bool
    """It occurred while the cloud was away, or the cloud went away since (E11.FR.07)."""
    sent: bytes | None = None
    """The payload that has left before, in the cloud's present version."""
    is_shortened: bool = False
    """Without its intermediate values: the cloud does not take it whole."""

    @property
    def is_retransmission(self) -> bool:
        """The cloud may have seen it: take a ConcurrentTx on a Start as accepted."""
        return self.rows[0].message_id is not None

    @property
    def transaction(self) -> int | None:
        return self.rows[0].transaction

    @property
    def event(self) -> OutboxEvent:
        """What to tell: the values of all rows in one event."""
        event = merged([row.event for row in self.rows])
        if self.is_shortened:
            event = shortened(event)
        if isinstance(event, TransactionChanged) and event.is_offline != self.is_offline:
            return replace(event, is_offline=self.is_offline)
        return event


def batch_from(
    window: Sequence[OutboxRow],
    version: str,
    merging: Delivery | None,
    *,
    offline_through: int,
) -> Batch:
    """Return what leaves next of a lane whose first rows are `window`, at least one.

    `merging`: the bounds of what may travel together; None: the head alone. Rows up to the id
    `offline_through` were there when the cloud went away.
    """
    head = window[0]
    is_offline = _is_offline(head, offline_through)
    if head.sent is not None and head.sent_version == version:
        row_ids = (head.id, *head.sent_with)
        rows = tuple(row for row in window if row.id in row_ids)
        return Batch(head.lane, rows, row_ids, is_offline, head.sent)
    rows = (head,)
    if merging is not None and head.message_id is None:
        candidates = takewhile(
            lambda row: _is_offline(row, offline_through) == is_offline, islice(window, 1, None)
        )
        rows = (head, *_followers(head, candidates, merging))
    return Batch(head.lane, rows, tuple(row.id for row in rows), is_offline)


def may_merge(first: OutboxRow, second: OutboxRow) -> bool:
    """Whether `second`, the next row of the lane, may join the message of `first`.

    A known deviation from 2.0.1: J02.FR.10 wants all values of an Updated from within one
    TxUpdatedInterval. By the letter nothing could be joined, and a site that has been away for a
    day would need hours to tell it, or might drop every other value (E12.FR.04, E12.FR.05). Joined,
    each value keeps its own timestamp and none is lost; it is done only while many rows wait. 1.6
    has no such rule (§4.7).
    """
    a, b = first.event, second.event
    if first.transaction != second.transaction:
        return False
    if isinstance(a, TransactionChanged) and isinstance(b, TransactionChanged):
        return (
            tells_samples_alone(a)
            and tells_samples_alone(b)
            and a.transaction_id == b.transaction_id
            and a.trigger_reason == b.trigger_reason
            and a.evse_id == b.evse_id
            and a.connector_id == b.connector_id
            and a.charging_state == b.charging_state
            and a.number_of_phases == b.number_of_phases
            and a.cable_max_current_a == b.cable_max_current_a
        )
    if isinstance(a, MetersSampled) and isinstance(b, MetersSampled):
        return (a.evse_id, a.connector_id, a.transaction_id) == (
            b.evse_id,
            b.connector_id,
            b.transaction_id,
        )
    return False


def merged(events: Sequence[OutboxEvent]) -> OutboxEvent:
    """Return one event with the values of all, in order; it occurred when the last one did."""
    last = events[-1]
    if len(events) == 1 or not isinstance(last, TransactionChanged | MetersSampled):
        return last
    values = tuple(
        value
        for event in events
        if isinstance(event, TransactionChanged | MetersSampled)
        for value in event.meter_values
    )
    return replace(last, meter_values=values)


def shortened(event: OutboxEvent) -> OutboxEvent:
    """Return the end of a transaction without its intermediate values (1.6 errata 3.47).

    The first and the last of its values stay, those of begin and end, and what is signed.
    """
    if not isinstance(event, TransactionChanged) or event.event_type is not EventType.ENDED:
        return event
    values = event.meter_values
    kept = tuple(
        value
        for index, value in enumerate(values)
        if index in (0, len(values) - 1)
        or any(sample.context in _EDGES or sample.signed is not None for sample in value.samples)
    )
    return event if len(kept) == len(values) else replace(event, meter_values=kept)


def may_be_shortened(event: OutboxEvent) -> bool:
    return shortened(event) is not event


def meter_values_in(event: OutboxEvent) -> int:
    """Return how many instants were sampled."""
    if isinstance(event, TransactionChanged | MetersSampled):
        return len(event.meter_values)
    return 0


def estimated_bytes(event: OutboxEvent) -> int:
    """Return about how long the event's meter values are in a message."""
    size = 0
    if isinstance(event, TransactionChanged | MetersSampled):
        for value in event.meter_values:
            size += _METER_VALUE_BYTES
            for sample in value.samples:
                size += _SAMPLE_BYTES + len(sample.value) + len(str(sample.signed or ""))
    return size


def tells_samples_alone(event: TransactionChanged) -> bool:
    """Whether the event tells meter values that only the time has caused, and nothing else."""
    return (
        event.event_type is EventType.UPDATED
        and event.trigger_reason in SAMPLING_TRIGGERS
        and bool(event.meter_values)
        and event.id_token is None
        and event.stopped_reason is None
        and event.remote_start_id is None
        and event.reservation_id is None
    )


def _followers(
    head: OutboxRow, candidates: Iterable[OutboxRow], bounds: Delivery
) -> Iterator[OutboxRow]:
    values = bounds.merge_meter_values - meter_values_in(head.event)
    size = bounds.merge_bytes - estimated_bytes(head.event)
    for row in candidates:
        if row.message_id is not None or not may_merge(head, row):
            return
        values -= meter_values_in(row.event)
        size -= estimated_bytes(row.event)
        if values < 0 or size < 0:
            return
        yield row


def _is_offline(row: OutboxRow, offline_through: int) -> bool:
    event = row.event
    return (
        row.is_offline
        or row.id <= offline_through
        or (isinstance(event, TransactionChanged) and event.is_offline)
    )
