"""A simulated station's side of OCPP-J: boot, one call at a time, and a queue that outlives the
connection. Without I/O and without a clock; what the messages say is the station's business.

    feed   opened(now)   closed(now)   receive(text, now)   tick(now)   say(message, now)
    drain  frames_to_send()

Messages about transactions wait while the gateway is away and are sent again, with a new id, until
they are answered (1.6 §3.7.1, 2.0.1 E13); all others are forgotten with their connection.
`now` is monotonic seconds.
"""

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import PeerError
from gateway.ocpp.error_codes import spelled
from gateway.ocpp.frames import Call, CallError, CallResult, FrameError, Payload, parse, serialize
from gateway.ocpp.schemas import actions, validate_request, validate_response
from gateway.simulation.quirks import Quirks, sloppy
from site_config.links import OcppVersion

BOOT_RETRY_S = 5.0
"""Wait before the next BootNotification where the answer leaves it to the station (B03.FR.06)."""

MESSAGE_ATTEMPTS = 3
"""How often a transaction message is sent that is refused with a CALLERROR."""

MESSAGE_RETRY_S = 1.0
"""Times the number of attempts: the wait after a refusal."""


@dataclass(eq=False)
class Outgoing:
    """A message on its way to the gateway."""

    action: str
    build: Callable[[], Payload]
    """Called when it is sent: the payload may hold what has only just been learnt."""
    is_transactional: bool = False
    on_answer: Callable[[Payload, float], None] | None = None
    on_failure: Callable[[float], None] | None = None
    """Refused for good, or forgotten with its connection."""
    is_offline: bool = False
    """Happened, or was still queued, while the gateway was away (E11.FR.07)."""
    refusals: int = 0
    not_before: float = 0.0


class Talk:
    """What one station has to say, and when it may.

    Args:
        boot: builds the BootNotification.
        answer: answers a call of the gateway, or raises `PeerError`.
        on_accepted: called when the station may speak: after an accepted boot (True), and when a
            new connection goes on without one (False).
    """

    def __init__(
        self,
        version: OcppVersion,
        quirks: Quirks,
        call_timeout_s: float,
        *,
        boot: Callable[[], Payload],
        answer: Callable[[str, Payload, float], Payload],
        on_accepted: Callable[[bool, float], None],
        on_time: Callable[[str, float], None],
    ) -> None:
        self.version = version
        self.registration: str | None = None
        self.is_connected = False
        self.heartbeat_interval_s = 300.0
        self.violations: list[str] = []
        """What the gateway sent against its schema."""
        self.refusals: list[tuple[str, str]] = []
        """(action, code) of every CALLERROR received."""
        self.lost: list[Outgoing] = []
        """Transaction messages given up after too many refusals."""
        self._quirks = quirks
        self._call_timeout_s = call_timeout_s
        self._boot, self._answer = boot, answer
        self._on_accepted, self._on_time = on_accepted, on_time
        self._queue: deque[Outgoing] = deque()
        self._in_flight: tuple[str, Outgoing, float] | None = None
        """(message id, message, time-out at)."""
        self._boot_at: float | None = None
        self._heartbeat_at: float | None = None
        self._frames: list[str] = []

    @property
    def is_online(self) -> bool:
        """Connected and accepted."""
        return self.is_connected and self.registration == "Accepted"

    @property
    def pending(self) -> list[Outgoing]:
        """Messages not yet answered, in order."""
        return [*([self._in_flight[1]] if self._in_flight else []), *self._queue]

    # Feed.

    def opened(self, now: float) -> None:
        self.is_connected = True
        self._frames.clear()
        if self.registration != "Accepted" or self._quirks.boots_on_reconnect:
            if self._quirks.statuses_before_boot:
                self._on_accepted(True, now)
            self._boot_at = now
            self.tick(now)
        else:
            self._accept(is_boot=False, now=now)

    def closed(self, now: float) -> None:
        """Keep what is billable, all of it offline now; forget the rest."""
        self.is_connected = False
        waiting, self._in_flight = self.pending, None
        self._queue = deque(message for message in waiting if message.is_transactional)
        for message in waiting:
            message.is_offline = True
            if not message.is_transactional and message.on_failure:
                message.on_failure(now)
        self._heartbeat_at = self._boot_at = None

    def forget_registration(self) -> None:
        """The station restarts: it will boot when it connects again."""
        self.registration = None

    def say(self, message: Outgoing, now: float) -> None:
        if not self.is_online:
            if not message.is_transactional and not self._may_speak_now(message.action):
                if message.on_failure:
                    message.on_failure(now)
                return
            message.is_offline = True
        self._queue.append(message)
        self._send_next(now)

    def trigger_boot(self, now: float) -> None:
        self._boot_at = now

    def tick(self, now: float) -> None:
        if self._in_flight and now >= self._in_flight[2]:
            self._time_out(now)
        if not self.is_connected:
            return
        if self._boot_at is not None and now >= self._boot_at:
            self._boot_at = None
            boot = Outgoing("BootNotification", self._boot, on_answer=self._booted)
            boot.on_failure = self._boot_later
            self._queue.appendleft(boot)
        if self._heartbeat_at is not None and now >= self._heartbeat_at:
            self._heartbeat_at = now + self.heartbeat_interval_s
            self.say_heartbeat(now)
        self._send_next(now)

    def say_heartbeat(self, now: float) -> None:
        told = Outgoing("Heartbeat", dict)
        told.on_answer = lambda payload, at: self._on_time(payload["currentTime"], at)
        self.say(told, now)

    def receive(self, text: str | bytes, now: float) -> None:
        try:
            frame = parse(text)
        except FrameError as error:
            self.violations.append(error.description)
            return
        match frame:
            case Call():
                self._frames.append(serialize(self._reply_to(frame, now)))
            case CallResult(unique_id, payload) if self._is_awaited(unique_id):
                self._succeed(payload, now)
            case CallError(unique_id, code) if self._is_awaited(unique_id):
                self._fail(code, now)
        self._send_next(now)

    # Drain.

    def frames_to_send(self) -> list[str]:
        frames, self._frames = self._frames, []
        return frames

    # Decide.

    def _is_awaited(self, unique_id: str) -> bool:
        return self._in_flight is not None and self._in_flight[0] == unique_id

    def _may_speak_now(self, action: str) -> bool:
        """Before it is accepted, a station says only what it was asked for."""
        asked = self.registration == "Pending" or self._quirks.statuses_before_boot
        return self.is_connected and (asked or action == "BootNotification")

    def _reply_to(self, call: Call, now: float) -> CallResult | CallError:
        wrong = validate_request(self.version, call.action, call.payload)
        if wrong and call.action in actions(self.version):
            self.violations.append(f"{call.action}{wrong.sentence}")
            code = spelled(wrong.code, self.version)
            return CallError(call.unique_id, code, wrong.sentence)
        try:
            answer = self._answer(call.action, call.payload, now)
        except PeerError as error:
            code = spelled(error.code, self.version)
            return CallError(call.unique_id, code, error.description)
        return CallResult(call.unique_id, sloppy(answer, self._quirks))

    def _send_next(self, now: float) -> None:
        if self._in_flight or not self.is_connected:
            return
        is_blocked = False
        for message in self._queue:
            if now < message.not_before:
                is_blocked = True  # What follows in a transaction keeps its place behind it.
            if now < message.not_before or not self._may_send(message):
                continue
            if is_blocked and message.is_transactional:
                continue
            self._queue.remove(message)
            self._send(message, now)
            return

    def _may_send(self, message: Outgoing) -> bool:
        if self.registration == "Accepted":
            return True
        return not message.is_transactional and self._may_speak_now(message.action)

    def _send(self, message: Outgoing, now: float) -> None:
        unique_id = str(uuid.uuid4())  # A retry has a new id (2.0.1 Part 4 §4.1.4).
        payload = message.build()
        text = serialize(Call(unique_id, message.action, sloppy(payload, self._quirks)))
        self._in_flight = (unique_id, message, now + self._call_timeout_s)
        self._frames.extend([text] * (2 if self._quirks.duplicates_messages else 1))

    def _succeed(self, payload: Payload, now: float) -> None:
        assert self._in_flight is not None
        message, self._in_flight = self._in_flight[1], None
        wrong = validate_response(self.version, message.action, payload)
        if wrong:
            self.violations.append(f"{message.action}Response{wrong.sentence}")
        elif message.on_answer:
            message.on_answer(payload, now)

    def _fail(self, code: str, now: float) -> None:
        assert self._in_flight is not None
        message, self._in_flight = self._in_flight[1], None
        self.refusals.append((message.action, code))
        message.refusals += 1
        if message.is_transactional and message.refusals < MESSAGE_ATTEMPTS:
            message.not_before = now + MESSAGE_RETRY_S * message.refusals
            self._queue.appendleft(message)
            return
        if message.is_transactional:
            self.lost.append(message)
        if message.on_failure:
            message.on_failure(now)

    def _time_out(self, now: float) -> None:
        assert self._in_flight is not None
        message, self._in_flight = self._in_flight[1], None
        if message.is_transactional:
            self._queue.appendleft(message)
        elif message.on_failure:
            message.on_failure(now)

    def _booted(self, payload: Payload, now: float) -> None:
        self.registration = payload["status"]
        self._on_time(payload["currentTime"], now)
        if self.registration == "Accepted":
            self.heartbeat_interval_s = payload["interval"] or self.heartbeat_interval_s
            self._accept(is_boot=True, now=now)
        else:
            self._boot_at = now + (payload["interval"] or BOOT_RETRY_S)

    def _boot_later(self, now: float) -> None:
        self._boot_at = now + BOOT_RETRY_S

    def _accept(self, *, is_boot: bool, now: float) -> None:
        self._heartbeat_at = now + self.heartbeat_interval_s
        self._on_accepted(is_boot, now)
        self._send_next(now)
