"""The database looked at directly, for people without a browser: works when nothing else does.

Reading is harmless while the gateway runs. Everything raises `StoreFailed`, in words for people.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters import store_reads, store_schema
from gateway.errors import StoreFailed
from gateway.records import OutboxRow, QuarantinedRow

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of outbox and quarantine. What is None is not asked for."""

    lane: str | None = None
    transaction: int | None = None
    code: str | None = None
    """The cloud's answer: rows in quarantine only."""
    is_quarantined: bool = False
    """Rows in quarantine only."""

    def takes(self, row: OutboxRow) -> bool:
        return self.lane in (None, row.lane) and self.transaction in (None, row.transaction)


@contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the file to read, if it has this version's tables."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            version = store_schema.version_of(connection)
            newest = store_schema.newest_version()
            if version != newest:
                older = version < newest
                advice = "start the gateway of this version once" if older else "use that version"
                raise StoreFailed(
                    f"{database} was written by {'an older' if older else 'a newer'} version "
                    f"(schema {version}, this one has {newest}): {advice}"
                )
            yield connection
    except (sqlite3.Error, ValueError) as error:
        raise StoreFailed(f"{database} cannot be read: {error}") from error


def waiting(
    connection: sqlite3.Connection, wanted: Filter, limit: int | None = None
) -> Iterator[OutboxRow]:
    """Yield the rows that wait, lane by lane; `limit`: at most so many of each lane."""
    if wanted.is_quarantined or wanted.code is not None:
        return
    for backlog in store_reads.lane_backlogs(connection):
        if wanted.lane not in (None, backlog.lane):
            continue
        after_id = found = 0
        while rows := store_reads.lane_rows(connection, backlog.lane, after_id, PAGE):
            after_id = rows[-1].id
            for row in filter(wanted.takes, rows):
                if limit is not None and found == limit:
                    break
                found += 1
                yield row
            if limit is not None and found == limit:
                break


def quarantined(connection: sqlite3.Connection, wanted: Filter) -> list[QuarantinedRow]:
    """Return the rows in quarantine, in order of acceptance."""
    return [
        found
        for found in store_reads.quarantined_rows(connection)
        if wanted.takes(found.row) and wanted.code in (None, found.code)
    ]
