"""What systemd wants to hear: ready, alive, stopping (sd_notify(3), Type=notify, WatchdogSec=)."""

import asyncio
import os
import socket


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


async def keep_watchdog_quiet() -> None:
    """Say that the event loop turns, twice per watchdog period. Never returns."""
    period_us = os.environ.get("WATCHDOG_USEC")
    if not os.environ.get("NOTIFY_SOCKET") or not period_us:
        await asyncio.Event().wait()
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(period_us) / 2_000_000)
