"""Work that runs beside its caller. Owns the tasks; a failure is logged and harms nothing else."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("gateway")

Work = Coroutine[Any, Any, None]


class Beside:
    """Tasks that nobody awaits, held until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Work) -> asyncio.Task[None]:
        """Run it beside; within a running event loop."""
        task = asyncio.create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before it began
        return task

    def cancel(self) -> None:
        """Stop what still runs."""
        for task in self._tasks:
            task.cancel()


async def _guarded(work: Work) -> None:
    try:
        await work
    except Exception:
        log.exception("gateway.task_failed")
