"""The way of every message of a transaction: station's frame -> row -> cloud's frame -> answer.

Pure. What is known of a row while it waits stands in the outbox, of one in quarantine there; what
became of the others is kept for as long as there is room. Instants are aware UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.batches import SAMPLING_TRIGGERS
from gateway.events import EventType, MetersSampled, SecurityEventOccurred
from gateway.records import OutboxEvent, Transaction, Unreadable


class StepState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    """It may have left; the cloud has not answered yet."""
    QUARANTINED = "quarantined"
    CONFIRMED = "confirmed"
    DISCARDED = "discarded"
    """A person gave it up."""


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """One row of the outbox, from its arrival to its end."""

    row_id: int
    kind: str | None
    """See `kind_of`; None: a version that did not write it down."""
    occurred_at: datetime | None
    """By the station's clock."""
    station_message_id: str | None
    """Of the station's CALL; None: the gateway itself had it to tell."""
    received_at: datetime | None
    is_offline: bool
    attempts: int
    message_id: str | None
    """Of the CALL to the cloud that carried it last."""
    sent_at: datetime | None
    sent_with: int | None
    """The row whose CALL carried it; None: its own."""
    state: StepState
    settled_at: datetime | None
    """When it was confirmed, discarded or put into quarantine."""
    note: str
    """What the cloud said, or who decided; empty: nothing to say."""


@dataclass(frozen=True, slots=True)
class Journey:
    transaction: Transaction
    steps: tuple[JourneyStep, ...]
    """In order of arrival. Those of long ago may be forgotten."""


def kind_of(event: OutboxEvent) -> str:
    """Return what a row tells in a word: `Started`, `Ended`, `MeterValues`, or why it was sent."""
    if isinstance(event, MetersSampled):
        return "MeterValues"
    if isinstance(event, SecurityEventOccurred):
        return "SecurityEvent"
    if isinstance(event, Unreadable):
        return "Unreadable"
    if event.event_type is not EventType.UPDATED:
        return str(event.event_type)
    return "MeterValues" if event.trigger_reason in SAMPLING_TRIGGERS else event.trigger_reason


def occurred_at(event: OutboxEvent) -> datetime | None:
    """Return when it occurred by the sender's clock; None: it named no time."""
    if isinstance(event, MetersSampled):
        return event.meter_values[0].at if event.meter_values else None
    return None if isinstance(event, Unreadable) else event.at


def flags_of(transaction: Transaction) -> tuple[str, ...]:
    """Return what is odd about a transaction, for people; most have nothing."""
    return tuple(_flags(transaction))


def _flags(transaction: Transaction) -> Iterator[str]:
    start_wh, last_wh = transaction.register_start_wh, transaction.register_last_wh
    if transaction.verdict is not None and transaction.verdict != "Accepted":
        yield f"token {transaction.verdict}"
    if transaction.is_estimated:
        yield "estimated"
    if transaction.register_offset_wh:
        yield "register was reset"
    is_start_shifted = transaction.started_told_at not in (None, transaction.started_at)
    if is_start_shifted or (transaction.ended_told_at and not transaction.is_estimated):
        yield "clock not believed"
    if transaction.ended_told_at and transaction.is_estimated:
        yield "its real end is in quarantine"
    if not transaction.is_start_queued:
        yield "start not told yet"
    if transaction.ended_at is not None and (start_wh is None or last_wh is None):
        yield "energy unknown"
    if start_wh is not None and last_wh is not None and last_wh < start_wh:
        yield "register ran backwards"
    if transaction.ended_at is not None and transaction.ended_at < transaction.started_at:
        yield "ended before it began"
