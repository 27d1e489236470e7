"""The simulated cloud's side of OCPP-J with one station. Pure, without I/O and without a clock.

Decides what a frame is answered with, and complains when the station speaks before it may, speaks
again before it is answered, or uses a message id twice.
"""

import itertools
from dataclasses import dataclass, field
from datetime import datetime

from gateway.errors import CallRefused, PeerError
from gateway.ocpp.error_codes import spelled
from gateway.ocpp.frames import (
    Call,
    CallError,
    CallResult,
    FrameError,
    Payload,
    parse,
    serialize,
)
from gateway.ocpp.schemas import Violation, validate_request, validate_response
from gateway.simulation.cloud_answers import CloudBehaviour, answer_to
from gateway.simulation.cloud_books import Complaint, StationBooks
from gateway.simulation.instants import write_instant
from site_config.links import OcppVersion

REPORT_REQUESTS = ("GetBaseReport", "GetReport")


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """A message that its official schema forbids."""

    identity: str
    action: str
    sentence: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Heard:
    """A call as it came."""

    identity: str
    at: datetime
    action: str
    payload: Payload


@dataclass
class KnownStation:
    """What the cloud remembers of an identity between its connections."""

    books: StationBooks
    registration: str | None = None
    boots: list[Payload] = field(default_factory=list)
    boot_answers: int = 0
    heartbeats: int = 0
    message_ids: set[str] = field(default_factory=set)
    triggered: set[str] = field(default_factory=set)
    """Actions a station may use while Pending, because it was asked to."""
    reports_asked: bool = False
    """Reports, in as many parts as it likes, are among them (B02.FR.02)."""

    @classmethod
    def unknown(
        cls, identity: str, complaints: list[Complaint], behaviour: CloudBehaviour
    ) -> "KnownStation":
        return cls(
            StationBooks(identity, complaints, behaviour.transaction_ids(), behaviour.evse_count)
        )


@dataclass(frozen=True, slots=True)
class Received:
    """What one frame led to."""

    reply: str | None = None
    heard: Heard | None = None
    answered: str | None = None
    """Id of our own call that this frame answers."""
    outcome: Payload | PeerError | None = None


class CloudConversation:
    """Lives as long as its socket."""

    def __init__(
        self,
        station: KnownStation,
        version: OcppVersion,
        behaviour: CloudBehaviour,
        violations: list[SchemaViolation],
    ) -> None:
        self.version = version
        self._station = station
        self._behaviour = behaviour
        self._violations = violations
        self._unanswered: str | None = None
        self._calls: dict[str, str] = {}
        """Our unanswered calls: id -> action."""
        self._numbers = itertools.count(1)

    def call(self, action: str, payload: Payload) -> tuple[str, str]:
        """Return the id and the frame of a call to the station."""
        wrong = validate_request(self.version, action, payload)
        if wrong:
            raise ValueError(f"the simulated cloud would send a wrong {action}: {wrong.sentence}")
        unique_id = f"cloud-{id(self):x}-{next(self._numbers)}"
        self._calls[unique_id] = action
        if action == "TriggerMessage":
            self._station.triggered.add(payload["requestedMessage"])
        if action in REPORT_REQUESTS:
            self._station.reports_asked = True
        return unique_id, serialize(Call(unique_id, action, payload))

    def forget(self, unique_id: str) -> None:
        """Give up waiting for an answer; a late one is then no surprise."""
        self._calls.pop(unique_id, None)

    def replied(self) -> None:
        """The station's call has been answered: it may speak again."""
        self._unanswered = None

    def receive(self, text: str | bytes, at: datetime) -> Received:
        try:
            frame = parse(text)
        except FrameError as error:
            self._station.books.complain("frame", error.description)
            return Received()
        match frame:
            case Call():
                heard = Heard(self._station.books.identity, at, frame.action, frame.payload)
                return Received(self._answer(frame, at), heard)
            case CallResult(unique_id, payload) if unique_id in self._calls:
                return Received(answered=unique_id, outcome=self._outcome(unique_id, payload))
            case CallError(unique_id, code, description) if unique_id in self._calls:
                return Received(answered=unique_id, outcome=CallRefused(code, description))
        return Received()

    def _outcome(self, unique_id: str, payload: Payload) -> Payload:
        action = self._calls[unique_id]
        self._note_violation(
            f"{action}Response", validate_response(self.version, action, payload), payload
        )
        return payload

    def _answer(self, call: Call, at: datetime) -> str | None:
        self._check_turn(call)
        if (refusal := self._refusal(call)) is not None:
            return refusal
        payload = self._payload(call, at)
        if isinstance(payload, CallError):
            return serialize(payload)
        if self._behaviour.silences.get(call.action, 0):
            self._behaviour.silences[call.action] -= 1
            self._unanswered = None
            return None
        return serialize(CallResult(call.unique_id, payload))

    def _payload(self, call: Call, at: datetime) -> Payload | CallError:
        if call.action == "BootNotification":
            return self._boot(call.payload, at)
        if call.action == "Heartbeat":
            self._station.heartbeats += 1
            return {"currentTime": write_instant(at)}
        try:
            books, behaviour = self._station.books, self._behaviour
            return answer_to(self.version, call.action, call.payload, books, behaviour)
        except PeerError as error:
            return CallError(call.unique_id, error.code, error.description)

    def _refusal(self, call: Call) -> str | None:
        """Return the CALLERROR for a call that may not be booked."""
        codes = self._behaviour.errors.get(call.action)
        if codes:
            return self._error(call, codes.pop(0), "as this cloud was told")
        station = self._station
        if station.registration != "Accepted" and call.action != "BootNotification":
            if not (station.registration == "Pending" and self._was_asked_for(call.action)):
                # 2.0.1 B02.FR.09, B03.FR.07; 1.6 §4.2
                station.books.complain("boot first", f"{call.action} while not accepted")
                return self._error(call, "SecurityError", "BootNotification first")
            station.triggered.discard(call.action)
        wrong = validate_request(self.version, call.action, call.payload)
        self._note_violation(call.action, wrong, call.payload)
        return self._error(call, wrong.code, wrong.sentence) if wrong else None

    def _was_asked_for(self, action: str) -> bool:
        is_report = action == "NotifyReport" and self._station.reports_asked
        return is_report or action in self._station.triggered

    def _note_violation(self, title: str, wrong: Violation | None, payload: Payload) -> None:
        if wrong:
            identity = self._station.books.identity
            self._violations.append(SchemaViolation(identity, title, wrong.sentence, payload))

    def _boot(self, payload: Payload, at: datetime) -> Payload:
        station, answers = self._station, self._behaviour.registrations
        station.boots.append(payload)
        status, interval_s = answers[min(station.boot_answers, len(answers) - 1)]
        station.boot_answers += 1
        station.registration = status
        return {"status": status, "interval": interval_s, "currentTime": write_instant(at)}

    def _check_turn(self, call: Call) -> None:
        books = self._station.books
        if self._unanswered is not None:
            text = f"{call.action} before the answer to {self._unanswered}"
            books.complain("one call at a time", text)  # 2.0.1 Part 4 §4.1.1
        self._unanswered = call.action
        if call.unique_id in self._station.message_ids:
            books.complain("message id", f"{call.action} repeats the id {call.unique_id}")
        self._station.message_ids.add(call.unique_id)

    def _error(self, call: Call, code: str, description: str) -> str:
        return serialize(CallError(call.unique_id, spelled(code, self.version), description))
