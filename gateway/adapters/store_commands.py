"""`site-gateway outbox …` and `restore`: the database for people without a browser.

Looks at the file directly, so that it works when nothing else does. Reading is harmless while the
gateway runs; changing needs the file for itself. Never prints a token. Functions return an exit
code.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.adapters import store_file, store_reads
from gateway.adapters.store import open_store
from gateway.errors import StoreFailed
from gateway.events import SecurityEventOccurred, TransactionChanged
from gateway.records import OutboxRow, QuarantinedRow, Release

EXIT_FAILED = 1
PAGE = 1000


def list_outbox(database: Path, limit: int, console: Console) -> int:
    """Print the lanes, the oldest rows of each and the quarantine."""
    with closing(_open_to_read(database)) as connection:
        lanes = store_reads.lane_backlogs(connection)
        quarantined = store_reads.quarantined_rows(connection)
        rows = [
            row for lane in lanes for row in store_reads.lane_rows(connection, lane.lane, 0, limit)
        ]
    if not lanes and not quarantined:
        console.print("The outbox is empty: the cloud has confirmed everything.")
        return 0
    table = Table("lane", "waiting", "since", title="Waiting for the cloud")
    for lane in lanes:
        table.add_row(lane.lane, str(lane.pending), _text(lane.oldest_at))
    console.print(table)
    waiting = Table("row", "lane", "what", "at", "attempts", title="Oldest rows")
    for row in sorted(rows, key=lambda row: row.id)[:limit]:
        waiting.add_row(str(row.id), row.lane, _what(row), _text(_at(row)), str(row.attempts))
    console.print(waiting)
    if quarantined:
        console.print(_quarantine(quarantined))
    return 0


def _quarantine(rows: list[QuarantinedRow]) -> Table:
    table = Table("row", "lane", "what", "since", "the cloud said", title="Quarantine")
    for found in rows:
        said = f"{found.code} {found.description}".strip()
        table.add_row(
            str(found.row.id), found.row.lane, _what(found.row), _text(found.quarantined_at), said
        )
    return table


def export_outbox(database: Path, target: Path, console: Console) -> int:
    """Write every waiting and quarantined row, one JSON object a line, for a spreadsheet or us."""
    count = 0
    with closing(_open_to_read(database)) as connection, target.open("w") as file:
        for lane in store_reads.lane_backlogs(connection):
            after_id = 0
            while rows := store_reads.lane_rows(connection, lane.lane, after_id, PAGE):
                for row in rows:
                    file.write(json.dumps(_exported(row)) + "\n")
                count, after_id = count + len(rows), rows[-1].id
        for found in store_reads.quarantined_rows(connection):
            verdict = {"code": found.code, "description": found.description}
            file.write(json.dumps(_exported(found.row) | {"quarantine": verdict}) + "\n")
            count += 1
    console.print(f"{target}: {count} rows")
    return 0


def _exported(row: OutboxRow) -> dict[str, Any]:
    exported: dict[str, Any] = {
        "id": row.id,
        "lane": row.lane,
        "what": _what(row),
        "at": _text(_at(row)),
        "transaction": row.transaction,
        "attempts": row.attempts,
    }
    if isinstance(row.event, TransactionChanged):
        exported["register_wh"] = row.event.register_wh
        exported["event_type"] = row.event.event_type
    return exported


async def release_row(database: Path, row_id: int, is_retried: bool, console: Console) -> int:
    """Retry or discard one quarantined row."""
    try:
        store = await open_store(database)
    except StoreFailed as error:
        console.print(f"[bold red]{error}[/]: stop the gateway, or use its page or REST API")
        return EXIT_FAILED
    try:
        known = {found.row.id for found in await store.quarantined()}
        if row_id not in known:
            console.print(f"row {row_id} is not in quarantine; there are {sorted(known) or 'none'}")
            return EXIT_FAILED
        await store.commit([Release(row_id, is_retried)])
    finally:
        await store.close()
    console.print(f"row {row_id} {'goes back into its lane' if is_retried else 'is discarded'}")
    return 0


def restore_backup(source: Path, data: Path, console: Console) -> int:
    """Put `source` in place of the database; what was there is kept beside it."""
    database = data / "gateway.db"
    try:
        lock = store_file.lock(database)
    except StoreFailed as error:
        console.print(f"[bold red]{error}[/]: stop the gateway first")
        return EXIT_FAILED
    with closing(lock):
        try:
            with closing(_open_to_read(source)) as connection:
                (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            verdict = str(error)
        if verdict != "ok":
            console.print(f"[bold red]{source} is not a sound backup[/]: {verdict}")
            return EXIT_FAILED
        kept = database.with_name(f"gateway-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.db")
        for suffix in ("", "-wal", "-shm"):
            part = database.with_name(database.name + suffix)
            if part.exists():
                part.rename(kept.with_name(kept.name + suffix))
        shutil.copyfile(source, database)
        database.chmod(0o600)
    console.print(f"{database} restored from {source}; what was there is now {kept}")
    return 0


def _open_to_read(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True)


def _what(row: OutboxRow) -> str:
    event = row.event
    match event:
        case TransactionChanged():
            return f"{event.event_type} ({event.trigger_reason}) of transaction {row.transaction}"
        case SecurityEventOccurred():
            return f"security event {event.type}"
        case _:
            return f"meter values of EVSE {event.evse_id}"


def _at(row: OutboxRow) -> datetime | None:
    event = row.event
    if isinstance(event, TransactionChanged | SecurityEventOccurred):
        return event.at
    return event.meter_values[0].at if event.meter_values else row.enqueued_at


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
