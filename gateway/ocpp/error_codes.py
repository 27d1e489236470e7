"""The error codes of OCPP-J and how each version spells them. Pure.

Ours are the names of 2.0.1 (Part 4 §4.3); 1.6 has two misspelt ones that errata §5.1 and §5.2
keep for ever, and lacks two (1.6J §4.2.3, table 7).
"""

from enum import StrEnum

from site_config.links import OcppVersion

MAX_DESCRIPTION_LENGTH = 255
"""Of the sentence in a CALLERROR (Part 4 §4.2.3, table 7)."""


class ErrorCode(StrEnum):
    NOT_IMPLEMENTED = "NotImplemented"
    """The action is not known to the receiver."""
    NOT_SUPPORTED = "NotSupported"
    """The action is known to the receiver, who does not do it."""
    INTERNAL_ERROR = "InternalError"
    PROTOCOL_ERROR = "ProtocolError"
    SECURITY_ERROR = "SecurityError"
    FORMAT_VIOLATION = "FormatViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"
    GENERIC_ERROR = "GenericError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    """The frame itself is wrong, whatever its payload; not in 1.6."""
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    """Not in 1.6."""


SPELLED_IN_1_6: dict[str, str] = {
    ErrorCode.FORMAT_VIOLATION: "FormationViolation",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
    ErrorCode.RPC_FRAMEWORK_ERROR: "FormationViolation",
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "GenericError",
}

SPELLED_IN_2_0_1: dict[str, str] = {
    "FormationViolation": ErrorCode.FORMAT_VIOLATION,
    "OccurenceConstraintViolation": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
}

KNOWN = frozenset([*map(str, ErrorCode), *SPELLED_IN_1_6.values()])


def spelled(code: str, version: OcppVersion) -> str:
    """Spell a code as `version` does; a word neither version knows becomes GenericError."""
    words = SPELLED_IN_1_6 if version == "ocpp1.6" else SPELLED_IN_2_0_1
    word = str(words.get(code, code))
    return word if word in KNOWN else str(ErrorCode.GENERIC_ERROR)
