"""Waiting for a condition that other tasks make true, without polling. Touches the event loop."""

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes whoever waits, whenever something may have changed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()

    def notify(self) -> None:
        for waiter in self._waiters:
            waiter.set()

    async def until(self, condition: Callable[[], object], timeout_s: float | None = 5.0) -> None:
        """Return as soon as `condition` holds; `TimeoutError` after `timeout_s` (None: never)."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                waiter = asyncio.Event()
                self._waiters.add(waiter)
                try:
                    await waiter.wait()
                finally:
                    self._waiters.discard(waiter)
