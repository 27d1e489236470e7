"""What a CSMS asks of a station, in OCPP 2.0.1: payloads <-> `commands`. Pure, no state.

`customData` is ignored and never sent. Serializing gives None where 2.0.1 has no word for a
command (the configuration keys of 1.6).

Clauses: OCPP 2.0.1 edition 3, Part 2.
"""

from collections.abc import Callable

from gateway.commands import (
    ChangeAvailability,
    ClearCache,
    ClearProfile,
    Command,
    GetBaseReport,
    GetComposite,
    GetLocalListVersion,
    GetTransactionStatus,
    GetVariables,
    LocalListEntry,
    RequestStart,
    RequestStop,
    Reset,
    SendLocalList,
    SetProfile,
    SetVariables,
    Trigger,
    UnlockConnector,
    Unsupported,
)
from gateway.events import DataSent
from gateway.ocpp.charging_profiles import parse_profile_v201, serialize_profile_v201
from gateway.ocpp.frames import Payload
from gateway.ocpp.tokens import (
    parse_token,
    parse_token_info,
    serialize_token,
    serialize_token_info,
)
from gateway.ocpp.v201_events import evse_payload, serialize_data
from gateway.ocpp.v201_variables import parse_variable, serialize_variable
from gateway.ocpp.v201_words import PURPOSES, TRIGGERS

Asked = tuple[str, Payload]


def parse_command(action: str, payload: Payload) -> Command:
    """Read the payload of the CSMS's CALL; what is not done here is `Unsupported`.

    Raises `PeerError` for a charging profile no CSMS may set.
    """
    parse = _PARSERS.get(action)
    return Unsupported(action, payload) if parse is None else parse(payload)


def _evse(payload: Payload) -> tuple[int | None, int | None]:
    evse = payload.get("evse") or {}
    return evse.get("id"), evse.get("connectorId")


def _clear_profile(payload: Payload) -> ClearProfile:
    criteria = payload.get("chargingProfileCriteria") or {}
    return ClearProfile(
        payload.get("chargingProfileId"),
        criteria.get("evseId"),
        criteria.get("chargingProfilePurpose"),
        criteria.get("stackLevel"),
    )


def _request_start(payload: Payload) -> RequestStart:
    profile = payload.get("chargingProfile")
    return RequestStart(
        parse_token(payload["idToken"]),
        payload.get("evseId"),
        remote_start_id=payload["remoteStartId"],
        profile=None if profile is None else parse_profile_v201(profile),
    )


def _send_local_list(payload: Payload) -> SendLocalList:
    entries = tuple(
        LocalListEntry(parse_token(entry["idToken"]), parse_token_info(info) if info else None)
        for entry in payload.get("localAuthorizationList", ())
        for info in (entry.get("idTokenInfo"),)
    )
    return SendLocalList(payload["versionNumber"], payload["updateType"] == "Full", entries)


def _set_variables(payload: Payload) -> SetVariables:
    rows = payload["setVariableData"]
    return SetVariables(tuple((parse_variable(row), row["attributeValue"]) for row in rows))


_PARSERS: dict[str, Callable[[Payload], Command]] = {
    "ChangeAvailability": lambda payload: ChangeAvailability(
        payload["operationalStatus"] == "Operative", *_evse(payload)
    ),
    "ClearCache": lambda _: ClearCache(),
    "ClearChargingProfile": _clear_profile,
    "DataTransfer": lambda payload: DataSent(
        payload["vendorId"], payload.get("messageId"), payload.get("data")
    ),
    "GetBaseReport": lambda payload: GetBaseReport(payload["requestId"], payload["reportBase"]),
    "GetCompositeSchedule": lambda payload: GetComposite(
        payload["evseId"], payload["duration"], payload.get("chargingRateUnit")
    ),
    "GetLocalListVersion": lambda _: GetLocalListVersion(),
    "GetTransactionStatus": lambda payload: GetTransactionStatus(payload.get("transactionId")),
    "GetVariables": lambda payload: GetVariables(
        tuple(map(parse_variable, payload["getVariableData"]))
    ),
    "RequestStartTransaction": _request_start,
    "RequestStopTransaction": lambda payload: RequestStop(payload["transactionId"]),
    "Reset": lambda payload: Reset(payload["type"] == "Immediate", payload.get("evseId")),
    "SendLocalList": _send_local_list,
    "SetChargingProfile": lambda payload: SetProfile(
        payload["evseId"], parse_profile_v201(payload["chargingProfile"])
    ),
    "SetVariables": _set_variables,
    "TriggerMessage": lambda payload: Trigger(payload["requestedMessage"], *_evse(payload)),
    "UnlockConnector": lambda payload: UnlockConnector(payload["evseId"], payload["connectorId"]),
}

COMMAND_ACTIONS = frozenset(_PARSERS)
"""What this gateway does of the commands of 2.0.1."""


def serialize_command(command: Command) -> Asked | None:
    """Write a command for a station; None: 2.0.1 has no word for it."""
    match command:
        case RequestStart():
            return "RequestStartTransaction", _start(command)
        case RequestStop(transaction_id):
            return "RequestStopTransaction", {"transactionId": transaction_id}
        case SetProfile(evse_id, profile):
            profile_payload = serialize_profile_v201(profile)
            return "SetChargingProfile", {"evseId": evse_id, "chargingProfile": profile_payload}
        case ClearProfile():
            return _clear(command)
        case GetComposite(evse_id, duration_s, unit):
            payload: Payload = {"evseId": evse_id, "duration": duration_s}
            return "GetCompositeSchedule", payload | _given(chargingRateUnit=unit)
        case ChangeAvailability():
            return "ChangeAvailability", _availability(command)
        case UnlockConnector(evse_id, connector_id):
            return "UnlockConnector", {"evseId": evse_id, "connectorId": connector_id}
        case Reset(is_immediate, evse_id):
            word = "Immediate" if is_immediate else "OnIdle"
            return "Reset", {"type": word} | _given(evseId=evse_id or None)
        case Trigger(message) if message in TRIGGERS:
            return "TriggerMessage", _trigger(command)
        case GetVariables(variables):
            return "GetVariables", {"getVariableData": list(map(serialize_variable, variables))}
        case SetVariables(variables):
            rows = [serialize_variable(ref) | {"attributeValue": to} for ref, to in variables]
            return "SetVariables", {"setVariableData": rows}
        case GetBaseReport(request_id, base):
            return "GetBaseReport", {"requestId": request_id, "reportBase": base}
        case SendLocalList():
            return "SendLocalList", _local_list(command)
        case GetLocalListVersion():
            return "GetLocalListVersion", {}
        case ClearCache():
            return "ClearCache", {}
        case GetTransactionStatus(transaction_id):
            return "GetTransactionStatus", _given(transactionId=transaction_id)
        case DataSent():
            return "DataTransfer", serialize_data(command)
        case _:
            return None


def _given(**values: int | str | None) -> Payload:
    return {key: value for key, value in values.items() if value is not None}


def _start(command: RequestStart) -> Payload:
    payload: Payload = {
        "idToken": serialize_token(command.id_token),
        "remoteStartId": command.remote_start_id,
    }
    if command.evse_id:
        payload["evseId"] = command.evse_id
    if command.profile is not None:
        payload["chargingProfile"] = serialize_profile_v201(command.profile)
    return payload


def _clear(command: ClearProfile) -> Asked | None:
    if command.purpose is not None and command.purpose not in PURPOSES:
        return None
    criteria = _given(
        evseId=command.evse_id,
        chargingProfilePurpose=command.purpose,
        stackLevel=command.stack_level,
    )
    payload = _given(chargingProfileId=command.profile_id)
    return "ClearChargingProfile", payload | (
        {"chargingProfileCriteria": criteria} if criteria else {}
    )


def _availability(command: ChangeAvailability) -> Payload:
    payload: Payload = {"operationalStatus": "Operative" if command.operational else "Inoperative"}
    if command.evse_id:
        payload["evse"] = evse_payload(command.evse_id, command.connector_id)
    return payload


def _trigger(command: Trigger) -> Payload:
    payload: Payload = {"requestedMessage": command.message}
    if command.evse_id:
        connector_id = command.connector_id
        if command.message == "StatusNotification":
            connector_id = connector_id or 1  # F06.FR.12: without it a station may reject
        payload["evse"] = evse_payload(command.evse_id, connector_id)
    return payload


def _local_list(command: SendLocalList) -> Payload:
    entries = []
    for entry in command.entries:
        said: Payload = {"idToken": serialize_token(entry.id_token)}
        if entry.info is not None:
            said["idTokenInfo"] = serialize_token_info(entry.info)
        entries.append(said)
    return {
        "versionNumber": command.version,
        "updateType": "Full" if command.is_full else "Differential",
    } | ({"localAuthorizationList": entries} if entries else {})
