"""The journal of limits and the quarters of demand tariffs, as statements and read back."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

from gateway.journal import JournalEntry, JournalOf
from load_balancer.limiters.quarter_hour import QuarterEnergy

Statement = tuple[str, tuple[Any, ...]]

MOST_KEPT = 500_000
"""Entries, whatever their age: some 50 MB."""

_FIELDS = "at, station_id, evse_id, from_a, to_a, rule, circuit, phase, value_a, compared_to_a"
_APPEND = f"INSERT INTO journal ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_FORGET_BEFORE = "DELETE FROM journal WHERE at < ?"
_FORGET_OLDEST = "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?"
_OF = "(?1 IS NULL OR station_id = ?1) AND (?2 IS NULL OR evse_id = ?2)"
_BETWEEN = (
    f"SELECT * FROM (SELECT id, {_FIELDS} FROM journal "  # noqa: S608 - constants
    f"WHERE {_OF} AND at >= ?3 AND at < ?4 ORDER BY at DESC, id DESC LIMIT ?5) ORDER BY at, id"
)
_BEFORE = (
    f"SELECT max(id), {_FIELDS} FROM journal WHERE {_OF} AND at <= ?3 "  # noqa: S608 - constants
    "GROUP BY station_id, evse_id ORDER BY station_id, evse_id"
)
_EXTENT = (
    "SELECT min(at), station_id, evse_id FROM journal "
    "GROUP BY station_id, evse_id ORDER BY station_id, evse_id"
)
_SAVE_QUARTER = (
    "INSERT INTO quarters (circuit, begins_at, used_wh, counted_to) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (circuit) DO UPDATE SET begins_at = excluded.begins_at, "
    "used_wh = excluded.used_wh, counted_to = excluded.counted_to"
)


def appended(entries: tuple[JournalEntry, ...]) -> list[Statement]:
    return [(_APPEND, _values(entry)) for entry in entries]


def forgotten(before: datetime) -> list[Statement]:
    """Return what deletes entries of before an instant, and those beyond `MOST_KEPT`."""
    return [(_FORGET_BEFORE, (before.timestamp(),)), (_FORGET_OLDEST, (MOST_KEPT,))]


def saved_quarter(quarter: QuarterEnergy) -> Statement:
    begins_at, counted_to = quarter.begins_at.isoformat(), quarter.counted_to.isoformat()
    return _SAVE_QUARTER, (quarter.circuit, begins_at, quarter.used_wh, counted_to)


def between(
    connection: sqlite3.Connection,
    since: datetime,
    until: datetime,
    of: JournalOf,
    limit: int,
) -> list[JournalEntry]:
    """Return the newest entries of [since, until), oldest first."""
    asked = (*of, since.timestamp(), until.timestamp(), limit)
    return [_entry(fields) for _, *fields in connection.execute(_BETWEEN, asked)]


def before(connection: sqlite3.Connection, at: datetime, of: JournalOf) -> list[JournalEntry]:
    """Return for each EVSE the last entry that is not after an instant."""
    asked = (*of, at.timestamp())
    return [_entry(fields) for _, *fields in connection.execute(_BEFORE, asked)]


def extent(connection: sqlite3.Connection) -> tuple[datetime | None, list[str]]:
    """Return since when there are entries (None: there are none), and of which EVSEs."""
    rows = list(connection.execute(_EXTENT))
    begins_at = min((at for at, *_ in rows), default=None)
    known = [f"{station_id}/{evse_id}" for _, station_id, evse_id in rows]
    return None if begins_at is None else datetime.fromtimestamp(begins_at, UTC), known


def quarters(connection: sqlite3.Connection) -> tuple[QuarterEnergy, ...]:
    rows = connection.execute("SELECT circuit, begins_at, used_wh, counted_to FROM quarters")
    return tuple(
        QuarterEnergy(
            circuit,
            datetime.fromisoformat(begins_at),
            used_wh,
            datetime.fromisoformat(counted_to),
        )
        for circuit, begins_at, used_wh, counted_to in rows
    )


def _values(entry: JournalEntry) -> tuple[Any, ...]:
    return (
        entry.at.timestamp(),
        entry.station_id,
        entry.evse_id,
        entry.from_a,
        entry.to_a,
        entry.rule,
        entry.circuit,
        entry.phase,
        entry.value_a,
        entry.compared_to_a,
    )


def _entry(fields: Any) -> JournalEntry:
    at, *rest = fields
    return JournalEntry(datetime.fromtimestamp(at, UTC), *rest)
