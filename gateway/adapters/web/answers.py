"""What the REST interface answers with, as JSON: rows of the store and refusals in words.

Pure. Tokens of drivers are shortened to their last four characters; those of the site file never
occur. Energy Wh, instants RFC 3339.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from gateway.events import IdToken, MetersSampled, TransactionChanged
from gateway.operations import TraceEntry
from gateway.records import CircuitLimit, OutboxEvent, OutboxRow, QuarantinedRow, Transaction

HINT_LENGTH = 4


class Refused(BaseModel):
    """Every error of this interface."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: str
    """What is wrong."""
    advice: str
    """What to do about it."""


class Refusal(Exception):
    """Ends a request with a status, what is wrong and what to do about it."""

    def __init__(self, status: int, error: str, advice: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = Refused(error=error, advice=advice)


def transaction_json(transaction: Transaction) -> dict[str, Any]:
    start_wh, last_wh = transaction.register_start_wh, transaction.register_last_wh
    return {
        "number": transaction.number,
        "transaction_id": transaction.uuid,
        "station": transaction.station_id,
        "evse": transaction.evse_id,
        "connector": transaction.connector_id,
        "cloud_evse": transaction.cloud_evse,
        "id_token_hint": token_hint(transaction.id_token),
        "verdict": transaction.verdict,
        "started_at": _instant(transaction.started_at),
        "ended_at": _instant(transaction.ended_at),
        "stopped_reason": transaction.stopped_reason,
        "energy_wh": None if start_wh is None or last_wh is None else last_wh - start_wh,
        "register_start_wh": start_wh,
        "register_last_wh": last_wh,
        "estimated": transaction.is_estimated,
        "started_told_at": _instant(transaction.started_told_at),
        "ended_told_at": _instant(transaction.ended_told_at),
    }


def outbox_row_json(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "lane": row.lane,
        "what": event_in_words(row.event),
        "transaction": row.transaction,
        "enqueued_at": _instant(row.enqueued_at),
        "offline": row.is_offline,
        "attempts": row.attempts,
    }


def quarantined_json(quarantined: QuarantinedRow) -> dict[str, Any]:
    return outbox_row_json(quarantined.row) | {
        "quarantined_at": _instant(quarantined.quarantined_at),
        "code": quarantined.code,
        "description": quarantined.description,
    }


def limit_json(limit: CircuitLimit) -> dict[str, Any]:
    return {
        "circuit": limit.circuit,
        "source": limit.source,
        "limit_a": limit.limit_a,
        "reason": limit.reason,
        "set_by": limit.set_by,
        "set_at": _instant(limit.set_at),
        "until": _instant(limit.until),
    }


def message_json(entry: TraceEntry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(timespec="milliseconds"),
        "station": entry.station_id,
        "direction": entry.direction,
        "frame": entry.frame,
    }


def event_in_words(event: OutboxEvent) -> str:
    """Say what a row of the outbox tells the cloud, without its content.

    The EVSE is the number upstream.
    """
    if isinstance(event, TransactionChanged):
        where = f" on EVSE {event.evse_id}" if event.evse_id else ""
        return f"transaction {event.event_type.lower()}{where} ({event.trigger_reason})"
    if isinstance(event, MetersSampled):
        return f"{len(event.meter_values)} meter values of EVSE {event.evse_id}"
    return f"security event {event.type}"


def token_hint(id_token: IdToken | None) -> str | None:
    """Return what people may see of a driver's token."""
    if id_token is None or len(id_token.value) <= HINT_LENGTH:
        return None
    return id_token.value[-HINT_LENGTH:]


def _instant(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
