"""The tables: which there are, how they come to be, and numbers that are never given twice.

Everything here blocks and works on an open connection.
"""

import logging
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files

from gateway.errors import StoreFailed

log = logging.getLogger(__name__)

_NUMBERS_BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
"""Seconds since then are more than the numbers any site gives, and fit an int32 until 2088."""
_LEAP = 1000
"""What may have been given and is seen nowhere."""
_ALSO_NUMBERED = {
    "transactions": (("outbox", "transaction_number"), ("quarantine", "transaction_number")),
    "outbox": (("quarantine", "id"),),
}
"""Where else a table's numbers stand."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration; 0: the file is empty."""
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def newest_version() -> int:
    """Return the number of the last migration this program has."""
    return migrations()[-1][0]


def refuse_newer(version: int) -> None:
    """Raise `StoreFailed` for a file that a newer program has written."""
    if version > newest_version():
        raise StoreFailed(
            f"the data file has schema {version}, this version knows up to {newest_version()}: "
            "it was written by a newer one"
        )


def migrate(connection: sqlite3.Connection, *, through: int | None = None) -> None:
    """Bring the schema up to date, or `through` a number; each step whole or not at all."""
    version = version_of(connection)
    for number, sql in migrations():
        if version < number and (through is None or number <= through):
            connection.executescript(
                f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {number}; COMMIT;"
            )
            log.info("store.migrated from=%d to=%d", version, number)


def migrations() -> list[tuple[int, str]]:
    """Return number and SQL of every `NNNN_name.sql`, in order."""
    folder = files("gateway.adapters") / "migrations"
    return sorted(
        (int(script.name.split("_")[0]), script.read_text(encoding="utf-8"))
        for script in folder.iterdir()
        if script.name.endswith(".sql")
    )


def highest_numbers(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the highest number given so far of every table that counts."""
    given = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    counting = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    for (table,) in connection.execute(counting).fetchall():
        for place, column in ((table, "rowid"), *_ALSO_NUMBERED.get(table, ())):
            query = f"SELECT max({column}) FROM {place}"  # noqa: S608 - names of our own schema
            [(seen,)] = connection.execute(query).fetchall()
            given[table] = max(given.get(table, 0), seen or 0)
    return given


def leap(connection: sqlite3.Connection, seen: Mapping[str, int], at: datetime) -> None:
    """Go on counting above whatever a lost or newer file may have given.

    `seen` are the highest numbers known from elsewhere; the time is above all that nobody knows.
    """
    base = int((at - _NUMBERS_BEGAN).total_seconds())
    with connection:
        for table, highest in highest_numbers(connection).items():
            number = max(base, highest + _LEAP, seen.get(table, 0) + _LEAP)
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, number))


def leap_seq_no(connection: sqlite3.Connection) -> None:
    """Go on above every seqNo the cloud may have heard since this copy was made.

    A gap is honest (2.0.1 Part 2 §1.3.2: messages are missing); a seqNo with other content is not.
    """
    with connection:
        connection.execute("UPDATE transactions SET next_seq_no = next_seq_no + ?", (_LEAP,))
