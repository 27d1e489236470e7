"""Where a process is killed: named lines of the gateway, trapped from outside.

Installed in a child process before the gateway runs there; the product has no line for it. A trap
does nothing until a file holds its name, so that a test prepares its site in peace, writes the
name, and goes on until the process is gone.
"""

import asyncio
import functools
import importlib
import inspect
import os
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

FLUSH_S = 0.02
"""uvloop writes to sockets at the end of its turn: what was said has left by then."""


class Moment(Enum):
    BEFORE = "before"
    INSIDE = "inside"
    """Of a commit: every statement was carried out, COMMIT was not."""
    AFTER = "after"
    LEFT = "left"
    """After what the function has written has left the process."""


@dataclass(frozen=True, slots=True)
class Trap:
    """One line at which the process may end."""

    name: str
    where: str
    """`module:function` or `module:Class.function`; INSIDE: what is handed a batch to commit."""
    moment: Moment
    applies: Callable[..., bool] = lambda *_, **__: True
    """Is handed the arguments of the call: whether it is the one."""


class Armed:
    """What the file says: the name of a trap, and at which time through it closes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: dict[str, int] = {}

    def closes(self, trap: Trap) -> bool:
        try:
            name, _, count = self._path.read_text().partition("#")
        except FileNotFoundError:
            return False
        if name != trap.name:
            return False
        left = self._left.setdefault(f"{name}#{count}", int(count or 1)) - 1
        self._left[f"{name}#{count}"] = left
        return left == 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def install(traps: list[Trap], armed: Armed) -> None:
    """Put the traps into the modules of this process."""
    by_place: dict[str, list[Trap]] = defaultdict(list)
    for trap in traps:
        by_place[trap.where].append(trap)
    inside = _Inside()
    for where, found in by_place.items():
        owner, name = _place(where)
        function = getattr(owner, name)
        setattr(owner, name, _trapped(function, found, armed, inside))
    owner, name = _place(COMMIT)
    setattr(owner, name, inside.around(getattr(owner, name)))


COMMIT = "gateway.adapters.store:_commit_batch"
"""Where the statements of a batch are carried out, on SQLite's thread."""


class _Inside:
    """Kills just before the COMMIT of a batch that was found to be the one."""

    def __init__(self) -> None:
        self.is_set = False

    def around(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(commit)
        def committing(connection: Any, *args: Any) -> Any:
            return commit(_Doomed(connection) if self.is_set else connection, *args)

        return committing


class _Doomed:
    """A connection that carries out everything but COMMIT."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *args: Any) -> Any:
        if sql == "COMMIT":
            die()
        return self._connection.execute(sql, *args)


def _place(where: str) -> tuple[Any, str]:
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    return owner, name


def _trapped(
    function: Callable[..., Any], traps: list[Trap], armed: Armed, inside: _Inside
) -> Callable[..., Any]:
    def before(*args: Any, **kwargs: Any) -> None:
        for trap in traps:
            if not trap.applies(*args, **kwargs):
                continue
            if trap.moment is Moment.BEFORE and armed.closes(trap):
                die()
            if trap.moment is Moment.INSIDE and armed.closes(trap):
                inside.is_set = True

    def after(*args: Any, **kwargs: Any) -> None:
        for trap in traps:
            is_later = trap.moment in (Moment.AFTER, Moment.LEFT)
            if not is_later or not trap.applies(*args, **kwargs) or not armed.closes(trap):
                continue
            if trap.moment is Moment.AFTER:
                die()
            asyncio.get_running_loop().call_later(FLUSH_S, die)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            before(*args, **kwargs)
            result = await function(*args, **kwargs)
            after(*args, **kwargs)
            return result

        return waiting

    @functools.wraps(function)
    def calling(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        result = function(*args, **kwargs)
        after(*args, **kwargs)
        return result

    return calling
