"""The words of `site-gateway outbox` and `site-gateway transactions`.

Exit codes: 0 done; 1 it failed, or a person said no; 2 the words are wrong, or there is no
database.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from gateway.adapters import store_outbox, store_transactions
from gateway.adapters.store_look import Filter
from gateway.errors import StoreFailed
from gateway.limit_wish import parse_instant

DATABASE = "gateway.db"
DEFAULT_DATA = Path("data")
EXIT_FAILED, EXIT_WORDS = 1, 2

outbox = typer.Typer(
    help="What the cloud has not confirmed, read from the data directory.", no_args_is_help=True
)
transactions = typer.Typer(
    help="What was charged, and which way its messages went.", no_args_is_help=True
)

DataDir = Annotated[Path, typer.Option("--data", help="Where the gateway keeps its database.")]
Lane = Annotated[str | None, typer.Option(help="Only this lane, e.g. evse/3.")]
Number = Annotated[int | None, typer.Option("--transaction", help="Only this transaction.")]
Code = Annotated[str | None, typer.Option(help="Only what the cloud refused with this code.")]
Rows = Annotated[list[int] | None, typer.Argument(metavar="ROW…", help="Numbers of `list`.")]
All = Annotated[bool, typer.Option("--all", help="Every row in quarantine that the filters take.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Csv = Annotated[bool, typer.Option("--csv", help="For spreadsheets.")]
Since = Annotated[str | None, typer.Option(help="Began at or after, e.g. 2026-06-01T00:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Began before.")]

console = Console()
errors = Console(stderr=True)


@outbox.command(name="list")
def list_rows(
    *,
    data: DataDir = DEFAULT_DATA,
    limit: Annotated[int, typer.Option(min=1, help="Rows of each lane.")] = 50,
    lane: Lane = None,
    transaction: Number = None,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Only quarantine.")] = False,
    as_json: Json = False,
) -> None:
    """Show lanes, the oldest rows and the quarantine; the gateway may be running."""

    wanted = Filter(lane, transaction, is_quarantined=quarantined)
    database = _database(data)
    _end(lambda: store_outbox.list_rows(database, wanted, limit, console, is_json=as_json))


@outbox.command()
def export(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="Ends in .csv or .jsonl; -: standard output.")
    ],
    data: DataDir = DEFAULT_DATA,
    lane: Lane = None,
    transaction: Number = None,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Only quarantine.")] = False,
) -> None:
    """Write every waiting and quarantined row with all it tells; the gateway may be running."""

    wanted = Filter(lane, transaction, is_quarantined=quarantined)
    database = _database(data)

    def write() -> int:
        if str(target) == "-":
            return store_outbox.export_rows(database, wanted, sys.stdout, "-", errors)
        with target.open("w", encoding="utf-8", newline="") as file:
            return store_outbox.export_rows(database, wanted, file, str(target), errors)

    _end(write)


@outbox.command()
def retry(
    *,
    rows: Rows = None,
    data: DataDir = DEFAULT_DATA,
    all_rows: All = False,
    code: Code = None,
    lane: Lane = None,
    yes: Yes = False,
) -> None:
    """Put quarantined rows back into their lanes; the gateway must not be running."""
    wanted = Filter(lane, code=code) if all_rows else None
    _release(rows or [], data, wanted, yes=yes, is_retried=True)


@outbox.command()
def discard(
    *,
    rows: Rows = None,
    data: DataDir = DEFAULT_DATA,
    all_rows: All = False,
    code: Code = None,
    lane: Lane = None,
    yes: Yes = False,
) -> None:
    """Give quarantined rows up for good; the gateway must not be running."""
    wanted = Filter(lane, code=code) if all_rows else None
    _release(rows or [], data, wanted, yes=yes, is_retried=False)


@outbox.command()
def edit(
    row: int,
    *,
    note: Annotated[str, typer.Option(help="Why; kept with the change.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="May be repeated.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The whole event as JSON, as `export` shows it.")
    ] = None,
    data: DataDir = DEFAULT_DATA,
) -> None:
    """Change what a quarantined row tells before it is retried; the gateway must not be running.

    PATH is e.g. register_wh or meter_values.0.samples.0.value; VALUE is JSON, or else text.
    """
    if bool(settings) == (file is not None):
        raise typer.BadParameter("either --set or --file")
    event = None if file is None else _json_of(file)
    work = store_outbox.edit(
        _database(data),
        row,
        _changes(settings) if settings else None,
        event,
        note=note,
        by=_who(),
        errors=errors,
    )
    _end(lambda: asyncio.run(work))


def _changes(settings: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for setting in settings:
        path, is_there, text = setting.partition("=")
        if not is_there:
            raise typer.BadParameter(f"{setting} is not PATH=VALUE")
        try:
            changes[path.strip()] = json.loads(text)
        except ValueError:
            changes[path.strip()] = text
    return changes


def _json_of(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file}: {error}") from error


def _who() -> str:
    return f"{getpass.getuser()} at the command line"


def _release(
    rows: list[int], data: Path, wanted: Filter | None, *, yes: bool, is_retried: bool
) -> None:
    if bool(rows) == (wanted is not None):
        errors.print("name rows, or say --all: `site-gateway outbox list` shows what there is")
        raise typer.Exit(EXIT_WORDS)
    work = store_outbox.release(
        _database(data),
        rows,
        wanted,
        is_retried=is_retried,
        by=_who(),
        confirm=lambda question: yes or _asked(question),
        errors=errors,
    )
    _end(lambda: asyncio.run(work))


@transactions.command(name="list")
def list_transactions(
    *,
    data: DataDir = DEFAULT_DATA,
    since: Since = None,
    until: Until = None,
    station: Annotated[str | None, typer.Option(help="Only this station's.")] = None,
    running: Annotated[bool, typer.Option("--running", help="Only what has not ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show what was charged, the newest first; the gateway may be running."""

    wanted = store_transactions.TransactionFilter(
        _instant(since) or datetime.min.replace(tzinfo=UTC),
        _instant(until) or datetime.max.replace(tzinfo=UTC),
        station,
        running,
        limit,
    )
    database, form = _database(data), _form(as_json, as_csv)
    _end(lambda: store_transactions.list_transactions(database, wanted, form, console))


@transactions.command()
def show(
    number: int, data: DataDir = DEFAULT_DATA, as_json: Json = False, as_csv: Csv = False
) -> None:
    """Show the way of every message: the station's, ours, and what the cloud said to it."""

    database, form = _database(data), _form(as_json, as_csv)
    _end(lambda: store_transactions.show_transaction(database, number, form, console, errors))


def _end(work: Callable[[], int]) -> None:
    """Do it and leave with its exit code; a failure is told in words."""

    try:
        code = work()
    except (StoreFailed, OSError) as error:
        errors.print(f"[bold red]{escape(str(error))}[/]", highlight=False)
        code = EXIT_FAILED
    raise typer.Exit(code)


def _database(data: Path) -> Path:
    database = data / DATABASE
    if not database.exists():
        there = "no database in" if data.is_dir() else "no directory"
        errors.print(
            f"[bold red]{there} {data}[/]: name the directory the gateway was given with --data"
        )
        raise typer.Exit(EXIT_WORDS)
    return database


def _instant(text: str | None) -> datetime | None:

    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}") from error


def _form(as_json: bool, as_csv: bool) -> str:
    if as_json and as_csv:
        raise typer.BadParameter("either --json or --csv")
    return "json" if as_json else "csv" if as_csv else "table"


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        errors.print(f"{question} Nobody is there to answer: say --yes")
        return False
    return typer.confirm(question, err=True)
