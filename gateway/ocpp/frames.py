"""OCPP-J frames: the JSON arrays of OCPP-J, parsed and serialized. Pure.

Types 2, 3 and 4 are those of OCPP 1.6J and 2.0.1; 5 (CALLRESULTERROR) and 6 (SEND) are new in
2.1 and parsed so that a 2.1 peer can be told apart from a broken one. What is owed to the sender
of a broken frame depends on the version and is `conversation`'s business.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson

from gateway.errors import GatewayError
from gateway.frozen import frozen

Payload = dict[str, Any]


@frozen
class Call:
    unique_id: str
    action: str
    payload: Payload


@frozen
class CallResult:
    unique_id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallError:
    unique_id: str
    code: str
    """An error code of the peer's version, e.g. `FormationViolation` (1.6) or `FormatViolation`."""
    description: str = ""
    details: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallResultError:
    """Type 5 (2.1): our CALLRESULT was not acceptable to the peer."""

    unique_id: str
    code: str
    description: str = ""
    details: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Send:
    """Type 6 (2.1): a message that is not answered."""

    unique_id: str
    action: str
    payload: Payload


Frame = Call | CallResult | CallError | CallResultError | Send

MAX_ID_LENGTH = 36
"""OCPP-J 1.6 §4.1.4 and 2.0.1 Part 4 §4.1.4: room for a UUID."""

CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND = 2, 3, 4, 5, 6


class Fault(Enum):
    """What is wrong with a frame; `Conversation` decides what each is worth in its version."""

    UNREADABLE = "unreadable"
    """Not JSON, not an array, or without an id that could be answered."""
    UNKNOWN_TYPE = "unknown type"
    LONG_ID = "long id"
    FORM = "form"
    """Wrong number of elements, or an element of the wrong kind."""
    PAYLOAD = "payload"
    """The payload is no JSON object."""


class FrameError(GatewayError):
    """A text that is no frame. Carries what could be read of it."""

    def __init__(
        self,
        fault: Fault,
        description: str,
        unique_id: str | None = None,
        message_type: int | None = None,
    ) -> None:
        self.fault = fault
        self.description = description
        """One sentence that quotes nothing of the text (Part 4 §4.2.3)."""
        self.unique_id = unique_id
        """None: no id could be read."""
        self.message_type = message_type
        """The number at the head of the array, also an unknown one; None: none was there."""
        super().__init__(description)


def parse(text: str | bytes) -> Frame:
    """Read one frame, or raise `FrameError`.

    An absent payload written as null is an empty one (1.6J §4.2.1, Part 4 §4.1.5). Of a key that
    stands twice in an object the last one counts; numbers that are not finite are no JSON. The
    length of the text is bounded by the socket, the nesting by the parser (1024).
    """
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FrameError(Fault.UNREADABLE, f"not JSON: position {error.pos}") from error
    match frame:  # The commonest first; a bool is an int in Python, but no message type.
        case [2, str() as unique_id, str() as action, dict() as payload] if _is_short(unique_id):
            return Call(unique_id, action, payload)
        case [3, str() as unique_id, dict() as payload] if _is_short(unique_id):
            return CallResult(unique_id, payload)
    return _parse_rare(frame)


def serialize(frame: Frame) -> str:
    """Write one frame as compact JSON.

    Raises `TypeError` for what JSON cannot say. A number that is not finite would be written as
    null: whoever sends has validated before, which refuses it.
    """
    match frame:
        case CallResult(unique_id, payload):
            array: list[Any] = [CALL_RESULT, unique_id, payload]
        case Call(unique_id, action, payload):
            array = [CALL, unique_id, action, payload]
        case CallError(unique_id, code, description, details):
            array = [CALL_ERROR, unique_id, code, description, details]
        case CallResultError(unique_id, code, description, details):
            array = [CALL_RESULT_ERROR, unique_id, code, description, details]
        case Send(unique_id, action, payload):
            array = [SEND, unique_id, action, payload]
    return orjson.dumps(array).decode()


def _is_short(unique_id: str) -> bool:
    return len(unique_id) <= MAX_ID_LENGTH


def _parse_rare(frame: Any) -> Frame:
    """Read what is not a plain CALL or CALLRESULT, or say what is wrong with it."""
    if not isinstance(frame, list) or not frame:
        raise FrameError(Fault.UNREADABLE, "not a JSON array with a message type")
    message_type = frame[0] if type(frame[0]) is int else None
    unique_id = frame[1] if len(frame) > 1 and isinstance(frame[1], str) else None
    if message_type is None or not CALL <= message_type <= SEND:
        raise FrameError(Fault.UNKNOWN_TYPE, "unknown message type", unique_id, message_type)
    if unique_id is None:
        raise FrameError(Fault.UNREADABLE, "no message id", None, message_type)
    if not _is_short(unique_id):
        description = f"message id of {len(unique_id)} characters, at most {MAX_ID_LENGTH}"
        raise FrameError(Fault.LONG_ID, description, unique_id, message_type)
    match message_type:
        case 4:
            return CallError(unique_id, *_code_and_rest(frame))
        case 5:
            return CallResultError(unique_id, *_code_and_rest(frame))
        case 3:
            return CallResult(unique_id, _payload(frame, 2))
    if len(frame) < 3 or not isinstance(frame[2], str):
        raise FrameError(Fault.FORM, "no action", unique_id, message_type)
    kind = Call if message_type == CALL else Send
    return kind(unique_id, frame[2], _payload(frame, 3))


def _payload(frame: list[Any], at: int) -> Payload:
    if len(frame) != at + 1:
        description = f"{len(frame)} elements instead of {at + 1}"
        raise FrameError(Fault.FORM, description, frame[1], frame[0])
    payload = frame[at]
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise FrameError(Fault.PAYLOAD, "payload is not an object", frame[1], frame[0])
    return payload


def _code_and_rest(frame: list[Any]) -> tuple[str, str, Payload]:
    """Read what stations make of an error: parts are missing, null, or of another type."""
    code, description, details, *_ = [*frame[2:], None, None, None]
    return (
        code if isinstance(code, str) and code else "GenericError",
        "" if description is None else str(description),
        details if isinstance(details, dict) else {},
    )
