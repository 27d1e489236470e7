"""Death at any step of work on files: an SQL statement, or a file opened, named or removed.

Python and SQLite tell of these before they happen. The work is done once
to count its steps, and then as often, each time with the power gone before another step.
"""

import sqlite3
import sys
from pathlib import Path
from typing import Any

from tests.scenarios.crash.failpoints import die

_FILES = {
    "open",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.truncate",
    "shutil.copyfile",
}


class Steps:
    """Counts what this process does below a folder from now on, for its whole life."""

    def __init__(self, folder: Path, last: int | None) -> None:
        """`last`: the number of the step before which to die; None: none."""
        self.count = 0
        self._folder, self._last = str(folder), last
        sys.addaudithook(self._hear)
        self._connect, sqlite3.connect = sqlite3.connect, self._connected

    def _connected(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._connect(*args, **kwargs)
        connection.set_trace_callback(lambda _: self._step())
        return connection

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _FILES and str(args[0]).startswith(self._folder):
            self._step()

    def _step(self) -> None:
        if self.count == self._last:
            die()
        self.count += 1
