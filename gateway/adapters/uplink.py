"""The socket to the cloud: connect, say what is to be said, answer what is asked, connect again.

Touches the WebSocket, TLS and the clock. What is said and when belongs to `cloud_station`, how it
is said to `cloud_speech`, one after the other to `cloud_dialogue`, what is answered to whoever is
handed in as `answer`.

TLS is verified, always: against the system's trust store or the CA the site file names. `ws://` is
plain because the installer wrote so; a failing `wss://` is never tried in plain.
"""

import asyncio
import logging
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from gateway.adapters.peer import Peer, Role, Trace
from gateway.cloud_dialogue import CloudDialogue, CloudLine
from gateway.cloud_news import LinkState
from gateway.cloud_speech import CloudSpeech
from gateway.cloud_station import CloudStation
from gateway.errors import StoreFailed
from gateway.events import Answer as EventAnswer
from gateway.events import Event
from gateway.ocpp.codec import Codec, codec_for
from gateway.ocpp.frames import Call, Payload
from site_config.links import Cloud, OcppVersion

OPEN_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 2.0
MAX_MESSAGE_BYTES = 4 << 20
"""A local authorization list may be long."""
MISSED_PONGS = 2

log = logging.getLogger(__name__)

Answer = Callable[[Codec, Call], Awaitable[Payload]]
"""Answers a command of the cloud's; raises PeerError to refuse it."""


class Uplink:
    """One socket to the cloud, for as long as the program runs."""

    def __init__(
        self,
        cloud: Cloud,
        station: CloudStation,
        speech: CloudSpeech,
        *,
        answer: Answer,
        link_changed: Callable[[LinkState], None],
        refill: Callable[[], Awaitable[None]],
        recover: Callable[[], Awaitable[None]],
        clock: Callable[[], float],
        ping_interval_s: Callable[[], float],
        trace: Trace | None = None,
    ) -> None:
        self._cloud = cloud
        self._station = station
        self._dialogue = CloudDialogue(
            station, speech, refill=refill, wait=self._wait, clock=clock, log=log.warning
        )
        self._answer = answer
        self._link_changed = link_changed
        self._recover = recover
        self._clock = clock
        self._ping_interval_s = ping_interval_s
        self._trace = trace
        self._news = asyncio.Event()
        self._noticed: set[str] = set()
        self._tls = tls_context(cloud)

    def wake(self) -> None:
        """Look again for something to say."""
        self._news.set()

    async def ask(self, event: Event, deadline_s: float) -> EventAnswer | None:
        """Ask the cloud what a driver waits for; None: it is away, or has not answered in time."""
        asked: asyncio.Future[EventAnswer | None] = asyncio.get_running_loop().create_future()

        def deliver(answer: EventAnswer | None) -> None:
            if not asked.done():
                asked.set_result(answer)

        self._station.ask(event, deliver)
        self.wake()
        try:
            async with asyncio.timeout(deadline_s):
                return await asked
        except TimeoutError:
            return None

    async def run(self) -> None:
        """Never returns. A failing disk ends the connection: what is said must be written down."""
        must_recover = False
        while True:
            try:
                if must_recover:
                    await self._recover()
                    must_recover = False
                reason = await self._connection()
                await self._dialogue.speech.settle_down()  # the next mark may be hours away
            except StoreFailed as error:
                reason, must_recover = f"the disk fails: {error}", True
            wait_s = self._station.lost(self._clock())
            self._link_changed(LinkState(False, reason=reason))
            await asyncio.sleep(wait_s)

    async def _connection(self) -> str:
        """Live through one connection, or the failure to get one; return why it is over."""
        url = f"{self._cloud.url.rstrip('/')}/{quote(self._cloud.identity, safe='')}"
        ping_interval_s = self._ping_interval_s()
        try:
            websocket = await connect(
                url,
                subprotocols=[Subprotocol(version) for version in self._cloud.protocols],
                additional_headers=_authorization(self._cloud),
                ssl=self._tls,
                compression=None,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=ping_interval_s or None,  # 1.6J §7: 0 is none
                ping_timeout=ping_interval_s * MISSED_PONGS or None,
                max_size=MAX_MESSAGE_BYTES,
                proxy=None,
            )
        except InvalidStatus as error:
            return _advice(error.response.status_code)
        except (OSError, WebSocketException, UnicodeError) as error:
            # Nothing that answers there may end the program: a login page, a name nobody resolves.
            return str(error) or type(error).__name__
        version = websocket.subprotocol
        if version is None or version not in self._cloud.protocols:
            await websocket.close(1002, "no common OCPP version")
            return f"the cloud chose {version or 'no version'}; we offer {self._cloud.protocols}"
        return await self._converse(websocket, version)  # type: ignore[arg-type]  # one of ours

    async def _converse(self, websocket: ClientConnection, version: OcppVersion) -> str:
        codec = codec_for(version)
        peer = Peer(
            websocket,
            name="cloud",
            version=version,
            role=Role.STATION,
            on_call=lambda call: self._answer(codec, call),
            trace=self._trace,
            noticed=self._noticed,
        )
        self._station.connected(version, self._clock())
        self._link_changed(LinkState(True, version))
        speaking = asyncio.create_task(self._speak(peer, codec))
        speaking.add_done_callback(lambda _: websocket.transport.abort())
        try:
            await peer.run()
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await peer.close(1001, "going away")
        if not speaking.cancelled() and (error := speaking.exception()) is not None:
            raise error
        return _why_closed(websocket)

    async def _speak(self, peer: Peer, codec: Codec) -> None:
        async def call(action: str, payload: Payload, unique_id: str) -> Payload:
            timeout_s = self._cloud.call_timeout_s
            return await peer.call(action, payload, timeout_s=timeout_s, unique_id=unique_id)

        line = CloudLine(
            codec,
            call,
            is_open=lambda: peer.is_running,
            was_too_big=lambda: peer.close_code == CloseCode.MESSAGE_TOO_BIG,
        )
        await self._dialogue.speak(line)

    async def _wait(self, due_at: float | None) -> None:
        """Sleep until there is news, or a timer of the station is due."""
        wait_s = None if due_at is None else max(0.0, due_at - self._clock())
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return  # a timer is due
        self._news.clear()  # before the caller looks: what comes from here on is news again


def tls_context(cloud: Cloud) -> ssl.SSLContext | None:
    """Return what verifies the cloud, None for `ws://`; raises OSError for an unreadable CA."""
    if not cloud.url.startswith("wss://"):
        return None
    context = ssl.create_default_context(cafile=cloud.tls_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _authorization(cloud: Cloud) -> dict[str, str]:
    if cloud.password is None:
        return {}
    credentials = b64encode(f"{cloud.identity}:{cloud.password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


def _advice(status: int) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return f"HTTP {status}: the cloud refuses our password; check cloud.password"
        case HTTPStatus.NOT_FOUND:
            return f"HTTP {status}: the cloud does not know us; check cloud.url and cloud.identity"
        case _:
            return f"HTTP {status}"


def _why_closed(websocket: ClientConnection) -> str:
    code, reason = websocket.close_code, websocket.close_reason
    return f"closed by the cloud, code {code} {reason or ''}".rstrip()
