"""What a central system asks of a station, in OCPP 1.6: payloads <-> `commands`. Pure, no state.

Connector n is EVSE n; 0 is the whole station. Status words of 2.0.1 that a message of 1.6 lacks
become the nearest it has. Serializing gives None where 1.6 has no word for a command.

Clauses: OCPP 1.6 edition 2 with errata, security whitepaper edition 3.
"""

from collections.abc import Callable

from gateway.commands import (
    ChangeAvailability,
    ChangeConfiguration,
    ClearCache,
    ClearProfile,
    Command,
    GetComposite,
    GetConfiguration,
    GetLocalListVersion,
    LocalListEntry,
    RequestStart,
    RequestStop,
    Reset,
    SendLocalList,
    SetProfile,
    Trigger,
    UnlockConnector,
    Unsupported,
)
from gateway.events import DataSent
from gateway.ocpp.charging_profiles import (
    parse_profile_v16,
    serialize_profile_v16,
    transaction_number,
)
from gateway.ocpp.frames import Payload
from gateway.ocpp.tokens import id_tag, parse_tag_info, serialize_tag_info, token_of_tag
from gateway.ocpp.v16_events import serialize_data
from gateway.ocpp.v16_words import (
    EXTENDED_TRIGGER,
    EXTENDED_TRIGGER_IN_1_6,
    PURPOSE,
    PURPOSE_IN_1_6,
    TRIGGER,
    TRIGGER_IN_1_6,
)

Asked = tuple[str, Payload]


def parse_command(action: str, payload: Payload) -> Command:
    """Read the payload of the central system's CALL; what is not done here is `Unsupported`."""
    parse = _PARSERS.get(action)
    return Unsupported(action, payload) if parse is None else parse(payload)


def _change_availability(payload: Payload) -> ChangeAvailability:
    return ChangeAvailability(payload["type"] == "Operative", payload["connectorId"] or None)


def _clear_profile(payload: Payload) -> ClearProfile:
    get = payload.get
    purpose = get("chargingProfilePurpose")
    return ClearProfile(
        get("id"),
        get("connectorId"),
        None if purpose is None else PURPOSE[purpose],
        get("stackLevel"),
    )


def _get_composite(payload: Payload) -> GetComposite:
    return GetComposite(
        payload["connectorId"], payload["duration"], payload.get("chargingRateUnit")
    )


def _request_start(payload: Payload) -> RequestStart:
    profile = payload.get("chargingProfile")
    return RequestStart(
        token_of_tag(payload["idTag"]),
        payload.get("connectorId") or None,
        profile=None if profile is None else parse_profile_v16(profile),
    )


def _send_local_list(payload: Payload) -> SendLocalList:
    entries = tuple(
        LocalListEntry(token_of_tag(entry["idTag"]), parse_tag_info(info) if info else None)
        for entry in payload.get("localAuthorizationList", ())
        for info in (entry.get("idTagInfo"),)
    )
    return SendLocalList(payload["listVersion"], payload["updateType"] == "Full", entries)


def _trigger(words: dict[str, str]) -> Callable[[Payload], Trigger]:
    def parse(payload: Payload) -> Trigger:
        connector = payload.get("connectorId") or None
        message = words[payload["requestedMessage"]]
        return Trigger(message, connector, None if connector is None else 1)

    return parse


_PARSERS: dict[str, Callable[[Payload], Command]] = {
    "ChangeAvailability": _change_availability,
    "ChangeConfiguration": lambda payload: ChangeConfiguration(payload["key"], payload["value"]),
    "ClearCache": lambda _: ClearCache(),
    "ClearChargingProfile": _clear_profile,
    "DataTransfer": lambda payload: DataSent(
        payload["vendorId"], payload.get("messageId"), payload.get("data")
    ),
    "ExtendedTriggerMessage": _trigger(EXTENDED_TRIGGER),
    "GetCompositeSchedule": _get_composite,
    "GetConfiguration": lambda payload: GetConfiguration(tuple(payload.get("key", ()))),
    "GetLocalListVersion": lambda _: GetLocalListVersion(),
    "RemoteStartTransaction": _request_start,
    "RemoteStopTransaction": lambda payload: RequestStop(str(payload["transactionId"])),
    "Reset": lambda payload: Reset(payload["type"] == "Hard"),
    "SendLocalList": _send_local_list,
    "SetChargingProfile": lambda payload: SetProfile(
        payload["connectorId"], parse_profile_v16(payload["csChargingProfiles"])
    ),
    "TriggerMessage": _trigger(TRIGGER),
    "UnlockConnector": lambda payload: UnlockConnector(payload["connectorId"], 1),
}

COMMAND_ACTIONS = frozenset(_PARSERS)
"""What this gateway does of the commands of 1.6."""


def serialize_command(command: Command) -> Asked | None:
    """Write a command for a station; None: 1.6 has no word for it.

    Raises `InvalidMessage` for a transaction id that is no number.
    """
    match command:
        case RequestStart():
            return "RemoteStartTransaction", _start(command)
        case RequestStop(transaction_id):
            number = transaction_number(transaction_id)
            return "RemoteStopTransaction", {"transactionId": number}
        case SetProfile(evse_id, profile):
            profile_payload = serialize_profile_v16(profile)
            payload: Payload = {"connectorId": evse_id, "csChargingProfiles": profile_payload}
            return "SetChargingProfile", payload
        case ClearProfile():
            return _clear(command)
        case GetComposite(evse_id, duration_s, unit):
            payload = {"connectorId": evse_id, "duration": duration_s}
            return "GetCompositeSchedule", payload | _given(chargingRateUnit=unit)
        case ChangeAvailability(is_operational, evse_id):
            word = "Operative" if is_operational else "Inoperative"
            return "ChangeAvailability", {"connectorId": evse_id or 0, "type": word}
        case UnlockConnector(evse_id):
            return "UnlockConnector", {"connectorId": evse_id}
        case Reset(is_immediate, None | 0):
            return "Reset", {"type": "Hard" if is_immediate else "Soft"}
        case Trigger():
            return _trigger_message(command)
        case GetConfiguration(keys):
            return "GetConfiguration", {"key": list(keys)} if keys else {}
        case ChangeConfiguration(key, value):
            return "ChangeConfiguration", {"key": key, "value": value}
        case SendLocalList():
            return "SendLocalList", _local_list(command)
        case GetLocalListVersion():
            return "GetLocalListVersion", {}
        case ClearCache():
            return "ClearCache", {}
        case DataSent():
            return "DataTransfer", serialize_data(command)
        case _:
            return None


def _given(**values: int | str | None) -> Payload:
    return {key: value for key, value in values.items() if value is not None}


def _start(command: RequestStart) -> Payload:
    payload: Payload = {"idTag": id_tag(command.id_token)}
    if command.evse_id:
        payload["connectorId"] = command.evse_id
    if command.profile is not None:
        payload["chargingProfile"] = serialize_profile_v16(command.profile)
    return payload


def _clear(command: ClearProfile) -> Asked | None:
    purpose = None
    if command.purpose is not None:
        purpose = PURPOSE_IN_1_6.get(command.purpose)
        if purpose is None:
            return None
    return "ClearChargingProfile", _given(
        id=command.profile_id,
        connectorId=command.evse_id,
        chargingProfilePurpose=purpose,
        stackLevel=command.stack_level,
    )


def _trigger_message(command: Trigger) -> Asked | None:
    connector = _given(connectorId=command.evse_id or None)
    if word := TRIGGER_IN_1_6.get(command.message):
        return "TriggerMessage", {"requestedMessage": word, **connector}
    if word := EXTENDED_TRIGGER_IN_1_6.get(command.message):
        return "ExtendedTriggerMessage", {"requestedMessage": word, **connector}
    return None


def _local_list(command: SendLocalList) -> Payload:
    entries = []
    for entry in command.entries:
        said: Payload = {"idTag": id_tag(entry.id_token)}
        if entry.info is not None:
            said["idTagInfo"] = serialize_tag_info(entry.info)
        entries.append(said)
    return {
        "listVersion": command.version,
        "updateType": "Full" if command.is_full else "Differential",
    } | ({"localAuthorizationList": entries} if entries else {})
