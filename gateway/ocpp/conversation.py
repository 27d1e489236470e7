"""The OCPP-J conversation over one WebSocket, in either direction, without I/O or clock.

The shell (`adapters/peer.py`) owns the socket and the clock. It feeds this object and drains it
after every feed:

    feed   receive(text, now)   call(action, payload, now)   reply/reject/withhold(unique_id)
           handle_timer(now)    withdraw(call)               close()
    drain  texts_to_send()      events_received()            next_timer()

What may be sent or answered, and how often, is decided here; what actions mean, whether payloads
are valid and who may speak before its boot is accepted is not. `now` is monotonic seconds.

Nothing grows without bound: `MAX_WAITING_CALLS` of ours, `MAX_UNANSWERED_CALLS` of the peer's (a
shell that respects `is_full` stops reading before that, so that TCP slows the peer down and nothing
is lost; a call that comes all the same is answered with GenericError), `REMEMBERED_ANSWERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple
from uuid import uuid4

from gateway.errors import Unavailable
from gateway.frozen import frozen
from gateway.ocpp.error_codes import MAX_DESCRIPTION_LENGTH, ErrorCode, spelled
from gateway.ocpp.frames import (
    CALL_ERROR,
    CALL_RESULT,
    CALL_RESULT_ERROR,
    SEND,
    Call,
    CallError,
    CallResult,
    CallResultError,
    Fault,
    Frame,
    FrameError,
    Payload,
    Send,
    parse,
    serialize,
)
from site_config.links import OcppVersion

CALL_TIMEOUT_S = 30.0
MAX_WAITING_CALLS = 64
"""Of each priority."""
MAX_UNANSWERED_CALLS = 32
REMEMBERED_ANSWERS = 16
ANSWER_MEMORY_S = 120.0
"""A peer that repeats itself does so within its own time-out. Later, the same id with the same
content is a peer that does not count its ids, and must be heard: a Heartbeat wants today's time."""
MAX_ECHOED_ID_LENGTH = 255
UNREADABLE_ID = "-1"
"""Part 4 §4.2.3; 1.6 has no such answer, so nothing is sent."""

CODE_OF_FAULT = {
    Fault.UNREADABLE: ErrorCode.RPC_FRAMEWORK_ERROR,
    Fault.UNKNOWN_TYPE: ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED,
    Fault.LONG_ID: ErrorCode.RPC_FRAMEWORK_ERROR,
    Fault.FORM: ErrorCode.RPC_FRAMEWORK_ERROR,
    Fault.PAYLOAD: ErrorCode.FORMAT_VIOLATION,
}


@frozen
class CallReceived:
    """The peer asks something; answer with `reply` or `reject`, or `withhold` the answer."""

    call: Call


@frozen
class CallFinished:
    """Our call was answered, refused, or (`answer is None`) not answered in time or readably."""

    call: Call
    answer: CallResult | CallError | None


Event = CallReceived | CallFinished


@dataclass(slots=True)
class Counters:
    """What was harmless this time; a growing number tells of a broken peer."""

    malformed: int = 0
    """Texts that were no frame, or of a type this version does not know."""
    duplicate_calls: int = 0
    stray_answers: int = 0
    """Late, double, or to something we never asked."""
    refused_calls: int = 0
    """Came while `MAX_UNANSWERED_CALLS` were unanswered."""


@dataclass(slots=True)
class _Pending:
    call: Call
    timeout_s: float
    due_at: float
    """When it is given up; set anew when it is sent."""


class _Heard(NamedTuple):
    """A call of the peer's as it is remembered; `fingerprint` is the hash of its text."""

    fingerprint: int
    received_at: float
    answer: str = ""


class Conversation:
    """State of the conversation with one peer; lives as long as its WebSocket.

    Args:
        version: The negotiated subprotocol; decides codes and what a broken frame is worth.
        new_id: Source of our message ids: unique over all connections (Part 4 §4.1.4).
    """

    def __init__(
        self, version: OcppVersion, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        self.version = version
        self.counters = Counters()
        self._new_id = new_id
        self._urgent: list[_Pending] = []
        self._waiting: list[_Pending] = []
        self._in_flight: _Pending | None = None
        self._open: dict[str, _Heard] = {}
        self._answered: dict[str, _Heard] = {}
        self._texts: list[str] = []
        self._events: list[Event] = []
        self._is_closed = False

    # Feed.

    def receive(self, text: str | bytes, now: float) -> None:
        try:
            frame = parse(text)
        except FrameError as error:
            self._refuse_frame(error, now)
            return
        match frame:
            case Call():
                self._receive_call(frame, hash(text), now)
            case CallResult() | CallError():
                self._receive_answer(frame, now)
            case CallResultError():
                self.counters.malformed += 1
            case Send():  # 2.1 only; a SEND is never acted upon in older versions.
                fault = FrameError(Fault.UNKNOWN_TYPE, "unknown type", frame.unique_id, SEND)
                self._refuse_frame(fault, now)

    def call(
        self,
        action: str,
        payload: Payload,
        now: float,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        urgent: bool = False,
        unique_id: str | None = None,
    ) -> Call:
        """Queue a call; `CallFinished` will name the returned object.

        One call at a time is unanswered (1.6J §4.1.1, Part 4 §4.1.1); the others wait, urgent ones
        in front. It is given up `timeout_s` after it was queued, and once sent, `timeout_s` after
        that. `unique_id` is for a caller who wrote it down before; None: a new one. Raises
        `Unavailable` when too many wait or the socket is closed.
        """
        queue = self._urgent if urgent else self._waiting
        if self._is_closed:
            raise Unavailable("disconnected")
        if len(queue) >= MAX_WAITING_CALLS:
            raise Unavailable(f"{len(queue)} calls are waiting already")
        call = Call(unique_id or self._new_id(), action, payload)
        pending = _Pending(call, timeout_s, now + timeout_s)
        queue.append(pending)
        self._send_next(now)
        return pending.call

    def withdraw(self, call: Call) -> None:
        """Do not send a call that still waits. One that was sent keeps the line busy."""
        for queue in (self._urgent, self._waiting):
            for pending in queue:
                if pending.call is call:
                    queue.remove(pending)
                    return

    def reply(self, unique_id: str, payload: Payload) -> None:
        """Answer a call of the peer's. A second answer to the same call is dropped."""
        self._answer(unique_id, CallResult(unique_id, payload))

    def reject(
        self, unique_id: str, code: str, description: str = "", details: Payload | None = None
    ) -> None:
        """Refuse a call of the peer's; the code is spelled for its version."""
        self._answer(unique_id, self._error(unique_id, code, description, details))

    def withhold(self, unique_id: str) -> None:
        """Leave a call unanswered and forget it: if the peer repeats it, it is acted upon again."""
        self._open.pop(unique_id, None)

    def handle_timer(self, now: float) -> None:
        if self._in_flight is not None and self._in_flight.due_at <= now:
            self._finish(self._in_flight, None, now)
        for queue in (self._urgent, self._waiting):
            for pending in [pending for pending in queue if pending.due_at <= now]:
                queue.remove(pending)
                self._events.append(CallFinished(pending.call, None))

    def close(self) -> None:
        """The socket is gone: every call of ours ends unanswered, no call of the peer's is open."""
        self._is_closed = True
        for pending in self._outstanding():
            self._events.append(CallFinished(pending.call, None))
        self._in_flight = None
        self._urgent.clear()
        self._waiting.clear()
        self._open.clear()
        self._texts.clear()

    # Drain.

    def texts_to_send(self) -> list[str]:
        texts, self._texts = self._texts, []
        return texts

    def events_received(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is due, monotonic seconds, or None for never."""
        return min((pending.due_at for pending in self._outstanding()), default=None)

    @property
    def is_full(self) -> bool:
        """Whether the shell should stop reading until a call of the peer's has been answered."""
        return len(self._open) >= MAX_UNANSWERED_CALLS

    # Decide.

    def _outstanding(self) -> chain[_Pending]:
        in_flight = () if self._in_flight is None else (self._in_flight,)
        return chain(in_flight, self._urgent, self._waiting)

    def _receive_call(self, call: Call, fingerprint: int, now: float) -> None:
        if call.unique_id in self._open:
            # 1.6J §4.2.3 would allow a CALLERROR; the peer would take it for the answer to come.
            self.counters.duplicate_calls += 1
            return
        heard = self._answered.get(call.unique_id)
        if heard and heard.fingerprint == fingerprint and now < heard.received_at + ANSWER_MEMORY_S:
            self.counters.duplicate_calls += 1
            self._texts.append(heard.answer)
            return
        if self.is_full:
            self.counters.refused_calls += 1
            self._send(
                self._error(call.unique_id, ErrorCode.GENERIC_ERROR, "too many unanswered calls")
            )
            return
        self._open[call.unique_id] = _Heard(fingerprint, now)
        self._events.append(CallReceived(call))

    def _receive_answer(self, answer: CallResult | CallError, now: float) -> None:
        if self._in_flight is None or answer.unique_id != self._in_flight.call.unique_id:
            self.counters.stray_answers += 1  # Whoever asked has long been told.
            return
        self._finish(self._in_flight, answer, now)

    def _answer(self, unique_id: str, answer: CallResult | CallError) -> None:
        heard = self._open.pop(unique_id, None)
        if heard is None:
            return
        text = serialize(answer)
        self._texts.append(text)
        self._answered.pop(unique_id, None)
        if len(self._answered) >= REMEMBERED_ANSWERS:
            del self._answered[next(iter(self._answered))]
        self._answered[unique_id] = _Heard(heard.fingerprint, heard.received_at, text)

    def _finish(
        self, in_flight: _Pending, answer: CallResult | CallError | None, now: float
    ) -> None:
        self._events.append(CallFinished(in_flight.call, answer))
        self._in_flight = None
        self._send_next(now)

    def _send_next(self, now: float) -> None:
        queue = self._urgent or self._waiting
        if self._in_flight is None and queue:
            self._in_flight = queue.pop(0)
            self._in_flight.due_at = now + self._in_flight.timeout_s
            self._send(self._in_flight.call)

    def _refuse_frame(self, error: FrameError, now: float) -> None:
        """Answer a broken frame as its version says; an answer is never answered."""
        self.counters.malformed += 1
        if error.message_type in (CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR):
            if self._in_flight and error.unique_id == self._in_flight.call.unique_id:
                self._finish(self._in_flight, None, now)  # Unreadable, but it came.
            return
        unique_id = error.unique_id
        if unique_id is not None and len(unique_id) > MAX_ECHOED_ID_LENGTH:
            unique_id = None
        if self.version == "ocpp1.6" and (unique_id is None or error.fault is Fault.UNKNOWN_TYPE):
            return  # 1.6J §4.1.3 for the type; an error without an id could not be matched.
        code = CODE_OF_FAULT[error.fault]
        self._send(self._error(unique_id or UNREADABLE_ID, code, error.description))

    def _error(
        self, unique_id: str, code: str, description: str, details: Payload | None = None
    ) -> CallError:
        code = spelled(code, self.version)
        return CallError(unique_id, code, description[:MAX_DESCRIPTION_LENGTH], details or {})

    def _send(self, frame: Frame) -> None:
        self._texts.append(serialize(frame))
