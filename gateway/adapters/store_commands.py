"""`site-gateway restore`: a backup in place of the database. Returns an exit code."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from gateway.adapters import store_file
from gateway.errors import StoreFailed

EXIT_FAILED = 1


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
