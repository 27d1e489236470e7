"""Whom the cloud has judged, and its local list, as statements and read back."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.adapters.store_statements import Statement, instant, maybe_at, maybe_instant, upsert
from gateway.events import AuthorizationStatus, IdToken, IdTokenInfo
from gateway.records import KnownToken

_COLUMNS = (
    "key",
    "value",
    "type",
    "status",
    "expires_at",
    "group_id",
    "group_type",
    "heard_at",
)
_SAVE = upsert("tokens", _COLUMNS, ("key",))
_LIST = upsert("local_list", _COLUMNS, ("key",))
_ONLY_NEWEST = (
    "DELETE FROM tokens WHERE key IN "
    "(SELECT key FROM tokens ORDER BY heard_at DESC, key LIMIT -1 OFFSET ?)"
)


def saved(token: KnownToken) -> Statement:
    return _SAVE, _values(token)


def forgotten() -> Statement:
    return "DELETE FROM tokens", ()


def only_newest(count: int) -> Statement:
    return _ONLY_NEWEST, (count,)


def list_replaced(version: int, entries: Iterable[KnownToken]) -> list[Statement]:
    return [
        ("DELETE FROM local_list", ()),
        *((_LIST, _values(entry)) for entry in entries),
        ("UPDATE local_list_version SET version = ?", (version,)),
    ]


def list_version(connection: sqlite3.Connection) -> int:
    [(version,)] = connection.execute("SELECT version FROM local_list_version").fetchall()
    return int(version)


def tokens(connection: sqlite3.Connection, table: str) -> tuple[KnownToken, ...]:
    """Return a table of them, `tokens` or `local_list`, the longest known first."""
    cursor = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM {table} ORDER BY heard_at, key"  # noqa: S608 - constants
    )
    return tuple(
        KnownToken(
            IdToken(value, type_),
            IdTokenInfo(
                AuthorizationStatus(status),
                maybe_at(expires_at),
                maybe_token(group_id, group_type),
            ),
            datetime.fromisoformat(heard_at),
        )
        for _, value, type_, status, expires_at, group_id, group_type, heard_at in cursor
    )


def _values(token: KnownToken) -> tuple[Any, ...]:
    group = token.info.group
    return (
        token.id_token.key,
        token.id_token.value,
        token.id_token.type,
        token.info.status,
        maybe_instant(token.info.expires_at),
        None if group is None else group.value,
        None if group is None else group.type,
        instant(token.heard_at),
    )


def maybe_token(value: str | None, type_: str | None) -> IdToken | None:
    return None if value is None or type_ is None else IdToken(value, type_)
