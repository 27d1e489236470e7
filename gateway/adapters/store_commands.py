"""`site-gateway backup` and `restore`, with their progress. Functions return an exit code."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from gateway.adapters import store_file, store_schema
from gateway.adapters.store_backups import verdict
from gateway.errors import StoreFailed

EXIT_FAILED = 1


def write_backup(database: Path, target: Path, console: Console) -> int:
    """Copy the database as it is at one instant; the gateway may be running."""
    try:
        with _progress(f"{database} to {target}", console) as told:
            store_file.back_up(database, target, told)
    except StoreFailed as error:
        console.print(f"[bold red]{error}[/]")
        return EXIT_FAILED
    console.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
    return 0


def restore_backup(source: Path, data: Path, console: Console) -> int:
    """Put `source` in place of the database; what was there is kept beside it.

    Nothing is touched before the backup has been found sound and copied in full.
    """
    database = data / "gateway.db"
    try:
        lock = store_file.lock(database)
    except StoreFailed as error:
        console.print(f"[bold red]{error}[/]: stop the gateway first")
        return EXIT_FAILED
    with closing(lock):
        console.print(f"looking over {source}")
        if (fault := _fault_of(source)) is not None:
            console.print(f"[bold red]{source} cannot be restored[/]: {fault}")
            return EXIT_FAILED
        try:
            aside = _replace(database, source, console)
        except (sqlite3.Error, OSError) as error:
            console.print(f"[bold red]not restored[/]: {error}; nothing has changed")
            return EXIT_FAILED
    kept = f"; what was there is now {aside}" if aside else ""
    console.print(f"{database} restored from {source}{kept}")
    return 0


def _fault_of(source: Path) -> str | None:
    """Say why it cannot be a store of ours; None: it can."""
    if (found := verdict(source)) != "ok":
        return f"it is not a sound backup: {found}"
    with closing(store_file.open_to_read(source)) as connection:
        version = store_schema.version_of(connection)
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        if version < 1 or not {("outbox",), ("transactions",)} <= set(tables):
            return "it is not a database of this program"
    try:
        store_schema.refuse_newer(version)
    except StoreFailed as error:
        return str(error)
    return None


def _replace(database: Path, source: Path, console: Console) -> Path | None:
    """Copy the backup into place, counting on above whatever was given since it was made."""
    store_file.finish_replacement(database)
    seen = _numbers_of(database)
    at = datetime.now(UTC)
    with (
        _progress(f"{source} to {database}", console) as told,
        closing(store_file.open_to_read(source)) as backup,
        store_file.replacement(database) as new,
    ):
        backup.backup(new, pages=256, progress=lambda _, left, total: told(total - left, total))
        store_schema.leap(new, seen, at)
        store_schema.leap_seq_no(new)
        return store_file.keep_aside(database, f"replaced-{at:%Y%m%dT%H%M%SZ}")


def _numbers_of(database: Path) -> dict[str, int]:
    """Return the highest numbers given so far, as far as they can be read."""
    if not database.exists():
        return {}
    try:
        with closing(store_file.open_to_read(database)) as connection:
            return store_schema.highest_numbers(connection)
    except sqlite3.DatabaseError:
        return {}


@contextmanager
def _progress(what: str, console: Console) -> Iterator[store_file.Progress]:
    """Show how far it is: a bar on a terminal, else a line at each quarter."""
    if console.is_terminal:
        with Progress(console=console) as progress:
            task = progress.add_task(what, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        return
    said = -1

    def told(done: int, total: int) -> None:
        nonlocal said
        if total and (quarter := 4 * done // total) > said:
            said = quarter
            console.print(f"{what}: {25 * quarter} %")

    yield told
