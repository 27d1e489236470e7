"""Where the site's charging stations connect: a WebSocket server that speaks OCPP-J.

Touches sockets, certificates and HTTP; who may enter is decided by `ocpp.handshake`, what may be
said by `ocpp.conversation`, what it means by whoever is handed in. Of the connections of one
identity the newest wins: a station that comes back has lost the old one, whether or not we know.

TLS is on when certificate files are configured and never silently off; 1.2 at least.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gateway.adapters.peer import Peer, Role, Trace, utc_now
from gateway.errors import Unavailable
from gateway.ocpp.conversation import CALL_TIMEOUT_S
from gateway.ocpp.frames import Call, Payload
from gateway.ocpp.handshake import chosen_protocol, identity_of, is_authorized
from site_config.addresses import host_and_port
from site_config.links import Csms, OcppVersion, Tls
from site_config.stations import Station

MAX_MESSAGE_BYTES = 1 << 20
BACKLOG = 1024
"""TCP connections that may wait while a whole site reconnects at once."""
OPEN_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
MISSED_PINGS = 3
"""A connection is closed when no pong has come for so many ping intervals."""
REPLACE_GRACE_S = 0.5
"""For the closing handshake of a replaced connection, which is probably dead."""
REPEAT_REFUSAL_S = 600.0
"""The same refusal is logged again after this time."""
MAX_REFUSALS = 200
"""Told at most in that time, whatever a scanner tries."""
COMPRESSION = ServerPerMessageDeflateFactory(
    server_max_window_bits=11, client_max_window_bits=11, compress_settings={"memLevel": 4}
)
"""Only for stations that offer it (Part 4 §3.3): about 25 KiB each instead of 64 KiB and more."""

log = logging.getLogger(__name__)


class StationConnection:
    """The life of one station's WebSocket."""

    def __init__(self, identity: str, version: OcppVersion, remote: str, peer: Peer) -> None:
        self.identity = identity
        self.version = version
        self.remote = remote
        """Address the station connects from."""
        self.peer = peer
        self.gone = asyncio.get_running_loop().create_future()
        """Done when `on_disconnected` has returned; await it by `asyncio.wait` or shielded."""

    async def call(
        self,
        action: str,
        payload: Payload,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        urgent: bool = False,
    ) -> Payload:
        """Ask the station; see `Peer.call`. `timeout_s` is meant in all: a call waits its turn
        behind others that are not answered either.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self.peer.call(action, payload, timeout_s=timeout_s, urgent=urgent)
        except TimeoutError:
            raise Unavailable(f"{self.identity}: no answer to {action}") from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.peer.close(code, reason)


OnStation = Callable[[StationConnection], Awaitable[None]]
OnStationCall = Callable[[StationConnection, Call], Awaitable[Payload]]


class CsmsServer:
    """Listens for the stations of a site, from `start` (or `async with`) until `close`.

    Args:
        on_connected: Awaited before the first call of a new connection is handled; may call the
            station. After `on_disconnected` of the connection it replaces, if there is one.
        on_call: Answers one call; those of one connection come one after another. See `OnCall`.
        on_disconnected: Awaited once per `on_connected`.
        trace: Is told every text; see `Trace`.
    """

    def __init__(
        self,
        config: Csms,
        stations: Mapping[str, Station],
        *,
        on_connected: OnStation,
        on_call: OnStationCall,
        on_disconnected: OnStation,
        trace: Trace | None = None,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.connections: dict[str, StationConnection] = {}
        """The newest connection of each connected station."""
        self._config = config
        self._stations = stations
        self._on_connected = on_connected
        self._on_call = on_call
        self._on_disconnected = on_disconnected
        self._trace = trace
        self._wall_clock = wall_clock
        self._noticed: dict[str, set[str]] = {}
        self._refusals: dict[str, float] = {}  # What was logged, until when it is not repeated.
        self._server: Server | None = None

    async def start(self) -> None:
        """Listen. Raises `OSError` for an address in use or an unreadable certificate."""
        host, port = host_and_port(self._config.listen)
        tls = self._config.tls
        self._server = await serve(
            self._serve,
            host,
            port,
            ssl=None if tls is None else tls_context(tls),
            process_request=self._admit,
            select_subprotocol=self._choose,
            extensions=[COMPRESSION],
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=self._config.ping_interval_s,
            ping_timeout=self._config.ping_interval_s * (MISSED_PINGS - 1),
            max_size=MAX_MESSAGE_BYTES,
            server_header=None,
            logger=_socket_log(),
            backlog=BACKLOG,
        )
        log.info("csms.listening address=%s port=%d tls=%s", host, self.port, tls is not None)

    @property
    def port(self) -> int:
        """The port it listens on, also when the configuration says 0."""
        if self._server is None:
            raise RuntimeError("not listening")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Close every connection (1001) and stop listening, after the last `on_disconnected`."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # The door.

    def _admit(self, websocket: ServerConnection, request: Request) -> Response | None:
        identity = identity_of(request.path, self._config.path)
        if identity is None or identity not in self._stations:
            # 1.6J §3.2, Part 4 §3.2.
            self._tell_refusal(websocket, request.path, "unknown identity")
            return websocket.respond(HTTPStatus.NOT_FOUND, "Unknown charging station.\n")
        password = self._stations[identity].password
        headers = request.headers.get_all("Authorization")
        header = headers[0] if len(headers) == 1 else None
        if password is not None and not is_authorized(header, identity, password):
            reason = "wrong password or user" if header else "no password"
            self._tell_refusal(websocket, request.path, reason)
            response = websocket.respond(HTTPStatus.UNAUTHORIZED, "Wrong credentials.\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="ocpp", charset="UTF-8"'
            return response
        return None

    def _choose(self, _: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        version = chosen_protocol(offered, self._config.protocols)
        return None if version is None else Subprotocol(version)

    def _tell_refusal(self, websocket: ServerConnection, target: str, reason: str) -> None:
        """Log a refusal once, and again when it still happens after `REPEAT_REFUSAL_S`."""
        now = asyncio.get_running_loop().time()
        key = f"{reason} {target[:100]}"
        self._refusals = {key: until for key, until in self._refusals.items() if now < until}
        if key in self._refusals or len(self._refusals) >= MAX_REFUSALS:
            return
        self._refusals[key] = now + REPEAT_REFUSAL_S
        log.warning(
            'station.refused path=%.100r from=%s reason="%s"', target, _remote(websocket), reason
        )

    # The connections.

    async def _serve(self, websocket: ServerConnection) -> None:
        target = websocket.request.path if websocket.request else ""
        version = chosen_protocol([websocket.subprotocol or ""], self._config.protocols)
        identity = identity_of(target, self._config.path)
        if version is None or identity is None:
            # 1.6J §3.2, Part 4 §3.2: complete the handshake without a subprotocol, then close.
            self._tell_refusal(websocket, target, "no common subprotocol")
            await websocket.close(1002, f"offer {' or '.join(self._config.protocols)}")
            return
        for message in (websocket.request, websocket.response):
            if message is not None:
                message.headers.clear()  # Read, and large: 3 KiB for as long as the station stays.
        connection = self._connection(websocket, identity, version)
        previous = self.connections.get(identity)
        self.connections[identity] = connection
        try:
            if previous is not None:
                await self._replace(previous)
            if self.connections[identity] is connection:  # Else a still newer one came meanwhile.
                await self._live(connection)
        finally:
            if self.connections.get(identity) is connection:
                del self.connections[identity]
            connection.gone.set_result(None)

    def _connection(
        self, websocket: ServerConnection, identity: str, version: OcppVersion
    ) -> StationConnection:
        async def on_call(call: Call) -> Payload:
            return await self._on_call(connection, call)

        peer = Peer(
            websocket,
            name=identity,
            version=version,
            role=Role.CSMS,
            on_call=on_call,
            trace=self._trace,
            noticed=self._noticed.setdefault(identity, set()),
            wall_clock=self._wall_clock,
        )
        connection = StationConnection(identity, version, _remote(websocket), peer)
        return connection

    async def _replace(self, previous: StationConnection) -> None:
        log.info("station.replaced station=%s", previous.identity)
        try:
            async with asyncio.timeout(REPLACE_GRACE_S):
                await previous.close(1008, "replaced by a newer connection")
        except TimeoutError:
            previous.peer.abort()
        await asyncio.wait([previous.gone])

    async def _live(self, connection: StationConnection) -> None:
        station, version, remote = connection.identity, connection.version, connection.remote
        log.info("station.connected station=%s version=%s from=%s", station, version, remote)
        try:
            await connection.peer.run(lambda: self._on_connected(connection))
        finally:
            await self._on_disconnected(connection)
            log.info("station.disconnected station=%s", station)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return the server side of TLS 1.2 or newer (security profile 2). Raises `OSError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def _remote(websocket: ServerConnection) -> str:
    address = websocket.remote_address
    return f"{address[0]}:{address[1]}" if address else "unknown"


def _socket_log() -> logging.Logger:
    """Return a quiet log: port scanners and health checks fail handshakes all day."""
    socket_log = logging.getLogger(f"{__name__}.socket")
    socket_log.setLevel(logging.WARNING)
    if not socket_log.filters:
        socket_log.addFilter(lambda record: "handshake" not in record.getMessage())
    return socket_log
