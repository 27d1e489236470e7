"""How values and rows are written in SQL: one way for all tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Statement = tuple[str, tuple[Any, ...]]
"""SQL and its parameters."""


def instant(at: datetime) -> str:
    """Return an aware instant as the tables hold it; raises `ValueError` without a time zone."""
    if at.tzinfo is UTC:
        return at.isoformat()
    if at.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {at.isoformat()}")
    return at.astimezone(UTC).isoformat()


def maybe_instant(at: datetime | None) -> str | None:
    """Return what `instant` does; None stays unknown."""
    return None if at is None else instant(at)


def maybe_at(text: str | None) -> datetime | None:
    """Return what `maybe_instant` has written."""
    return None if text is None else datetime.fromisoformat(text)


def maybe_seconds(at: datetime | None) -> float | None:
    """Return an instant as seconds since 1970."""
    return None if at is None else at.timestamp()


def upsert(
    table: str, columns: Sequence[str], key: Sequence[str], fixed: Sequence[str] = ()
) -> str:
    """Return an INSERT that, for a key that exists, updates: unlike REPLACE it deletes nothing.

    The `fixed` columns stay as they were inserted: an index is written anew if any of its columns
    is assigned to, though the value be the same.
    """
    changing = [column for column in columns if column not in (*key, *fixed)]
    updates = ", ".join(f"{column} = excluded.{column}" for column in changing)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - names are constants
        f"VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
    )
