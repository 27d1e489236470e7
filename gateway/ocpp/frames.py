"""OCPP-J frames: the JSON arrays of OCPP-J, parsed and serialized. Pure.

Types 2, 3 and 4 are those of OCPP 1.6J and 2.0.1; 5 (CALLRESULTERROR) and 6 (SEND) are new in
2.1 and parsed so that a 2.1 peer can be told apart from a broken one.
"""

from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    unique_id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
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
