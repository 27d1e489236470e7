"""What people and programs take with them: transactions, their journeys and rows of the outbox.

As JSON objects and as CSV. Pure. Tokens of drivers are shortened to their last four characters;
energy Wh, instants RFC 3339 in UTC. A cell never begins like a formula: spreadsheets run those.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from gateway.events import IdToken, MetersSampled, SampledValue, TransactionChanged
from gateway.journey import Journey, JourneyStep, flags_of
from gateway.records import OutboxEvent, OutboxRow, QuarantinedRow, Transaction, Unreadable

HINT_LENGTH = 4

OUTBOX_TABLE = (
    *("id", "lane", "state", "what", "transaction", "enqueued_at", "offline", "attempts"),
    *("quarantined_at", "code", "description", "event"),
)
"""Columns of the outbox as CSV."""
TRANSACTION_TABLE = (
    *("number", "started_at", "ended_at", "station", "evse", "connector", "cloud_evse"),
    *("id_token_hint", "energy_wh", "register_start_wh", "register_last_wh", "stopped_reason"),
    *("verdict", "flags", "transaction_id", "cloud_number", "started_told_at", "ended_told_at"),
)
JOURNEY_TABLE = (
    *("row", "kind", "state", "occurred_at", "station_message_id", "received_at", "offline"),
    *("cloud_message_id", "sent_at", "sent_with", "attempts", "settled_at", "waited_s"),
    *("answered_in_s", "note"),
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def transaction_json(transaction: Transaction) -> dict[str, Any]:
    start_wh, last_wh = transaction.register_start_wh, transaction.register_last_wh
    return {
        "number": transaction.number,
        "transaction_id": transaction.uuid,
        "cloud_number": transaction.cloud_number,
        "station": transaction.station_id,
        "evse": transaction.evse_id,
        "connector": transaction.connector_id,
        "cloud_evse": transaction.cloud_evse,
        "id_token_hint": token_hint(transaction.id_token),
        "verdict": transaction.verdict,
        "started_at": instant(transaction.started_at),
        "ended_at": instant(transaction.ended_at),
        "stopped_reason": transaction.stopped_reason,
        "energy_wh": None if start_wh is None or last_wh is None else last_wh - start_wh,
        "register_start_wh": start_wh,
        "register_last_wh": last_wh,
        "estimated": transaction.is_estimated,
        "started_told_at": instant(transaction.started_told_at),
        "ended_told_at": instant(transaction.ended_told_at),
        "flags": list(flags_of(transaction)),
    }


def journey_json(journey: Journey) -> dict[str, Any]:
    return {
        "transaction": transaction_json(journey.transaction),
        "steps": [step_json(step) for step in journey.steps],
    }


def step_json(step: JourneyStep) -> dict[str, Any]:
    return {
        "row": step.row_id,
        "kind": step.kind,
        "occurred_at": instant(step.occurred_at, "milliseconds"),
        "station_message_id": step.station_message_id,
        "received_at": instant(step.received_at, "milliseconds"),
        "offline": step.is_offline,
        "cloud_message_id": step.message_id,
        "sent_at": instant(step.sent_at, "milliseconds"),
        "sent_with": step.sent_with,
        "attempts": step.attempts,
        "state": step.state,
        "settled_at": instant(step.settled_at, "milliseconds"),
        "waited_s": _seconds(step.received_at, step.settled_at),
        "answered_in_s": _seconds(step.sent_at, step.settled_at),
        "note": step.note,
    }


def outbox_row_json(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "lane": row.lane,
        "what": event_in_words(row.event),
        "transaction": row.transaction,
        "enqueued_at": instant(row.enqueued_at),
        "offline": row.is_offline,
        "attempts": row.attempts,
    }


def quarantined_json(quarantined: QuarantinedRow) -> dict[str, Any]:
    return outbox_row_json(quarantined.row) | {
        "quarantined_at": instant(quarantined.quarantined_at),
        "code": quarantined.code,
        "description": quarantined.description,
    }


def exported_json(row: OutboxRow, quarantined: QuarantinedRow | None = None) -> dict[str, Any]:
    """Return a row with all that it tells; signed meter values as the station signed them."""
    told = outbox_row_json(row) if quarantined is None else quarantined_json(quarantined)
    return told | {
        "state": "quarantined" if quarantined else "waiting",
        "event": event_json(row.event),
    }


def plain_json(event: OutboxEvent) -> dict[str, Any]:
    """Return all that a row tells, the whole token included: not for people."""
    told: dict[str, Any] = orjson.loads(
        orjson.dumps(event, default=_named, option=orjson.OPT_UTC_Z)
    )
    return told


def event_json(event: OutboxEvent) -> dict[str, Any]:
    """Return what a row tells, with the token's last four characters."""
    told = plain_json(event)
    if isinstance(event, TransactionChanged) and event.id_token is not None:
        told["id_token"]["value"] = f"***{token_hint(event.id_token) or ''}"
    return told


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return a table with a head, one line a row, `,` between and CRLF behind (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return text.getvalue()


def event_in_words(event: OutboxEvent) -> str:
    """Say what a row of the outbox tells the cloud, without its content.

    The EVSE is the number upstream.
    """
    if isinstance(event, TransactionChanged):
        where = f" on EVSE {event.evse_id}" if event.evse_id else ""
        return f"transaction {event.event_type.lower()}{where} ({event.trigger_reason})"
    if isinstance(event, MetersSampled):
        return f"{len(event.meter_values)} meter values of EVSE {event.evse_id}"
    if isinstance(event, Unreadable):
        return f"unreadable, {len(event.raw)} bytes"
    return f"security event {event.type}"


def token_hint(id_token: IdToken | None) -> str | None:
    """Return what people may see of a driver's token."""
    if id_token is None or len(id_token.value) <= HINT_LENGTH:
        return None
    return id_token.value[-HINT_LENGTH:]


def instant(at: datetime | None, timespec: str = "seconds") -> str | None:
    return at.isoformat(timespec=timespec) if at else None


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    if begin is None or end is None:
        return None
    return round((end - begin) / timedelta(seconds=1), 3)


def _named(value: Any) -> Any:
    """A sampled value is a tuple in memory, and an object for whoever reads it elsewhere."""
    if isinstance(value, SampledValue):
        return value._asdict()
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"not to be exported: {type(value).__name__}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if isinstance(value, bool | int | float):
        return str(value)
    text = orjson.dumps(value).decode() if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
