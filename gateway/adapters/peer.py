"""One WebSocket and the conversation over it, whichever side opened it.

The shell around `ocpp.conversation`: owns the socket, the clock, and two tasks. The reader never
waits for whoever handles a call, so answers to our own calls arrive meanwhile; the calls of the
peer are handled one after another, in order, by the worker. The one adapter that others import
(`csms`, `uplink`, the simulation).

Every payload is validated, both ways. As CSMS we mend what a station sends and log that once per
kind; as a station we refuse what a cloud sends wrongly, but mend its answers, which may hold up
billing. Towards the cloud an invalid message of ours never leaves; towards a station it is logged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

from websockets.asyncio.connection import Connection, broadcast
from websockets.exceptions import ConnectionClosed

from gateway.errors import BadAnswer, CallRefused, InvalidMessage, PeerError, Unavailable
from gateway.ocpp.conversation import CALL_TIMEOUT_S, CallFinished, CallReceived, Conversation
from gateway.ocpp.error_codes import ErrorCode
from gateway.ocpp.frames import Call, CallError, CallResult, Payload
from gateway.ocpp.schemas import Direction, Violation, validate_request, validate_response
from gateway.ocpp.sloppiness import normalise
from site_config.links import OcppVersion

HANDLER_GRACE_S = 5.0
"""How long a call may still be worked on after its socket is gone; its answer is dropped."""
MAX_NOTICED = 256
"""Kinds of sloppiness remembered per peer; those beyond are mended without a log line."""
MAX_UNSENT_BYTES = 1 << 16
"""Beyond this the sender waits until the peer has read some of it."""
UNSET_CLOCK = '"1970-01-'
"""A station that does not know the time; its times are kept."""

OnCall = Callable[[Call], Awaitable[Payload]]
"""Answers one call of the peer's, whose payload is valid. Raises `PeerError` to refuse it; raises
`Unavailable` when it cannot be answered now (a station repeats it, a cloud is told so)."""
Trace = Callable[[str, Literal["in", "out"], str], None]
"""Is told every text: name of the peer, direction as seen from here, the text."""

log = logging.getLogger(__name__)


class Role(Enum):
    """What we are in this conversation."""

    CSMS = "csms"
    STATION = "station"


def utc_now() -> datetime:
    return datetime.now(UTC)


class _Calls:
    """The calls that wait for the worker, few: the conversation bounds them.

    A queue of one consumer and no more, which costs a third of asyncio's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Call] = []  # an empty deque is four times as large as a Call
        self._is_closed = False
        self._news: asyncio.Future[None] | None = None

    def put(self, call: Call) -> None:
        self._waiting.append(call)
        self._tell()

    def close(self) -> None:
        """There will be no more."""
        self._is_closed = True
        self._tell()

    async def have_next(self) -> bool:
        """Return True as soon as there is one, False when there will be no more."""
        while not self._waiting and not self._is_closed:
            self._news = self._loop.create_future()
            await self._news
        return bool(self._waiting)

    def pop(self) -> Call:
        return self._waiting.pop(0)

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Peer:
    """The other end of an open WebSocket.

    Args:
        name: How log and trace name the peer: a station's identity, or the cloud.
        on_call: See `OnCall`. Any other exception is logged, and harms that one call only.
        noticed: Kinds of sloppiness already logged; hand in the same set to every connection of
            one peer.
    """

    def __init__(
        self,
        websocket: Connection,
        *,
        name: str,
        version: OcppVersion,
        role: Role,
        on_call: OnCall,
        trace: Trace | None = None,
        noticed: set[str] | None = None,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = name
        self.version = version
        self.conversation = Conversation(version)
        self._websocket = websocket
        self._role = role
        self._on_call = on_call
        self._trace = trace
        self._noticed = set() if noticed is None else noticed
        self._wall_clock = wall_clock
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._calls = _Calls(self._loop)
        self._handling: Call | None = None
        self._room: asyncio.Future[None] | None = None
        self._answers: dict[str, asyncio.Future[CallResult | CallError | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_running = True

    @property
    def heard_at(self) -> float:
        """When the peer last said something, monotonic seconds; first: when it connected."""
        return self._heard_at

    @property
    def is_running(self) -> bool:
        """Whether the socket is there: a call unanswered now met silence, not a loss."""
        return self._is_running

    @property
    def close_code(self) -> int | None:
        """Why the socket was closed (RFC 6455 §7.4.1); None: it is there."""
        return self._websocket.close_code

    async def run(self, on_open: Callable[[], Awaitable[None]] | None = None) -> None:
        """Converse until the socket is closed; then every call of ours is `Unavailable`.

        `on_open` is awaited before the first call of the peer's is handled, and may itself call.
        """
        self._start_worker(on_open)
        try:
            await self._read()
        finally:
            self._is_running = False
            self.conversation.close()
            self._tell_events()
            if self._timer is not None:
                self._timer.cancel()
            self._calls.close()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=HANDLER_GRACE_S)
            for task in self._tasks:
                task.cancel()

    async def call(
        self,
        action: str,
        payload: Payload,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        urgent: bool = False,
        unique_id: str | None = None,
    ) -> Payload:
        """Ask the peer and return its answer, valid by the schema.

        Calls go out one at a time; an urgent one overtakes those that wait. Raises `CallRefused`
        (it answered CALLERROR), `BadAnswer`, `Unavailable` (silent, gone, or too much waiting), or
        `InvalidMessage` when the payload is wrong and was not sent. `unique_id` is for a caller who
        wrote it down before.
        """
        violation = validate_request(self.version, action, payload)
        if violation is not None:
            self._complain("call", action, violation)
            if self._role is Role.STATION or violation.code is ErrorCode.NOT_IMPLEMENTED:
                raise InvalidMessage(f"{action} {violation.sentence}")
        try:
            now = self._loop.time()
            call = self.conversation.call(
                action, payload, now, timeout_s=timeout_s, urgent=urgent, unique_id=unique_id
            )
        except Unavailable as error:
            raise Unavailable(f"{self.name}: {error.reason}", self._heard_at) from error
        answer = self._answers[call.unique_id] = self._loop.create_future()
        self._set_timer()
        try:
            await self._flush()
            return self._payload_of(action, await answer)
        except asyncio.CancelledError:
            self.conversation.withdraw(call)
            raise
        finally:
            del self._answers[call.unique_id]

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket with the closing handshake; `run` returns then."""
        await self._websocket.close(code, reason)

    def abort(self) -> None:
        """Drop the connection without waiting for a peer that may be gone."""
        self._websocket.transport.abort()

    # The reader.

    async def _read(self) -> None:
        while True:
            try:
                self._hear(await self._websocket.recv())
            except ConnectionClosed:
                return
            await self._flush()
            while self.conversation.is_full:  # TCP tells the peer to slow down; nothing is lost.
                self._room = self._loop.create_future()
                await self._room

    def _hear(self, text: str | bytes) -> None:
        self._heard_at = self._loop.time()
        readable = text if isinstance(text, str) else text.decode(errors="replace")
        if self._trace is not None:
            self._trace(self.name, "in", readable)
        if UNSET_CLOCK in readable:
            self._notice("clock unset", "peer.clock_unset peer=%s kept=1970", self.name)
        self.conversation.receive(text, self._heard_at)
        self._tell_events()

    def _tell_events(self) -> None:
        for event in self.conversation.events_received():
            match event:
                case CallReceived(call):
                    self._calls.put(call)
                case CallFinished(call, answer):
                    future = self._answers.get(call.unique_id)
                    if future is not None and not future.done():
                        future.set_result(answer)

    async def _flush(self) -> None:
        """Send what the conversation wants sent. On a closed socket nothing: `run` sees it too."""
        for text in self.conversation.texts_to_send():
            if self._trace is not None:
                self._trace(self.name, "out", text)
            if self._websocket.transport.get_write_buffer_size() <= MAX_UNSENT_BYTES:
                broadcast((self._websocket,), text)  # To one: the way to write without waiting.
                continue
            try:
                await self._websocket.send(text)
            except ConnectionClosed:
                return

    # The timer: one, and only when a call of ours is on its way.

    def _set_timer(self) -> None:
        due_at = self.conversation.next_timer()
        if due_at is None or (self._timer is not None and self._timer.when() <= due_at):
            return  # An earlier timer looks again when it fires.
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due_at, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.conversation.handle_timer(self._loop.time())
        self._tell_events()
        self._spawn(self._flush())
        self._set_timer()

    # The worker.

    def _start_worker(self, on_open: Callable[[], Awaitable[None]] | None = None) -> None:
        self._spawn(self._work(on_open)).add_done_callback(self._worker_ended)

    async def _work(self, on_open: Callable[[], Awaitable[None]] | None) -> None:
        await self._flush()
        if on_open is not None:
            await on_open()
        while await self._calls.have_next():
            self._handling = self._calls.pop()
            if self._is_running:  # Else its socket is gone: the peer repeats it on the next one.
                await self._handle(self._handling)
            self._handling = None  # Held by nobody from here on: there are many peers.
            self._make_room()
            await self._flush()

    def _make_room(self) -> None:
        """Let the reader look whether it may go on."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        """Keep a failing call from harming those behind it; there is no broad `except` here."""
        if worker.cancelled() or (error := worker.exception()) is None:
            return
        call, self._handling = self._handling, None
        if call is None:
            log.error("peer.open_failed peer=%s", self.name, exc_info=error)
            self._spawn(self.close(1011, "internal error"))
            return
        log.error("peer.call_failed peer=%s action=%s", self.name, call.action, exc_info=error)
        self._leave_unanswered(call, "internal error")
        self._make_room()
        if self._is_running:
            self._start_worker()

    async def _handle(self, call: Call) -> None:
        call, violation = self._judge(call)
        if violation is not None:
            self._notice(
                f"refused {call.action[:50]} {violation.sentence}",
                "peer.refused peer=%s action=%.50r code=%s reason=%.255r",
                *(self.name, call.action, violation.code, violation.sentence),
            )
            self.conversation.reject(call.unique_id, violation.code, violation.sentence)
            return
        try:
            answer = await self._on_call(call)
        except PeerError as error:
            self.conversation.reject(call.unique_id, error.code, error.description, error.details)
        except Unavailable as error:
            self._leave_unanswered(call, error.reason)
        else:
            self._answer(call, answer)

    def _answer(self, call: Call, answer: Payload) -> None:
        violation = validate_response(self.version, call.action, answer)
        if violation is not None:
            self._complain("answer", call.action, violation)
            if self._role is Role.STATION:
                self.conversation.reject(call.unique_id, ErrorCode.INTERNAL_ERROR)
                return
        self.conversation.reply(call.unique_id, answer)

    def _leave_unanswered(self, call: Call, reason: str) -> None:
        """A station repeats what was not answered, but may drop for good what met a CALLERROR."""
        if self._role is Role.CSMS:
            self.conversation.withhold(call.unique_id)
        else:
            self.conversation.reject(call.unique_id, ErrorCode.INTERNAL_ERROR, reason)

    # Payloads.

    def _judge(self, call: Call) -> tuple[Call, Violation | None]:
        violation = validate_request(self.version, call.action, call.payload)
        if violation is None or self._role is Role.STATION:
            return call, violation
        payload, violation = self._mended(call.action, "request", call.payload)
        return Call(call.unique_id, call.action, payload), violation

    def _payload_of(self, action: str, answer: CallResult | CallError | None) -> Payload:
        if answer is None:
            reason = "no answer" if self._is_running else "disconnected"
            raise Unavailable(f"{self.name}: {reason} to {action}", self._heard_at)
        if isinstance(answer, CallError):
            raise CallRefused(answer.code, answer.description, answer.details)
        if validate_response(self.version, action, answer.payload) is None:
            return answer.payload
        payload, violation = self._mended(action, "response", answer.payload)
        if violation is not None:
            raise BadAnswer(violation.code, f"{action} {violation.sentence}")
        return payload

    def _mended(
        self, action: str, direction: Direction, payload: Payload
    ) -> tuple[Payload, Violation | None]:
        mended = normalise(self.version, action, payload, self._wall_clock(), direction)
        for change in mended.changes:
            self._notice(
                f"{action} {change.kind}",
                "peer.sloppy peer=%s action=%s rule=%s path=%.200r was=%.100r became=%.100r",
                *(self.name, action, change.rule, change.path, change.was, change.became),
            )
        return mended.payload, mended.violation

    def _notice(self, kind: str, line: str, *values: object) -> None:
        """Log a kind of sloppiness the first time."""
        if kind not in self._noticed and len(self._noticed) < MAX_NOTICED:
            self._noticed.add(kind)
            log.warning(line, *values)

    def _complain(self, what: str, action: str, violation: Violation) -> None:
        log.error(
            "peer.our_message_invalid peer=%s %s=%s reason=%r",
            *(self.name, what, action, violation.sentence),
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
