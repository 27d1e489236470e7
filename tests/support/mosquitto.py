"""A real mosquitto on a free port of loopback, that can be killed and started again.

Needs mosquitto installed: `mosquitto_or_skip` says what to install.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
PATIENCE_S = 10.0


def mosquitto_or_skip(name: str = "mosquitto") -> str:
    """Return a program's path; without it skip, or fail where CI must have it."""
    if path := shutil.which(name, path=PATH):
        return path
    reason = f"no {name} on the PATH: apt-get install mosquitto"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Broker:
    """One broker; its retained messages do not outlive it."""

    def __init__(self, folder: Path, users: dict[str, str] | None = None, acl: str = "") -> None:
        """`users`: name -> password; none: everybody may connect."""
        self._binary = mosquitto_or_skip()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", "persistence false"]
        lines.append(f"allow_anonymous {'false' if users else 'true'}")
        if os.geteuid() == 0:
            lines.append("user root")  # else it gives up the right to read what follows
        if users:
            lines.append(f"password_file {_password_file(folder, users)}")
        if acl:
            rules = folder / "acl"
            rules.write_text(acl)
            lines.append(f"acl_file {rules}")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
            [self._binary, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    def freeze(self) -> None:
        """Keep every connection and answer nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _password_file(folder: Path, users: dict[str, str]) -> Path:
    path = folder / "passwords"
    path.touch()
    for name, password in users.items():
        subprocess.run(
            [mosquitto_or_skip("mosquitto_passwd"), "-b", str(path), name, password], check=True
        )
    return path


@contextlib.contextmanager
def killed_at_the_end(broker: Broker) -> Iterator[Broker]:
    try:
        yield broker
    finally:
        broker.kill()


class Cable:
    """A TCP connection through us, that can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    def cut(self) -> None:
        """Break every connection without a word of farewell."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, far_writer]
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator["Cable"]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
