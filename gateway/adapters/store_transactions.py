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
    console.print(_way(told["steps"]))
    return 0


def _way(steps: Sequence[dict[str, Any]]) -> Table:
    columns = ("row", "what", "station's id", "received", "cloud's id", "sent", "answered", "state")
    table = Table(*columns, title="The way of its messages")
    for step in steps:
        with_ = f"with {step['sent_with']}" if step["sent_with"] else step["cloud_message_id"]
        state = f"{step['state']} {step['note']}".strip()
        told = (step["station_message_id"], step["received_at"], with_, step["sent_at"])
        texts = [escape(str(text)) if text else "" for text in (*told, step["settled_at"])]
        table.add_row(str(step["row"]), step["kind"], *texts, escape(state))
    return table


def _print(
    rows: Sequence[dict[str, Any]], form: str, columns: Sequence[str], console: Console
) -> None:
    if form == "json":
        console.print_json(json.dumps(rows))
    else:
        console.file.write(as_csv(rows, columns))
