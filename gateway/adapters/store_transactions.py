"""`site-gateway transactions …`: what was charged, and which way each message of it went.

Never prints a whole token. Functions return an exit code or raise `StoreFailed`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.adapters import store_look, store_reads
from gateway.exports import (
    JOURNEY_TABLE,
    TRANSACTION_TABLE,
    as_csv,
    journey_json,
    transaction_json,
)
from gateway.records import Transaction

EXIT_FAILED = 1

TIMES = ("received", "sent", "answered")
WIDE = 110
"""Columns of a terminal in which a date stands beside its time and not above."""


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    since: datetime
    until: datetime
    station: str | None = None
    is_running: bool = False
    """Only what has not ended."""
    limit: int = 50
    """At most so many, the newest."""

    def takes(self, transaction: Transaction) -> bool:
        is_there = self.station in (None, transaction.station_id)
        return is_there and not (self.is_running and transaction.ended_at is not None)


def list_transactions(
    database: Path, wanted: TransactionFilter, form: str, console: Console
) -> int:
    """Print transactions, the newest first; `form`: `table`, `json` or `csv`."""
    with store_look.opened(database) as connection:
        found = store_reads.transactions_between(connection, wanted.since, wanted.until)
    rows = [transaction_json(t) for t in found[::-1] if wanted.takes(t)][: wanted.limit]
    if form != "table":
        _print(rows, form, TRANSACTION_TABLE, console)
        return 0
    table = Table("number", "began", "ended", "station", "token", "kWh", "reason", "flags")
    for row in rows:
        energy_wh = row["energy_wh"]
        table.add_row(
            str(row["number"]),
            row["started_at"],
            row["ended_at"] or "running",
            escape(f"{row['station']}/{row['evse']}"),
            f"…{row['id_token_hint']}" if row["id_token_hint"] else "",
            "" if energy_wh is None else f"{energy_wh / 1000:.3f}",
            row["stopped_reason"] or "",
            ", ".join(row["flags"]),
        )
    console.print(table if rows else "No such transactions.")
    return 0


def running(database: Path) -> list[str]:
    """Return where somebody charges by the books, as `CP-01/1`; raises `StoreFailed`."""
    with store_look.opened(database) as connection:
        kept = store_reads.load(connection)
    return [f"{t.station_id}/{t.evse_id}" for t in kept.running if t.ended_at is None]


def show_transaction(
    database: Path, number: int, form: str, console: Console, errors: Console
) -> int:
    """Print the way of every message of one transaction."""
    with store_look.opened(database) as connection:
        journey = store_reads.journey(connection, number)
    if journey is None:
        errors.print(f"there is no transaction {number}: `site-gateway transactions list` has them")
        return EXIT_FAILED
    told = journey_json(journey)
    if form == "json":
        console.print_json(json.dumps(told))
        return 0
    if form == "csv":
        _print(told["steps"], form, JOURNEY_TABLE, console)
        return 0
    facts = Table(show_header=False, title=f"Transaction {number}")
    for name, value in told["transaction"].items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        facts.add_row(name, "" if value is None else escape(text))
    console.print(facts)
    console.print(_way(told["steps"], is_wide=console.width >= WIDE))
    return 0


def _way(steps: Sequence[dict[str, Any]], *, is_wide: bool) -> Table:
    columns = ("row", "what", "station's id", "received", "cloud's id", "sent", "answered", "state")
    table = Table(title="The way of its messages")
    for column in columns:
        # Where there is little room ids are cut off, --json has them whole; a time never is.
        width = len("06-01 12:00:00" if is_wide else "12:00:00")
        table.add_column(column, width=width if column in TIMES else None)
    for step in steps:
        with_ = f"with {step['sent_with']}" if step["sent_with"] else step["cloud_message_id"]
        state = f"{step['state']} {step['note']}".strip()
        table.add_row(
            str(step["row"]),
            step["kind"],
            escape(step["station_message_id"] or ""),
            _clock(step["received_at"]),
            escape(with_ or ""),
            _clock(step["sent_at"]),
            _clock(step["settled_at"]),
            escape(state),
        )
    return table


def _clock(instant: str | None) -> str:
    """Return day and second of an RFC 3339 instant in UTC.

    >>> _clock("2026-06-01T12:00:00.250+00:00")
    '06-01 12:00:00'
    """
    return "" if instant is None else f"{datetime.fromisoformat(instant):%m-%d %H:%M:%S}"


def _print(
    rows: Sequence[dict[str, Any]], form: str, columns: Sequence[str], console: Console
) -> None:
    if form == "json":
        console.print_json(json.dumps(rows))
    else:
        console.file.write(as_csv(rows, columns))
