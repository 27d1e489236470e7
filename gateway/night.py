"""What is done once a day, when few cars come: a copy of the store, and old things let go.

Short orchestration, handed what it awaits. One that fails is a health reason until one succeeds.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from gateway.authorization import CACHE_SIZE
from gateway.errors import StoreFailed
from gateway.parts import Parts
from gateway.writes import ForgetOld, Write

BACKUPS = "backups"
"""Where the copies go if the site file names no place: beside the database."""
APART = timedelta(hours=25)
ROUNDS = 40
"""Parts of what is old that go in one night."""
BREATH_S = 0.1
"""Between two of them, so that stations are answered meanwhile."""


class Copies(Protocol):
    """The store, as far as it is copied and checked."""

    async def look_over(self, folder: str, kept: int, at: datetime) -> str: ...

    async def newest_copy_at(self, folder: str) -> datetime | None: ...


class Night:
    """The work of one night, whenever it is called for.

    Args:
        log: takes a log line.
        pause: sleeps so many seconds.
    """

    def __init__(
        self,
        parts: Parts,
        store: Copies,
        commit: Callable[[Sequence[Write]], Awaitable[None]],
        *,
        log: Callable[[str], None],
        pause: Callable[[float], Awaitable[None]],
        clock_utc: Callable[[], datetime],
    ) -> None:
        self._bounds = parts.site.storage
        self._store = store
        self._commit = commit
        self._problem = parts.problem
        self._log = log
        self._pause = pause
        self._clock_utc = clock_utc

    @property
    def _folder(self) -> str:
        return self._bounds.backup_dir or BACKUPS

    async def is_missed(self) -> bool:
        """Whether the last copy is older than it should be, as after a night switched off."""
        if self._bounds.backups_kept == 0:
            return False
        last_at = await self._store.newest_copy_at(self._folder)
        return last_at is None or self._clock_utc() - last_at > APART

    async def work(self) -> None:
        """Do all of it; never raises for the disk."""
        at, bounds = self._clock_utc(), self._bounds
        try:
            self._log(await self._store.look_over(self._folder, bounds.backups_kept, at))
        except StoreFailed as error:
            self._problem("backup", f"the last backup failed: {error}")
            self._log(f'backup.failed reason="{error}"')
        else:
            self._problem("backup", "")
        with suppress(StoreFailed):  # told by the store itself; there is another night
            await self._forget(at - timedelta(days=bounds.keep_transactions_days))

    async def _forget(self, ended_before: datetime) -> None:
        for _ in range(ROUNDS):
            await self._commit([ForgetOld(ended_before, CACHE_SIZE)])
            await self._pause(BREATH_S)
