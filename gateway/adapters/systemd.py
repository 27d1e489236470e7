"""What systemd wants to hear: ready, alive, stopping (sd_notify(3), Type=notify, WatchdogSec=)."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_ASK_EVERY_S = 10.0
_MORE_US = 30_000_000


def notify(state: str) -> None:
    """Tell the service manager; without one (a terminal, a container) nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        channel.sendall(state.encode())


@asynccontextmanager
async def more_time() -> AsyncIterator[None]:
    """Ask for time as long as this lasts: to make a large data file anew takes minutes."""
    asking = asyncio.create_task(_ask_for_time())
    try:
        yield
    finally:
        asking.cancel()


async def _ask_for_time() -> None:
    while True:
        await asyncio.sleep(_ASK_EVERY_S)
        notify(f"EXTEND_TIMEOUT_USEC={_MORE_US}")


async def keep_watchdog_quiet() -> None:
    """Say that the event loop turns, twice per watchdog period. Never returns."""
    period_us = os.environ.get("WATCHDOG_USEC")
    if not os.environ.get("NOTIFY_SOCKET") or not period_us:
        await asyncio.Event().wait()
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(period_us) / 2_000_000)
