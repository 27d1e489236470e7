"""What a station answers to commands, in OCPP 1.6: payloads <-> command answers. Pure, no state.

Each message of 1.6 has status words of its own; a word of 2.0.1 it lacks becomes the nearest one.
`NotSupported` is told as a refusal with the reason code UnsupportedRequest, and read back from it.
"""

from typing import NamedTuple

from gateway.commands import (
    ChangeAvailability,
    ChangeConfiguration,
    ClearCache,
    ClearProfile,
    Command,
    CommandAnswer,
    CompositeAnswer,
    ConfigurationAnswer,
    ConfigurationKey,
    GetComposite,
    GetConfiguration,
    GetLocalListVersion,
    ListVersionAnswer,
    RequestStart,
    RequestStop,
    Reset,
    SendLocalList,
    SetProfile,
    StatusAnswer,
    Trigger,
    UnlockConnector,
)
from gateway.errors import InvalidMessage
from gateway.events import DataAnswered, DataSent
from gateway.ocpp.charging_profiles import parse_composite_v16, serialize_composite_v16
from gateway.ocpp.frames import Payload
from gateway.ocpp.v16_answers import serialize_data_answer

UNSUPPORTED = "UnsupportedRequest"
"""2.0.1 Part 2 Appendix 5."""

LONGEST_KEY = 50
LONGEST_VALUE = 500


class Words(NamedTuple):
    """The status words of one message."""

    known: frozenset[str]
    refusal: str
    """Said for a word that is neither known nor in `nearest`."""
    nearest: dict[str, str] = {}  # noqa: RUF012  a default of a NamedTuple, nobody writes to it


_ACCEPTED_OR_NOT = Words(frozenset({"Accepted", "Rejected"}), "Rejected")

WORDS: dict[type[Command], Words] = {
    ChangeAvailability: Words(frozenset({"Accepted", "Rejected", "Scheduled"}), "Rejected"),
    ChangeConfiguration: Words(
        frozenset({"Accepted", "Rejected", "RebootRequired", "NotSupported"}), "Rejected"
    ),
    ClearCache: _ACCEPTED_OR_NOT,
    ClearProfile: Words(frozenset({"Accepted", "Unknown"}), "Unknown"),
    RequestStart: _ACCEPTED_OR_NOT,
    RequestStop: _ACCEPTED_OR_NOT,
    Reset: Words(frozenset({"Accepted", "Rejected"}), "Rejected", {"Scheduled": "Accepted"}),
    SendLocalList: Words(
        frozenset({"Accepted", "Failed", "NotSupported", "VersionMismatch"}), "Failed"
    ),
    SetProfile: Words(frozenset({"Accepted", "Rejected", "NotSupported"}), "Rejected"),
    Trigger: Words(frozenset({"Accepted", "Rejected", "NotImplemented"}), "Rejected"),
    UnlockConnector: Words(
        frozenset({"Unlocked", "UnlockFailed", "NotSupported"}),
        "UnlockFailed",
        # errata §3.85: NotSupported for a connector that does not exist
        {"OngoingAuthorizedTransaction": "UnlockFailed", "UnknownConnector": "NotSupported"},
    ),
}

WITHOUT_NOT_SUPPORTED = frozenset({SendLocalList, SetProfile, UnlockConnector})
"""Messages whose NotSupported 2.0.1 does not have."""


def serialize_command_answer(command: Command, answer: CommandAnswer) -> Payload:
    """Write the answer for the central system. Raises `InvalidMessage` if it does not fit."""
    match answer:
        case StatusAnswer() if type(command) in WORDS:
            return {"status": _status(command, answer)}
        case CompositeAnswer(schedule) if isinstance(command, GetComposite):
            return serialize_composite_v16(schedule, command.evse_id)
        case ConfigurationAnswer():
            return _configuration(answer)
        case ListVersionAnswer(version):
            return {"listVersion": version}
        case DataAnswered():
            return serialize_data_answer(answer)
        case StatusAnswer() if isinstance(command, GetComposite):
            return {"status": "Rejected"}
        case StatusAnswer(status) if isinstance(command, DataSent):
            return serialize_data_answer(DataAnswered(status))
        case _:
            raise InvalidMessage(
                f"{type(answer).__name__} does not answer {type(command).__name__}"
            )


def _status(command: Command, answer: StatusAnswer) -> str:
    words = WORDS[type(command)]
    if answer.status in words.known:
        status = answer.status
    else:
        status = words.nearest.get(answer.status, words.refusal)
    is_unsupported = answer.reason_code == UNSUPPORTED and status == words.refusal
    return "NotSupported" if is_unsupported and "NotSupported" in words.known else status


def _configuration(answer: ConfigurationAnswer) -> Payload:
    payload: Payload = {}
    if answer.known:
        payload["configurationKey"] = [_configuration_key(key) for key in answer.known]
    if answer.unknown:
        payload["unknownKey"] = [key[:LONGEST_KEY] for key in answer.unknown]
    return payload


def _configuration_key(key: ConfigurationKey) -> Payload:
    payload: Payload = {"key": key.key[:LONGEST_KEY], "readonly": key.is_read_only}
    if key.value is not None:
        payload["value"] = key.value[:LONGEST_VALUE]
    return payload


def parse_command_answer(command: Command, payload: Payload) -> CommandAnswer:
    """Read a station's answer to what `serialize_command` wrote."""
    match command:
        case GetComposite(evse_id, duration_s):
            return CompositeAnswer(parse_composite_v16(payload, duration_s), evse_id)
        case GetConfiguration():
            return _configuration_answer(payload)
        case GetLocalListVersion():
            return ListVersionAnswer(max(0, payload["listVersion"]))  # -1: no such list (§5.10)
        case DataSent():
            return DataAnswered(payload["status"], payload.get("data"))
        case _:
            return _status_answer(command, payload["status"])


def _configuration_answer(payload: Payload) -> ConfigurationAnswer:
    known = tuple(
        ConfigurationKey(entry["key"], entry.get("value"), entry["readonly"])
        for entry in payload.get("configurationKey", ())
    )
    return ConfigurationAnswer(known, tuple(payload.get("unknownKey", ())))


def _status_answer(command: Command, status: str) -> StatusAnswer:
    if status == "NotSupported" and type(command) in WITHOUT_NOT_SUPPORTED:
        return StatusAnswer(WORDS[type(command)].refusal, UNSUPPORTED)
    return StatusAnswer(status)
