"""A damaged data file: kept aside as it is, and a new one made of every row that can be read.

Rows are looked for around what is unreadable; one that makes no sense any more is as lost as one
that cannot be read. Numbers go on far above whatever the damaged file may have given. What was
lost is told in a text file beside it, and is a health reason until a person removes that file.

Everything here blocks, and nobody else has the file open.
"""

import logging
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.adapters import store_file, store_reads, store_schema
from gateway.errors import StoreFailed

log = logging.getLogger(__name__)

Row = tuple[Any, ...]

_PROBES = 20_000
"""Looks into the unreadable ranges of one table that find nothing: about a second, then the rest
of it is given up."""
_BLIND_PROBES = 2_000
"""The same where nobody knows how far its numbers go. A page holds a few hundred rows."""
_EVERYTHING = "everything"
_HIGHEST = 2**31 - 1
"""Row numbers end below it, where nothing else says so."""


@dataclass(slots=True)
class Loss:
    """What has become of one table."""

    kept: int = 0
    lost: int = 0
    """Rows, at most: of numbers nobody can read it is unknown whether they were still in use."""
    is_cut: bool = False
    """More cannot be read, and nobody knows how much."""

    def __str__(self) -> str:
        lost = "an unknown number" if self.is_cut else f"up to {self.lost}" if self.lost else "none"
        return f"{self.kept} rows kept, {lost} lost"


def rebuild(path: Path, reason: str, at: datetime) -> None:
    """Put what can be read of `path` in its place, and tell what was lost.

    Raises `StoreFailed` when the disk does not take it: then nothing has changed.
    """
    try:
        with store_file.replacement(path) as new:
            losses = _salvage(path, new, at)
            aside = store_file.keep_aside(path, f"damaged-{at:%Y%m%dT%H%M%SZ}")
            summary = _summary(reason, losses, aside, at)
            tables = (f"{table}: {loss}" for table, loss in losses.items())
            # Before the new file is in place: after a power cut it is told all the same.
            report = store_file.report_of(path)
            report.write_text("\n".join([summary, *tables, ""]), encoding="utf-8")
    except (sqlite3.Error, OSError) as error:
        raise StoreFailed(f"{path} is damaged ({reason}) and not replaced: {error}") from error
    log.error('store.rebuilt reason="%s" told_in=%s', summary, report)


def _summary(reason: str, losses: dict[str, Loss], aside: Path | None, at: datetime) -> str:
    touched = [table for table, loss in losses.items() if loss.lost or loss.is_cut]
    what = f"rows of {', '.join(touched)} are lost" if touched else "no row is lost"
    if _EVERYTHING in losses:
        what = "everything in it is lost"
    where = f"; the old file is {aside.name}" if aside else ""
    return (
        f"the data file was damaged and made anew at {at:%Y-%m-%d %H:%M:%S} UTC: {what} "
        f"({reason}){where}"
    )


def _salvage(path: Path, new: sqlite3.Connection, at: datetime) -> dict[str, Loss]:
    """Fill `new` from `path`; an unreadable file gives an empty one."""
    seen: dict[str, int] = {}
    losses: dict[str, Loss] = {}
    try:
        # An empty file is what a missing one comes to.
        with closing(
            store_file.open_to_read(path) if path.exists() else sqlite3.connect(":memory:")
        ) as old:
            # What can be read of the table of tables is used, though the rest of it cannot.
            old.execute("PRAGMA writable_schema = ON")
            version = store_schema.version_of(old)
            store_schema.refuse_newer(version)
            if version > 0:
                store_schema.migrate(new, through=version)
                seen = _numbers(old)
                losses = {table: _copy(old, new, table, seen) for table in _tables(new)}
            else:
                losses[_EVERYTHING] = Loss(is_cut=True)
    except sqlite3.DatabaseError as error:
        if not store_file.is_damage(error):
            raise
        losses[_EVERYTHING] = Loss(is_cut=True)
    store_schema.migrate(new)
    store_schema.leap(new, seen, at)
    return losses


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = r"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' "
    return [name for (name,) in connection.execute(query + r"ESCAPE '\'").fetchall()]


def _numbers(connection: sqlite3.Connection) -> dict[str, int]:
    try:
        return dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    except sqlite3.DatabaseError:
        return {}


def _copy(
    old: sqlite3.Connection, new: sqlite3.Connection, table: str, seen: dict[str, int]
) -> Loss:
    """Copy the readable rows of one table; one that makes no sense is lost."""
    description = new.execute(f"PRAGMA table_info({table})").fetchall()
    columns = [name for _, name, *_ in description]
    keys = [(name, kind) for _, name, kind, _, _, place in description if place]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    select = f"SELECT {names} FROM {table}"  # noqa: S608 - names of our schema
    insert = f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - the same
    loss = Loss()
    try:
        old.execute(f"{select} LIMIT 0")
    except sqlite3.DatabaseError:
        return Loss(is_cut=True)  # not even where it begins is known
    if len(keys) == 1 and keys[0][1] == "INTEGER":
        numbers = _Numbers.of(old, table, keys[0][0], seen.get(table))
        rows = _numbered(old, f"{select} NOT INDEXED", numbers, columns.index(keys[0][0]), loss)
    else:
        rows = _keyed(old, select, loss)
    with new:
        for row in rows:
            try:
                store_reads.check(table, dict(zip(columns, row, strict=True)))
                new.execute(insert, row)
            except (ValueError, sqlite3.IntegrityError):
                loss.lost += 1
            else:
                loss.kept += 1
    return loss


def _keyed(old: sqlite3.Connection, select: str, loss: Loss) -> Iterator[Row]:
    """Yield rows from both ends of a table without numbers, up to what is unreadable."""
    seen: set[Row] = set()
    for direction in ("ASC", "DESC"):
        try:
            for row in old.execute(f"{select} ORDER BY 1 {direction}"):
                if row not in seen:
                    seen.add(row)
                    yield row
        except sqlite3.DatabaseError:
            loss.is_cut = True
        else:
            return


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What is known of a table's numbers before its rows are read."""

    column: str
    highest: int
    known: list[int] | None
    """All of them, as an index may still tell; None: nothing does."""
    probes: int = _PROBES

    @classmethod
    def of(cls, old: sqlite3.Connection, table: str, column: str, given: int | None) -> "_Numbers":
        query = f"SELECT {column} FROM {table}"  # noqa: S608 - names of our schema
        try:
            known = sorted(number for (number,) in old.execute(query))
        except sqlite3.DatabaseError:
            if given is None:
                return cls(column, _HIGHEST, None, _BLIND_PROBES)
            return cls(column, given, None)
        return cls(column, known[-1] if known else 0, known)

    def has_any(self, first: int, last: int) -> bool:
        known = self.known
        return known is None or bisect_left(known, first) < bisect_right(known, last)


def _numbered(
    old: sqlite3.Connection, select: str, numbers: _Numbers, place: int, loss: Loss
) -> Iterator[Row]:
    """Yield every readable row of a numbered table, halving whatever range cannot be read."""
    query = f"{select} WHERE {numbers.column} BETWEEN ? AND ? ORDER BY {numbers.column}"
    ranges, probes = [(0, numbers.highest)], numbers.probes
    while ranges:
        first, last = ranges.pop()
        if not numbers.has_any(first, last):
            continue
        probes -= 1
        try:
            for row in old.execute(query, (first, last)):
                yield row
                first = row[place] + 1
            continue
        except sqlite3.DatabaseError:
            pass  # what is beyond may be read from the other end
        try:
            for row in old.execute(f"{query} DESC", (first, last)):
                yield row
                last = row[place] - 1
            continue
        except sqlite3.DatabaseError:
            pass  # both ends of the range are unreadable now
        if first == last:
            loss.lost += 1
        elif first < last and probes > 0:
            middle = (first + last) // 2
            ranges += [(middle + 1, last), (first, middle)]
        elif first < last:
            loss.is_cut = True
