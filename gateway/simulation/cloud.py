"""A small cloud CSMS on a real socket: strict with schemas, strict with the protocol.

Touches the wire; what a message means is `cloud_answers`' and `cloud_books`' business. Whatever a
peer does wrong is written down (`violations` of the schemas, `complaints` about the rest), so a
test that ends with both lists empty has proved something.

`await cloud.start()` listens at `cloud.url`; a station appends its identity. The cloud chooses the
version: the first of its `protocols` that the station offers.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.errors import PeerError, Unavailable
from gateway.ocpp.frames import Payload
from gateway.simulation.changes import Changes
from gateway.simulation.cloud_answers import CloudBehaviour
from gateway.simulation.cloud_books import BookedTransaction, Complaint
from gateway.simulation.cloud_conversation import (
    CloudConversation,
    Heard,
    KnownStation,
    SchemaViolation,
)
from site_config.links import OcppVersion

PATH = "/ocpp/"

ANSWER_TIMEOUT_S = 10.0
"""How long the cloud waits for the answer to its own call, s."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class _Connection:
    """One socket of one station."""

    socket: ServerConnection
    conversation: CloudConversation
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one call of ours that may be unanswered."""
    waiting: dict[str, "asyncio.Future[Payload]"] = field(default_factory=dict)


class Cloud:
    """A cloud CSMS for any number of stations.

    Args:
        protocols: accepted subprotocols, the cloud's favourite first.
        passwords: identity -> password; None: nobody is asked. Unknown identities get 404.
        tls: serves wss:// when given.
        wall_clock: told to stations as the current time.
        keeps: how many calls `heard` holds at least; the oldest go first.
    """

    def __init__(
        self,
        *,
        protocols: Sequence[OcppVersion] = ("ocpp2.0.1", "ocpp1.6"),
        passwords: Mapping[str, str] | None = None,
        behaviour: CloudBehaviour | None = None,
        tls: ssl.SSLContext | None = None,
        wall_clock: Callable[[], datetime] = utc_now,
        keeps: int = 100_000,
    ) -> None:
        self.protocols = tuple(protocols)
        self.behaviour = behaviour or CloudBehaviour()
        self.stations: dict[str, KnownStation] = {}
        """What is known of every identity that ever connected."""
        self.violations: list[SchemaViolation] = []
        self.complaints: list[Complaint] = []
        self.heard: list[Heard] = []
        """The calls of every station, in order of arrival."""
        self.calls_heard = 0
        """How many there were, those no longer kept included."""
        self.refused_handshakes: list[int] = []
        """HTTP status of every refused connection attempt."""
        self.changes = Changes()
        self.passwords = passwords
        self._tls, self.keeps = tls, keeps
        self._wall_clock = wall_clock
        self._connections: dict[str, _Connection] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._server: Server | None = None
        self._address = ("127.0.0.1", 0)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._server = await serve(
            self._serve_station,
            host,
            port,
            ssl=self._tls,
            process_request=self._judge_handshake,
            select_subprotocol=self._choose_version,
            compression=None,
            ping_interval=None,
        )
        self._address = (host, next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self) -> None:
        await self.go_away()

    async def __aenter__(self) -> Self:
        if self._server is None:
            await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The address to configure; `/IDENTITY` is appended by the station."""
        scheme = "wss" if self._tls else "ws"
        return f"{scheme}://{self._address[0]}:{self._address[1]}{PATH.rstrip('/')}"

    @property
    def is_listening(self) -> bool:
        return self._server is not None

    @property
    def transactions(self) -> list[BookedTransaction]:
        """Every transaction of every station, by start of arrival within a station."""
        return [t for station in self.stations.values() for t in station.books.transactions]

    def is_connected(self, identity: str) -> bool:
        return identity in self._connections

    async def until(self, condition: Callable[[], object], timeout_s: float | None = 5.0) -> None:
        """Return once `condition` holds; it is looked at again after every message."""
        await self.changes.until(condition, timeout_s)

    # Outages.

    async def go_away(self) -> None:
        """Vanish: cut every connection without a word and refuse new ones."""
        server, self._server = self._server, None
        if server is None:
            return
        for connection in self._connections.values():
            connection.socket.transport.abort()
        for task in self._answers:
            task.cancel()
        server.close(close_connections=True)
        await server.wait_closed()
        self.changes.notify()

    async def come_back(self) -> None:
        """Listen again where `go_away` left."""
        await self.start(*self._address)
        self.changes.notify()

    def cut(self, identity: str) -> None:
        """Break one connection; the station may return at once."""
        self._connections[identity].socket.transport.abort()

    # Calls to stations.

    async def call(
        self,
        action: str,
        payload: Payload,
        identity: str | None = None,
        timeout_s: float | None = None,
    ) -> Payload:
        """Ask a station and return its answer.

        Args:
            identity: None where only one station is connected.

        Raises:
            CallRefused: the station answered with a CALLERROR.
            Unavailable: it is not connected, or did not answer in time.
        """
        connection = self._find_connection(identity)
        async with connection.turn:
            unique_id, text = connection.conversation.call(action, payload)
            answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            connection.waiting[unique_id] = answer
            try:
                await connection.socket.send(text)
                async with asyncio.timeout(timeout_s):
                    return await answer
            except (TimeoutError, ConnectionClosed) as error:
                raise Unavailable(f"no answer to {action}") from error
            finally:
                connection.conversation.forget(unique_id)
                del connection.waiting[unique_id]

    def _find_connection(self, identity: str | None) -> _Connection:
        if identity is None and len(self._connections) == 1:
            return next(iter(self._connections.values()))
        if identity not in self._connections:
            raise Unavailable(f"{identity or 'no single station'} is not connected")
        return self._connections[identity]

    # Connections.

    def _judge_handshake(self, socket: ServerConnection, request: Request) -> Response | None:
        identity = _identity(request.path)
        status = None
        if not request.path.startswith(PATH) or not identity:
            status = HTTPStatus.NOT_FOUND
        elif self.passwords is not None:
            if identity not in self.passwords:
                status = HTTPStatus.NOT_FOUND
            elif request.headers.get("Authorization") != basic(identity, self.passwords[identity]):
                status = HTTPStatus.UNAUTHORIZED
        if status is None:
            return None
        self.refused_handshakes.append(status)
        self.changes.notify()
        return socket.respond(status, "")

    def _choose_version(
        self, _: ServerConnection, offered: Sequence[Subprotocol]
    ) -> Subprotocol | None:
        for protocol in self.protocols:
            if protocol in offered:
                return Subprotocol(protocol)
        raise NegotiationError("no common version")

    async def _serve_station(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        identity = _identity(socket.request.path)
        station = self.stations.setdefault(
            identity, KnownStation.unknown(identity, self.complaints, self.behaviour)
        )
        conversation = CloudConversation(
            station,
            cast(OcppVersion, socket.subprotocol),
            self.behaviour,
            self.violations,
        )
        connection = _Connection(socket, conversation)
        if former := self._connections.get(identity):
            former.socket.transport.abort()
        self._connections[identity] = connection
        self.changes.notify()
        try:
            async for text in socket:
                await self._receive(connection, text)
                self.changes.notify()
        except ConnectionClosed:
            pass  # Stations vanish without a word; that is no event for a cloud.
        finally:
            self._end(identity, connection)

    def _end(self, identity: str, connection: _Connection) -> None:
        for answer in connection.waiting.values():
            if not answer.done():
                answer.set_exception(Unavailable("the connection ended"))
        if self._connections.get(identity) is connection:
            del self._connections[identity]
        self.changes.notify()

    async def _receive(self, connection: _Connection, text: str | bytes) -> None:
        received = connection.conversation.receive(text, self._wall_clock())
        if received.heard:
            self.heard.append(received.heard)
            self.calls_heard += 1
            if len(self.heard) > 2 * self.keeps:
                del self.heard[: self.keeps]
        if received.answered:
            future = connection.waiting.get(received.answered)
            if future and not future.done():
                if isinstance(received.outcome, PeerError):
                    future.set_exception(received.outcome)
                else:
                    future.set_result(cast(dict[str, Any], received.outcome))
        if received.reply:
            if self.behaviour.latency_s:
                task = asyncio.create_task(self._reply_later(connection, received.reply))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)
            else:
                await self._reply(connection, received.reply)

    async def _reply_later(self, connection: _Connection, text: str) -> None:
        await asyncio.sleep(self.behaviour.latency_s)
        with contextlib.suppress(ConnectionClosed):  # Only that socket may carry the answer.
            await self._reply(connection, text)

    async def _reply(self, connection: _Connection, text: str) -> None:
        connection.conversation.replied()
        await connection.socket.send(text)
        self.changes.notify()


def basic(identity: str, password: str) -> str:
    """Return the Authorization header of HTTP Basic (OCPP-J 1.6 §6.2)."""
    return "Basic " + base64.b64encode(f"{identity}:{password}".encode()).decode()


def _identity(path: str) -> str:
    return unquote(path.removeprefix(PATH))
