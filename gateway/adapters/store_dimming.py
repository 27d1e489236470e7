"""What the grid operator dims, and the evidence of it, as statements and read back."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

from load_balancer.limiters.dimming import DimmingCommand, DimmingEvidence, DimmingSource

Statement = tuple[str, tuple[Any, ...]]

_SAVE = (
    "INSERT OR REPLACE INTO dimming (source, total_w, reason, set_by, set_at, until) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_LOG = (
    "INSERT INTO dimming_evidence "
    "(at, what, source, set_by, reason, "
    "before_w, after_w, before_total_w, after_total_w, cars_w, grid_w) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def saved(command: DimmingCommand) -> Statement:
    until = None if command.until is None else _text(command.until)
    set_at = _text(command.at)
    values = (command.source, command.total_w, command.reason, command.by, set_at, until)
    return _SAVE, values


def deleted(source: DimmingSource) -> Statement:
    return "DELETE FROM dimming WHERE source = ?", (source,)


def logged(evidence: DimmingEvidence) -> Statement:
    command = evidence.command
    who = (command.source, command.by, command.reason) if command else (None, None, "")
    allowed = (evidence.before_w, evidence.after_w)
    in_total = (evidence.before_total_w, evidence.after_total_w)
    powers = (*allowed, *in_total, evidence.cars_w, evidence.grid_w)
    return _LOG, (_text(evidence.at), evidence.what, *who, *powers)


def forgotten(before: datetime) -> Statement:
    return "DELETE FROM dimming_evidence WHERE at < ?", (_text(before),)


def commands(connection: sqlite3.Connection) -> tuple[DimmingCommand, ...]:
    """Return what holds until it is taken back."""
    return tuple(
        DimmingCommand(
            DimmingSource(source),
            total_w,
            reason,
            by,
            datetime.fromisoformat(set_at),
            None if until is None else datetime.fromisoformat(until),
        )
        for source, total_w, reason, by, set_at, until in connection.execute(
            "SELECT source, total_w, reason, set_by, set_at, until FROM dimming ORDER BY source"
        )
    )


def evidence(
    connection: sqlite3.Connection, since: datetime, until: datetime
) -> list[DimmingEvidence]:
    """Return the evidence of [since, until), oldest first."""
    rows = connection.execute(
        "SELECT at, what, source, set_by, reason, "
        "before_w, after_w, before_total_w, after_total_w, cars_w, grid_w "
        "FROM dimming_evidence WHERE at >= ? AND at < ? ORDER BY at, id",
        (_text(since), _text(until)),
    )
    return [_evidence(*row) for row in rows]


def _evidence(
    at: str, what: str, source: str | None, by: str | None, reason: str, *powers: Any
) -> DimmingEvidence:
    when = datetime.fromisoformat(at)
    command = None
    if source is not None:
        command = DimmingCommand(DimmingSource(source), None, reason, by or "", when)
    return DimmingEvidence(when, what, command, *powers)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
