"""One change of the books in a process of its own, for the traps around its commit.

An example of every `Write` is made from its annotations, so that one which is new today has its
rows in the table today.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gateway.adapters.store import open_store
from gateway.writes import Confirm, Enqueue, MarkSent, Quarantine, Write

NUMBER = 7
"""Every number of an example, so that they refer to one another."""
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)
"""What is forgotten is what was before it."""
_PLAIN = {bool: True, int: NUMBER, float: 1.5, str: "x", bytes: b'["x", {}]', datetime: AT}

CHANGES: tuple[type, ...] = get_args(Write)

_KEPT = tuple(kind for kind in CHANGES if kind.__name__.startswith(("Save", "Append", "Log")))
BEFORE: tuple[tuple[type, ...], ...] = (
    (),
    (Enqueue,),
    (Enqueue, Quarantine),
    (Enqueue, MarkSent, Confirm),
    _KEPT,
)
"""What may have to be there for a change to change anything."""


def example_of(kind: Any) -> Any:
    """Return a value of a type, made from its annotations; nothing is left out."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) in (Union, UnionType):
        return example_of(next(part for part in get_args(kind) if part is not NoneType))
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        rest = [] if others == [...] else [example_of(other) for other in others]
        return (example_of(first), *rest)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is dict:
        return {"x": "y"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    fields = {name: example_of(hint) for name, hint in get_type_hints(kind).items()}
    fields |= {name: LATER for name in fields if name.endswith("before")}
    fields |= {name: NUMBER - 1 for name in fields if name == "seq_no"}  # the next one is NUMBER
    return kind(**fields)


def prepare(path: Path, change: type) -> bool:
    """Make a store in which `change` has something to change; return whether that is possible.

    What is there afterwards stands in `whole.db` beside it.
    """
    for kinds in BEFORE:
        path.unlink(missing_ok=True)
        asyncio.run(_commit(str(path), [example_of(kind) for kind in kinds]))
        whole = Path(shutil.copy(path, path.with_name("whole.db")))
        commit(str(whole), change.__name__)
        if everything(str(whole)) != everything(str(path)):
            return True
    return False


def commit(path: str, name: str) -> None:
    """Commit an example of the change of that name."""
    (change,) = (kind for kind in CHANGES if kind.__name__ == name)
    asyncio.run(_commit(path, [example_of(change)]))


async def _commit(path: str, writes: Sequence[Write]) -> None:
    store = await open_store(path)
    try:
        for write in writes:
            await store.commit([write])
    finally:
        await store.close()


def everything(path: str) -> list[str]:
    """Return all that is in a store, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return [line for line in connection.iterdump() if "sqlite_sequence" not in line]
