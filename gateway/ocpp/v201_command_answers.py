"""What a station answers to commands, in OCPP 2.0.1: payloads <-> command answers. Pure, no state.

A status word the message does not have becomes its refusal; a reason code goes along.
"""

from gateway.commands import (
    ChangeAvailability,
    ClearCache,
    ClearProfile,
    Command,
    CommandAnswer,
    CompositeAnswer,
    GetBaseReport,
    GetComposite,
    GetLocalListVersion,
    GetTransactionStatus,
    GetVariables,
    ListVersionAnswer,
    RequestStart,
    RequestStop,
    Reset,
    SendLocalList,
    SetProfile,
    SetVariables,
    StatusAnswer,
    TransactionStatusAnswer,
    Trigger,
    UnlockConnector,
    VariablesAnswer,
)
from gateway.errors import InvalidMessage
from gateway.events import DataAnswered, DataSent
from gateway.ocpp.charging_profiles import parse_composite_v201, serialize_composite_v201
from gateway.ocpp.frames import Payload
from gateway.ocpp.v201_answers import serialize_data_answer
from gateway.ocpp.v201_events import LONGEST_TRANSACTION_ID
from gateway.ocpp.v201_variables import parse_result, serialize_get_result, serialize_set_result

UNSPECIFIED = "Unspecified"
"""Reason code of a text without one (Part 2 Appendix 5)."""

LONGEST_REASON_CODE = 20
LONGEST_INFO = 512

_DONE_OR_NOT = ("Rejected", frozenset({"Accepted", "Rejected"}))
_DONE_LATER_OR_NOT = ("Rejected", frozenset({"Accepted", "Rejected", "Scheduled"}))

WORDS: dict[type[Command], tuple[str, frozenset[str]]] = {
    ChangeAvailability: _DONE_LATER_OR_NOT,
    ClearCache: _DONE_OR_NOT,
    ClearProfile: ("Unknown", frozenset({"Accepted", "Unknown"})),
    GetBaseReport: (
        "Rejected",
        frozenset({"Accepted", "EmptyResultSet", "NotSupported", "Rejected"}),
    ),
    GetComposite: _DONE_OR_NOT,
    RequestStart: _DONE_OR_NOT,
    RequestStop: _DONE_OR_NOT,
    Reset: _DONE_LATER_OR_NOT,
    SendLocalList: ("Failed", frozenset({"Accepted", "Failed", "VersionMismatch"})),
    SetProfile: _DONE_OR_NOT,
    Trigger: ("Rejected", frozenset({"Accepted", "NotImplemented", "Rejected"})),
    UnlockConnector: (
        "UnlockFailed",
        frozenset({"OngoingAuthorizedTransaction", "UnknownConnector", "UnlockFailed", "Unlocked"}),
    ),
}
"""The word of refusal of each message, and all its status words."""


def serialize_command_answer(command: Command, answer: CommandAnswer) -> Payload:
    """Write the answer for the CSMS. Raises `InvalidMessage` if it answers no such command."""
    match answer:
        case StatusAnswer() if type(command) in WORDS:
            return _status_payload(command, answer)
        case CompositeAnswer(schedule) if isinstance(command, GetComposite):
            return serialize_composite_v201(schedule, command.evse_id)
        case VariablesAnswer(results) if results and isinstance(command, GetVariables):
            return {"getVariableResult": list(map(serialize_get_result, results))}
        case VariablesAnswer(results) if results and isinstance(command, SetVariables):
            return {"setVariableResult": list(map(serialize_set_result, results))}
        case ListVersionAnswer(version):
            return {"versionNumber": version}
        case TransactionStatusAnswer(messages_in_queue, is_ongoing):
            payload = {"messagesInQueue": messages_in_queue}
            return payload if is_ongoing is None else payload | {"ongoingIndicator": is_ongoing}
        case DataAnswered():
            return serialize_data_answer(answer)
        case StatusAnswer(status) if isinstance(command, DataSent):
            return serialize_data_answer(DataAnswered(status))
        case _:
            raise InvalidMessage(
                f"{type(answer).__name__} does not answer {type(command).__name__}"
            )


def _status_payload(command: Command, answer: StatusAnswer) -> Payload:
    refusal, words = WORDS[type(command)]
    payload: Payload = {"status": answer.status if answer.status in words else refusal}
    if answer.reason_code is not None or answer.info is not None:
        info = {"reasonCode": (answer.reason_code or UNSPECIFIED)[:LONGEST_REASON_CODE]}
        if answer.info is not None:
            info["additionalInfo"] = answer.info[:LONGEST_INFO]
        payload["statusInfo"] = info
    if isinstance(command, RequestStart) and answer.transaction_id is not None:
        if len(answer.transaction_id) > LONGEST_TRANSACTION_ID:
            raise InvalidMessage("a transactionId of over 36 characters")
        payload["transactionId"] = answer.transaction_id
    return payload


def parse_command_answer(command: Command, payload: Payload) -> CommandAnswer:
    """Read a station's answer to what `serialize_command` wrote."""
    match command:
        case GetComposite(evse_id):
            return CompositeAnswer(parse_composite_v201(payload), evse_id)
        case GetVariables():
            return VariablesAnswer(tuple(map(parse_result, payload["getVariableResult"])))
        case SetVariables():
            return VariablesAnswer(tuple(map(parse_result, payload["setVariableResult"])))
        case GetLocalListVersion():
            return ListVersionAnswer(payload["versionNumber"])
        case GetTransactionStatus():
            ongoing = payload.get("ongoingIndicator")
            return TransactionStatusAnswer(payload["messagesInQueue"], ongoing)
        case DataSent():
            return DataAnswered(payload["status"], payload.get("data"))
        case _:
            return _status_answer(payload)


def _status_answer(payload: Payload) -> StatusAnswer:
    info = payload.get("statusInfo") or {}
    return StatusAnswer(
        payload["status"],
        info.get("reasonCode"),
        info.get("additionalInfo"),
        payload.get("transactionId"),
    )
