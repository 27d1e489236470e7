"""What the service manager hears, on a real socket."""

import asyncio
import socket
import tempfile

import pytest

from gateway.adapters import systemd


@pytest.fixture
def manager(monkeypatch):
    with (
        tempfile.TemporaryDirectory() as folder,  # pytest's own may be too long for a socket
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
    ):
        heard.bind(f"{folder}/notify")
        heard.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        yield heard


async def test_a_long_start_asks_for_more_time_until_it_is_over(manager, monkeypatch):
    monkeypatch.setattr(systemd, "_ASK_EVERY_S", 0.0)
    async with asyncio.timeout(10), systemd.more_time():
        said = await asyncio.get_running_loop().sock_recv(manager, 100)
    await asyncio.sleep(0)
    while True:
        try:
            manager.recv(100)
        except BlockingIOError:
            break
    for _ in range(10):
        await asyncio.sleep(0)

    assert said == b"EXTEND_TIMEOUT_USEC=30000000"
    with pytest.raises(BlockingIOError):
        manager.recv(100)


async def test_a_short_start_asks_for_nothing(manager):
    async with systemd.more_time():
        await asyncio.sleep(0)

    with pytest.raises(BlockingIOError):
        manager.recv(100)
