"""What became of the outbox' rows: the statements that remember it, and the way read back.

A row leaves the outbox in the commit that writes down its end here. The newest `KEPT_ROWS` are
kept: those that come make the old ones go, so that nothing ever has to be cleaned up.
"""

import sqlite3
from datetime import UTC, datetime
from functools import cache
from typing import Any

from gateway.adapters.store_statements import maybe_at
from gateway.bodies import parse_event
from gateway.journey import JourneyStep, StepState
from gateway.records import QuarantineEdit

Statement = tuple[str, tuple[Any, ...]]

KEPT_ROWS = 500_000
"""About 60 MB; a site of 40 EVSEs that charge all day fills it in a week."""
NO_MESSAGE = "no message in the version the cloud speaks"
"""Of what only the other version can tell."""
FORGOTTEN_EVERY = 16
"""Confirmed rows between two looks for what is too old."""
FORGOTTEN_AT_ONCE = 5_000
"""Rows looked at by one `ForgetJourneys`, so that no station waits long for its commit."""

_WAY = "transaction_number, kind, occurred_at, station_message_id, enqueued_at, is_offline"
_KEPT = f"id, {_WAY}, attempts, message_id, sent_at, sent_with, outcome, settled_at, note"
_FORGET_OLDEST = (
    "DELETE FROM journeys WHERE id <= ? AND id IN (SELECT id FROM journeys ORDER BY id LIMIT 512)"
)
_FORGET_BEFORE = (
    "DELETE FROM journeys WHERE settled_at < ? "
    "AND id IN (SELECT id FROM journeys ORDER BY id LIMIT ?)"
)
_DISCARDED = (
    f"INSERT OR REPLACE INTO journeys ({_KEPT}) "  # noqa: S608 - constants
    f"SELECT id, {_WAY}, attempts, message_id, sent_at, NULL, 'discarded', ?, ? || code "
    "FROM quarantine WHERE id = ?"
)
_NOTE_EDIT = (
    "INSERT INTO quarantine_edits (row_id, edited_at, edited_by, note, old_body, new_body) "
    "SELECT id, ?, ?, ?, body, ? FROM quarantine WHERE id = ?"
)
_EDIT = "UPDATE quarantine SET body = ? WHERE id = ?"
_EDITS = (
    "SELECT row_id, edited_at, edited_by, note, old_body, new_body FROM quarantine_edits "
    "WHERE row_id = ? ORDER BY number"
)
_STEPS = (
    f"SELECT {_KEPT} FROM journeys WHERE transaction_number = ?1 "  # noqa: S608 - constants
    f"UNION ALL SELECT id, {_WAY}, attempts, message_id, sent_at, NULL, "
    "iif(sent IS NULL, 'waiting', 'sent'), NULL, '' "
    "FROM outbox WHERE lane IN (?2, ?3) AND transaction_number = ?1 "
    f"UNION ALL SELECT id, {_WAY}, attempts, message_id, sent_at, NULL, 'quarantined', "
    "unixepoch(quarantined_at), trim(code || ' ' || description) "
    "FROM quarantine WHERE transaction_number = ?1 ORDER BY id LIMIT ?4"
)
MOST_STEPS = 20_000
"""Of one transaction: a month of one a minute is 43,200, of which the first are shown."""


def confirmed(row_ids: tuple[int, ...], settled_at: float | None) -> list[Statement]:
    """Return what moves the rows of one CALL, the head first, from the outbox to the journeys."""
    head = row_ids[0]
    move, delete = _confirmed(len(row_ids))
    moved: list[Statement] = [(move, (head, settled_at, *row_ids)), (delete, row_ids)]
    if head % FORGOTTEN_EVERY == 0:
        moved.append((_FORGET_OLDEST, (head - KEPT_ROWS,)))
    return moved


def discarded(row_id: int, settled_at: float | None, by: str) -> Statement:
    """Return what remembers a quarantined row that a person gives up; it is deleted elsewhere."""
    return _DISCARDED, (settled_at, f"by {by or 'nobody known'}: ", row_id)


def edited(row_id: int, body: bytes, who: tuple[str, str, str]) -> list[Statement]:
    """Return what changes a quarantined row; `who`: when, by whom, why."""
    return [(_NOTE_EDIT, (*who, body, row_id)), (_EDIT, (body, row_id))]


def edits(connection: sqlite3.Connection, row_id: int) -> list[QuarantineEdit]:
    """Return every change of a row, the first first."""
    return [
        QuarantineEdit(
            row, datetime.fromisoformat(at), by, note, parse_event(old), parse_event(new)
        )
        for row, at, by, note, old, new in connection.execute(_EDITS, (row_id,))
    ]


def forgotten_before(settled_at: float) -> Statement:
    return _FORGET_BEFORE, (settled_at, FORGOTTEN_AT_ONCE)


def steps(
    connection: sqlite3.Connection, number: int, lanes: tuple[str, str]
) -> tuple[JourneyStep, ...]:
    """Return the rows of a transaction, in order of arrival; `lanes`: where they may wait."""
    return tuple(map(_step, connection.execute(_STEPS, (number, *lanes, MOST_STEPS))))


@cache
def _confirmed(count: int) -> tuple[str, str]:
    """Return the INSERT and the DELETE for so many rows."""
    way = ", ".join(f"r.{column.strip()}" for column in _WAY.split(","))
    rows = ", ".join(f"?{number}" for number in range(3, 3 + count))
    move = (
        f"INSERT OR REPLACE INTO journeys ({_KEPT}) "  # noqa: S608 - constants and numbers
        f"SELECT r.id, {way}, coalesce(h.attempts, r.attempts), h.message_id, h.sent_at, "
        f"nullif(?1, r.id), 'confirmed', ?2, iif(h.message_id IS NULL, '{NO_MESSAGE}', '') "
        f"FROM outbox r LEFT JOIN outbox h ON h.id = ?1 WHERE r.id IN ({rows})"
    )
    return move, f"DELETE FROM outbox WHERE id IN ({', '.join('?' * count)})"  # noqa: S608 - marks


def _step(fields: Any) -> JourneyStep:
    (
        row_id,
        _,
        kind,
        occurred_at,
        station_message_id,
        enqueued_at,
        is_offline,
        attempts,
        message_id,
        sent_at,
        sent_with,
        state,
        settled_at,
        note,
    ) = fields
    return JourneyStep(
        row_id=row_id,
        kind=kind,
        occurred_at=_maybe_seconds(occurred_at),
        station_message_id=station_message_id,
        received_at=maybe_at(enqueued_at),
        is_offline=bool(is_offline),
        attempts=attempts,
        message_id=message_id,
        sent_at=_maybe_seconds(sent_at),
        sent_with=sent_with,
        state=StepState(state),
        settled_at=_maybe_seconds(settled_at),
        note=note or "",
    )


def _maybe_seconds(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
