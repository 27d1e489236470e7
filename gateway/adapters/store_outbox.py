"""`site-gateway outbox …`: what the cloud has not confirmed, looked at and decided about.

Never prints a token. Tables go to `console`, questions, progress and errors beside them to standard
error, so that what is printed can be piped. Functions return an exit code or raise `StoreFailed`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.adapters import store_look, store_reads
from gateway.adapters.store import Store, open_store
from gateway.adapters.store_look import Filter
from gateway.errors import StoreFailed
from gateway.exports import OUTBOX_TABLE, as_csv, event_in_words, event_json, exported_json
from gateway.journey import occurred_at
from gateway.quarantine import EditRefused
from gateway.quarantine_edits import differences, mended
from gateway.records import OutboxRow, QuarantinedRow, Transaction
from gateway.writes import EditQuarantined, Release

EXIT_FAILED = 1
LINES_AT_ONCE = 500

Confirm = Callable[[str], bool]
"""Asks a person, who says yes or no."""


def list_rows(
    database: Path, wanted: Filter, limit: int, console: Console, *, is_json: bool = False
) -> int:
    """Print the lanes, the oldest rows of each and the quarantine."""
    with store_look.opened(database) as connection:
        lanes = store_reads.lane_backlogs(connection)
        rows = list(store_look.waiting(connection, wanted, limit))
        quarantined = store_look.quarantined(connection, wanted)
    rows = sorted(rows, key=lambda row: row.id)[:limit]
    if is_json:
        told = [exported_json(row) for row in rows]
        told += [exported_json(found.row, found) for found in quarantined]
        console.print_json(json.dumps(told))
        return 0
    if not lanes and not quarantined and wanted == Filter():
        console.print("The outbox is empty: the cloud has confirmed everything.")
        return 0
    if wanted == Filter():
        table = Table("lane", "waiting", "since", "for", title="Waiting for the cloud")
        for lane in lanes:
            table.add_row(lane.lane, str(lane.pending), _text(lane.oldest_at), _age(lane.oldest_at))
        console.print(table)
    if rows:
        console.print(_oldest(rows))
    if quarantined:
        console.print(_quarantine(quarantined))
    if not rows and not quarantined:
        console.print("No such rows.")
    return 0


def _oldest(rows: Sequence[OutboxRow]) -> Table:
    table = Table("row", "lane", "what", "tx", "at", "for", "tried", title="Oldest rows")
    for row in rows:
        number = "" if row.transaction is None else str(row.transaction)
        said = (_text(occurred_at(row.event) or row.enqueued_at), _age(row.enqueued_at))
        what = escape(event_in_words(row.event))
        table.add_row(str(row.id), row.lane, what, number, *said, str(row.attempts))
    return table


def _quarantine(rows: Sequence[QuarantinedRow]) -> Table:
    table = Table("row", "lane", "what", "tx", "since", "the cloud said", title="Quarantine")
    for found in rows:
        row = found.row
        number = "" if row.transaction is None else str(row.transaction)
        said = escape(f"{found.code} {found.description}".strip())
        what = escape(event_in_words(row.event))
        table.add_row(str(row.id), row.lane, what, number, _text(found.quarantined_at), said)
    return table


def export_rows(database: Path, wanted: Filter, target: IO[str], name: str, errors: Console) -> int:
    """Write every waiting and quarantined row: CSV if the name ends so, else an object a line."""
    is_csv = name.lower().endswith(".csv")
    count = 0
    if is_csv:
        target.write(as_csv([], OUTBOX_TABLE))
    with store_look.opened(database) as connection, _progress(errors) as progress:
        task = progress.add_task(f"writing {name}", total=None, rows=0)
        lines: list[dict[str, Any]] = []

        def write() -> None:
            nonlocal count
            target.write(_text_of(lines, is_csv=is_csv))
            count += len(lines)
            lines.clear()
            progress.update(task, rows=count)

        for row in store_look.waiting(connection, wanted):
            lines.append(exported_json(row))
            if len(lines) == LINES_AT_ONCE:
                write()
        lines += (
            exported_json(found.row, found) for found in store_look.quarantined(connection, wanted)
        )
        write()
    errors.print(f"{name}: {count} rows")
    return 0


def _text_of(rows: Iterable[dict[str, Any]], *, is_csv: bool) -> str:
    if is_csv:
        return as_csv(rows, OUTBOX_TABLE).split("\r\n", 1)[1]
    return "".join(json.dumps(row) + "\n" for row in rows)


def _progress(errors: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}: {task.fields[rows]} rows"))
    return Progress(*columns, TimeElapsedColumn(), console=errors, transient=True)


async def release(
    database: Path,
    row_ids: Sequence[int],
    wanted: Filter | None,
    *,
    is_retried: bool,
    by: str,
    confirm: Confirm,
    errors: Console,
) -> int:
    """Retry or discard rows in quarantine: those named, or with `wanted` all that it takes.

    `confirm` is asked before anything is given up, and before many are retried at once.
    """
    store = await _owned(database)
    try:
        kept = {found.row.id: found for found in await store.quarantined()}
        if unknown := [row_id for row_id in row_ids if row_id not in kept]:
            there = ", ".join(map(str, sorted(kept))) or "none"
            errors.print(f"not in quarantine: {', '.join(map(str, unknown))}; there: {there}")
            return EXIT_FAILED
        chosen = [kept[row_id] for row_id in dict.fromkeys(row_ids)]
        if wanted is not None:
            chosen = [found for found in kept.values() if _is_taken(found, wanted)]
        if not chosen:
            errors.print("nothing in quarantine to decide about")
            return 0
        if not _is_confirmed(chosen, is_retried=is_retried, confirm=confirm):
            errors.print("nothing was changed")
            return EXIT_FAILED
        at = datetime.now(UTC)
        await store.commit([Release(found.row.id, is_retried, at, by) for found in chosen])
    finally:
        await store.close()
    for found in chosen:
        end = "goes back into its lane" if is_retried else "is given up: it will not be billed"
        errors.print(f"row {found.row.id} {end}")
    return 0


async def edit(
    database: Path,
    row_id: int,
    changes: Mapping[str, Any] | None,
    event: Any,
    *,
    note: str,
    by: str,
    errors: Console,
) -> int:
    """Change what a quarantined row tells, and print what changed."""
    store = await _owned(database)
    try:
        kept = {found.row.id: found.row for found in await store.quarantined()}
        if row_id not in kept:
            there = ", ".join(map(str, sorted(kept))) or "none"
            errors.print(f"not in quarantine: {row_id}; there: {there}")
            return EXIT_FAILED
        books = _KeptBooks({each.number: each for each in (await store.load()).running})
        version = kept[row_id].sent_version
        row = mended(kept[row_id], changes, event, books=books, version=version)
        found = list(differences(event_json(kept[row_id].event), event_json(row.event)))
        await store.commit([EditQuarantined(row_id, row.event, by, datetime.now(UTC), note)])
    except EditRefused as refusal:
        errors.print(f"row {row_id} is not changed: {escape(str(refusal))}", highlight=False)
        return EXIT_FAILED
    finally:
        await store.close()
    for change in found:
        told = f"{change.path}: {json.dumps(change.old)} is now {json.dumps(change.new)}"
        errors.print(escape(told), highlight=False)
    errors.print(f"row {row_id}: `site-gateway outbox retry {row_id}` sends it again")
    return 0


@dataclass(frozen=True, slots=True)
class _KeptBooks:
    """The transactions that have rows, as they are on disk."""

    kept: dict[int, Transaction]

    def by_number(self, number: int) -> Transaction | None:
        return self.kept.get(number)


async def _owned(database: Path) -> Store:
    try:
        return await open_store(database)
    except StoreFailed as error:
        raise StoreFailed(f"{error}. Stop it, or use its page or REST interface") from error


def _is_taken(found: QuarantinedRow, wanted: Filter) -> bool:
    return wanted.takes(found.row) and wanted.code in (None, found.code)


def _is_confirmed(chosen: Sequence[QuarantinedRow], *, is_retried: bool, confirm: Confirm) -> bool:
    if is_retried and len(chosen) == 1:
        return True
    rows = f"row {chosen[0].row.id}" if len(chosen) == 1 else f"{len(chosen)} rows"
    if is_retried:
        return confirm(f"Send {rows} again?")
    return confirm(f"Give {rows} up for good? What they tell will never be billed.")


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _age(at: datetime | None) -> str:
    return "" if at is None else str(max(timedelta(), datetime.now(UTC) - at)).partition(".")[0]
