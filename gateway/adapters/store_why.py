"""`site-gateway why …`: the journal of limits, read from the database, as a sentence and a table.

Harmless while the gateway runs, which writes it down every few seconds. Times are those of the
machine's clock on the wall. Returns an exit code.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.adapters import store_journal
from gateway.exports import as_csv
from gateway.journal import (
    COLUMNS,
    KEPT_S,
    MOMENT_S,
    JournalEntry,
    JournalOf,
    answer,
    journal_json,
    moment,
)

EXIT_FAILED = 1
EXIT_WORDS = 2
ROWS_SHOWN = 40


def why(
    database: Path, place: str, at_text: str | None, target: Path | None, console: Console
) -> int:
    """Say why an EVSE was limited as it was.

    Args:
        place: `STATION` or `STATION/EVSE`.
        at_text: a time of day or an RFC 3339 instant; None: now.
        target: a CSV file for all of the last day's entries; None: none is written.
    """
    now = datetime.now(UTC)
    zone = now.astimezone().tzinfo or UTC
    station_id, _, evse = place.partition("/")
    try:
        at = now if at_text is None else moment(at_text, zone, now)
        of = JournalOf(station_id, int(evse) if evse else None)
    except ValueError as error:
        console.print(f"[bold red]{at_text or place}[/] {error}")
        return EXIT_WORDS
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        held = store_journal.before(connection, at, of)
        end = at + timedelta(seconds=MOMENT_S)
        history = store_journal.between(
            connection, end - timedelta(seconds=KEPT_S), end, of, store_journal.MOST_KEPT
        )
        begins_at, known = store_journal.extent(connection)
    if not held:
        console.print(f"Nothing is written down of {place} at {at.astimezone(zone):%d %b %H:%M}.")
        console.print(_what_there_is(begins_at, known, zone), highlight=False)
        return EXIT_FAILED
    for entry in held:
        console.print(answer(entry, at, zone), highlight=False)
    console.print(_table(history[-ROWS_SHOWN:], zone))
    if target is not None:
        rows = [journal_json(entry) for entry in history]
        target.write_text(as_csv(rows, COLUMNS), encoding="utf-8")
        console.print(f"{target}: {len(history)} entries")
    return 0


def _what_there_is(begins_at: datetime | None, known: Sequence[str], zone: tzinfo) -> str:
    if begins_at is None:
        return "Nothing is written down at all yet: the gateway does so while it runs."
    begins = f"{begins_at.astimezone(zone):%d %b %H:%M}"
    return f"The journal begins {begins} and knows {', '.join(known)}."


def _table(entries: Sequence[JournalEntry], zone: tzinfo) -> Table:
    table = Table("at", "EVSE", "from", "to", "why", title="The last changes")
    for entry in entries:
        at = f"{entry.at.astimezone(zone):%H:%M:%S}"
        name = f"{entry.station_id}/{entry.evse_id}"
        table.add_row(at, name, f"{entry.from_a:g} A", f"{entry.to_a:g} A", entry.sentence())
    return table
