"""The socket of a simulated station: connects, comes back after a loss, carries frames.

Touches the wire and the clock; decides nothing but how long to wait before the next attempt
(2.0.1 Part 4 §5.3: a minimum plus a random part, doubled a few times).
"""

import asyncio
import base64
import contextlib
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from gateway.simulation.cars import Car
from gateway.simulation.changes import Changes
from gateway.simulation.station import Station


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits between connection attempts, s."""

    minimum_s: float = 1.0
    random_s: float = 1.0
    doublings: int = 5

    def wait_s(self, attempt: int, dice: random.Random) -> float:
        """Return the wait before attempt number `attempt` (1 is the first after a loss)."""
        doubled_s: float = self.minimum_s * 2 ** min(attempt - 1, self.doublings)
        return doubled_s + dice.uniform(0, self.random_s)


class StationLink:
    """One station on the wire.

    Args:
        url: the identity is appended.
        tick_s: how often the station's time passes by itself; None: only by `tick()`.
        clock: monotonic seconds.
        changes: told of every frame and tick; None: the link's own.
    """

    def __init__(
        self,
        station: Station,
        url: str,
        *,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        back_off: BackOff = BackOff(),
        tick_s: float | None = 0.5,
        clock: Callable[[], float] = time.monotonic,
        dice: random.Random | None = None,
        changes: Changes | None = None,
    ) -> None:
        self.station = station
        self.connections = 0
        """How often a connection was established."""
        self.refused: list[str] = []
        """Why connection attempts failed, newest last; at most 100."""
        self.changes = changes or Changes()
        self._url = f"{url}/{quote(station.settings.identity, safe='')}"
        self._password, self._tls = password, tls
        self._back_off, self._tick_s, self._clock = back_off, tick_s, clock
        self._dice = dice or random.Random()  # noqa: S311 - jitter, not a secret
        self._output = asyncio.Event()
        self._may_connect = asyncio.Event()
        self._may_connect.set()
        self._socket: ClientConnection | None = None

    async def run(self) -> None:
        """Keep the station connected; cancel it to switch the station off."""
        async with asyncio.TaskGroup() as tasks:
            if self._tick_s is not None:
                tasks.create_task(self._keep_ticking(self._tick_s))
            tasks.create_task(self._keep_connected())

    def tick(self) -> None:
        """Let the station's time pass until the clock's now."""
        self.station.tick(self._clock())
        self._wake()

    async def until(self, condition: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Return once `condition` holds; it is looked at after every frame and tick."""
        await self.changes.until(condition, timeout_s)

    # What drivers and fate do.

    def plug_in(self, evse_id: int, car: Car) -> None:
        self.station.plug_in(evse_id, car, self._clock())
        self._wake()

    def present(self, evse_id: int, token: str) -> None:
        self.station.present(evse_id, token, self._clock())
        self._wake()

    def unplug(self, evse_id: int) -> None:
        self.station.unplug(evse_id, self._clock())
        self._wake()

    def restart(self) -> None:
        """The power goes and comes back."""
        self.station.restart(self._clock())
        self._wake()

    def cut(self) -> None:
        """Break the connection without a word; the station returns after its back-off."""
        if self._socket:
            self._socket.transport.abort()

    def go_away(self) -> None:
        """Break the connection and stay away."""
        self._may_connect.clear()
        self.cut()

    def come_back(self) -> None:
        self._may_connect.set()

    # The wire.

    def _wake(self) -> None:
        self._output.set()
        self.changes.notify()

    async def _keep_ticking(self, tick_s: float) -> None:
        while True:
            self.tick()
            await asyncio.sleep(tick_s)

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            await self._may_connect.wait()
            try:
                await self._connect_once()
                attempt = 0
            except (OSError, InvalidHandshake, TimeoutError) as error:
                self.refused = [*self.refused[-99:], f"{type(error).__name__}: {error}"]
                self.changes.notify()
            if self.station.wants_reconnect:
                self.station.wants_reconnect = False
                continue
            attempt += 1
            await asyncio.sleep(self._back_off.wait_s(attempt, self._dice))

    async def _connect_once(self) -> None:
        headers = {}
        if self._password is not None:
            headers["Authorization"] = _basic(self.station.settings.identity, self._password)
        async with connect(
            self._url,
            subprotocols=[Subprotocol(self.station.version)],
            additional_headers=headers,
            ssl=self._tls,
            compression=None,
            ping_interval=None,
            close_timeout=1.0,
        ) as socket:
            if socket.subprotocol != self.station.version:
                raise InvalidHandshake(f"no {self.station.version}")
            self._socket = socket
            self.connections += 1
            self.station.talk.opened(self._clock())
            self._wake()
            try:
                await self._carry(socket)
            finally:
                self._socket = None
                self.station.talk.closed(self._clock())
                self.changes.notify()

    async def _carry(self, socket: ClientConnection) -> None:
        """Carry frames both ways until the connection ends or the station restarts."""
        reader = asyncio.create_task(self._read(socket))
        try:
            while not reader.done():
                with contextlib.suppress(ConnectionClosed):
                    for text in self.station.talk.frames_to_send():
                        await socket.send(text)
                if self.station.wants_reconnect:
                    return
                self._output.clear()
                waiter = asyncio.create_task(self._output.wait())
                await asyncio.wait({reader, waiter}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await reader

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            self.station.talk.receive(text, self._clock())
            self._wake()


def _basic(identity: str, password: str) -> str:
    token = base64.b64encode(f"{identity}:{password}".encode()).decode()
    return f"Basic {token}"
