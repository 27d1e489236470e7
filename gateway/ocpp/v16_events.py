"""What a station tells its CSMS, in OCPP 1.6: payloads <-> `events`. Pure, no state.

Parsing wants a payload that is valid by its schema, and raises `PeerError` where that is not
enough. Serializing gives a payload that is valid by its schema, None where 1.6 has no word for the
event, or raises `InvalidMessage` where the event lacks what 1.6 requires. Texts longer than 1.6
allows are cut. Connector n is EVSE n, connector 1; connector 0 is EVSE 0.

Clauses: OCPP 1.6 edition 2 with errata, security whitepaper edition 3.
"""

import json
from collections.abc import Callable
from typing import Any

from gateway.errors import InvalidMessage, PeerError
from gateway.events import (
    AuthorizeAsked,
    Booted,
    ConnectorStatus,
    DataSent,
    Event,
    EventType,
    FirmwareStatusChanged,
    HeartbeatSent,
    LogStatusChanged,
    MetersSampled,
    MeterValue,
    OtherSent,
    SecurityEventOccurred,
    StatusChanged,
    TransactionChanged,
)
from gateway.ocpp.error_codes import ErrorCode
from gateway.ocpp.frames import Payload
from gateway.ocpp.meter_values import parse_v16 as parse_meter_values
from gateway.ocpp.meter_values import serialize_v16 as serialize_meter_values
from gateway.ocpp.registers import CONTEXT_OF, has_register, register_at, register_sample
from gateway.ocpp.times import format_time, parse_optional_time, parse_time
from gateway.ocpp.tokens import id_tag, token_of_tag
from gateway.ocpp.v16_words import (
    DIAGNOSTICS_STATUS,
    ERROR_CODES,
    FIRMWARE_STATUS,
    LOG_STATUS,
    REASON,
    REASON_OF_OTHER,
    REASON_OF_STOP,
    STATUS,
    STATUS_OF_STATION,
)

UNLEARNT = -1
"""transactionId of a transaction the central system never confirmed (errata §3.18)."""

STATUS_IN_1_6 = {pair: status for status, pair in STATUS.items()}
OCCUPIED_FOR_NO_KNOWN_REASON = "Preparing"

Sent = tuple[str, Payload]


def parse_event(action: str, payload: Payload) -> Event:
    """Read the payload of a station's CALL. Raises `PeerError` NotSupported for a CSMS's action."""
    parse = _PARSERS.get(action)
    if parse is None:
        raise PeerError(ErrorCode.NOT_SUPPORTED, f"a station does not send {action}")
    return parse(payload)


def _booted(payload: Payload) -> Booted:
    get = payload.get
    serial = get("chargePointSerialNumber") or get("chargeBoxSerialNumber")
    return Booted(
        payload["chargePointVendor"],
        payload["chargePointModel"],
        serial or None,
        get("firmwareVersion") or None,
    )


def _status_changed(payload: Payload) -> StatusChanged:
    get = payload.get
    connector = payload["connectorId"]
    status, charging_state = STATUS[payload["status"]]
    error_code = payload["errorCode"]
    return StatusChanged(
        evse_id=connector,
        connector_id=1 if connector else 0,
        status=status,
        at=parse_optional_time(get("timestamp")),
        charging_state=charging_state,
        error_code=None if error_code == "NoError" else error_code,
        info=get("info"),
        vendor_id=get("vendorId"),
        vendor_error_code=get("vendorErrorCode"),
    )


def _started(payload: Payload) -> TransactionChanged:
    at = parse_time(payload["timestamp"])
    return TransactionChanged(
        event_type=EventType.STARTED,
        at=at,
        transaction_id=None,
        trigger_reason="Authorized",
        seq_no=0,
        evse_id=payload["connectorId"],
        connector_id=1,
        id_token=token_of_tag(payload["idTag"]),
        register_wh=float(payload["meterStart"]),
        meter_values=(register_sample(EventType.STARTED, at, payload["meterStart"]),),
        reservation_id=payload.get("reservationId"),
    )


def _stopped(payload: Payload) -> TransactionChanged:
    at = parse_time(payload["timestamp"])
    reason = payload.get("reason")
    stopped, trigger = REASON[reason or "Local"]
    meter_values = parse_meter_values(payload.get("transactionData", ()))
    if not has_register(meter_values, CONTEXT_OF[EventType.ENDED]):
        meter_values += (register_sample(EventType.ENDED, at, payload["meterStop"]),)
    tag = payload.get("idTag")
    return TransactionChanged(
        event_type=EventType.ENDED,
        at=at,
        transaction_id=str(payload["transactionId"]),
        trigger_reason=trigger,
        seq_no=0,
        id_token=token_of_tag(tag) if tag else None,
        stopped_reason=stopped if reason else None,  # who knows what was asked of it knows more
        register_wh=float(payload["meterStop"]),
        meter_values=meter_values,
    )


def _meters_sampled(payload: Payload) -> MetersSampled:
    connector = payload["connectorId"]
    transaction = payload.get("transactionId")
    return MetersSampled(
        connector,
        1 if connector else 0,
        parse_meter_values(payload["meterValue"]),
        None if transaction is None else str(transaction),
    )


def _data_sent(payload: Payload) -> DataSent:
    return DataSent(payload["vendorId"], payload.get("messageId"), payload.get("data"))


def _security_event(payload: Payload) -> SecurityEventOccurred:
    at = parse_time(payload["timestamp"])
    return SecurityEventOccurred(payload["type"], at, payload.get("techInfo"))


def _diagnostics_status(payload: Payload) -> LogStatusChanged:
    status = payload["status"]
    return LogStatusChanged("UploadFailure" if status == "UploadFailed" else status)


_PARSERS: dict[str, Callable[[Payload], Event]] = {
    "Authorize": lambda payload: AuthorizeAsked(token_of_tag(payload["idTag"])),
    "BootNotification": _booted,
    "DataTransfer": _data_sent,
    "DiagnosticsStatusNotification": _diagnostics_status,
    "FirmwareStatusNotification": lambda payload: FirmwareStatusChanged(payload["status"]),
    "Heartbeat": lambda _: HeartbeatSent(),
    "LogStatusNotification": lambda payload: LogStatusChanged(
        payload["status"], payload.get("requestId")
    ),
    "MeterValues": _meters_sampled,
    "SecurityEventNotification": _security_event,
    "SignCertificate": lambda payload: OtherSent("SignCertificate", payload),
    "SignedFirmwareStatusNotification": lambda payload: FirmwareStatusChanged(
        payload["status"], payload.get("requestId")
    ),
    "StartTransaction": _started,
    "StatusNotification": _status_changed,
    "StopTransaction": _stopped,
}

EVENT_ACTIONS = frozenset(_PARSERS)
"""What a station may send."""


def serialize_event(event: Event, transaction_number: int | None = None) -> Sent | None:
    """Write an event for the central system; None: 1.6 has no word for it.

    `transaction_number` is the transactionId the central system gave, None when never learnt.
    Raises `InvalidMessage` when a start has no token, a start or stop no known register, or
    an event of a transaction no EVSE.
    """
    match event:
        case TransactionChanged():
            return _transaction_changed(event, transaction_number)
        case MetersSampled():
            number = _number(transaction_number) if event.transaction_id is not None else None
            return _meter_values(event.evse_id, event.meter_values, number)
        case StatusChanged():
            return "StatusNotification", _status(event)
        case HeartbeatSent():
            return "Heartbeat", {}
        case AuthorizeAsked():
            return "Authorize", {"idTag": id_tag(event.id_token)}
        case Booted():
            return "BootNotification", _boot(event)
        case DataSent():
            return "DataTransfer", serialize_data(event)
        case SecurityEventOccurred():
            return "SecurityEventNotification", _security(event)
        case FirmwareStatusChanged():
            return _firmware(event)
        case LogStatusChanged():
            return _log(event)
        case _:
            return None


def _transaction_changed(event: TransactionChanged, number: int | None) -> Sent | None:
    match event.event_type:
        case EventType.STARTED:
            return "StartTransaction", _start(event)
        case EventType.UPDATED:
            return _meter_values(_connector(event), event.meter_values, _number(number))
        case EventType.ENDED:
            return "StopTransaction", _stop(event, _number(number))


def _number(number: int | None) -> int:
    return UNLEARNT if number is None else number


def _connector(event: TransactionChanged) -> int:
    if event.evse_id is None:
        raise InvalidMessage(f"{event.event_type} without an EVSE")
    return event.evse_id


def _register(event: TransactionChanged) -> int:
    register_wh = register_at(event)
    if register_wh is None:
        raise InvalidMessage(f"{event.event_type} without a known energy register")
    return register_wh


def _start(event: TransactionChanged) -> Payload:
    if event.id_token is None:
        raise InvalidMessage("Started without a token")
    payload = {
        "connectorId": _connector(event),
        "idTag": id_tag(event.id_token),
        "meterStart": _register(event),
        "timestamp": format_time(event.at),
    }
    if event.reservation_id is not None:
        payload["reservationId"] = event.reservation_id
    return payload


def _stop(event: TransactionChanged, number: int) -> Payload:
    meter_stop = _register(event)
    payload: Payload = {
        "meterStop": meter_stop,
        "timestamp": format_time(event.at),
        "transactionId": number,
        "reason": _reason(event),
    }
    if event.id_token is not None:
        payload["idTag"] = id_tag(event.id_token)
    said_by_meter_stop = register_sample(EventType.ENDED, event.at, meter_stop)
    data = serialize_meter_values(mv for mv in event.meter_values if mv != said_by_meter_stop)
    if data:
        payload["transactionData"] = data
    return payload


def _reason(event: TransactionChanged) -> str:
    stopped = event.stopped_reason or "Local"  # E06.FR.09
    if stopped in REASON_OF_STOP:
        return REASON_OF_STOP[stopped]
    return REASON_OF_OTHER.get(event.trigger_reason, "Other")


def _meter_values(
    connector: int, meter_values: tuple[MeterValue, ...], number: int | None
) -> Sent | None:
    said = serialize_meter_values(meter_values)
    if not said:
        return None
    payload: Payload = {"connectorId": connector, "meterValue": said}
    if number is not None:
        payload["transactionId"] = number
    return "MeterValues", payload


def _status(event: StatusChanged) -> Payload:
    status = STATUS_IN_1_6.get((event.status, event.charging_state)) or _plain_status(event.status)
    if event.evse_id == 0 and status not in STATUS_OF_STATION:
        status = "Available"
    payload: Payload = {"connectorId": event.evse_id, "status": status, "errorCode": "NoError"}
    vendor_error_code = event.vendor_error_code
    if event.error_code in ERROR_CODES:
        payload["errorCode"] = event.error_code
    elif event.error_code is not None:
        payload["errorCode"] = "OtherError"
        vendor_error_code = vendor_error_code or event.error_code
    if event.at is not None:
        payload["timestamp"] = format_time(event.at)
    return payload | _texts(
        info=(event.info, 50),
        vendorId=(event.vendor_id, 255),
        vendorErrorCode=(vendor_error_code, 50),
    )


def _plain_status(status: ConnectorStatus) -> str:
    return OCCUPIED_FOR_NO_KNOWN_REASON if status is ConnectorStatus.OCCUPIED else str(status)


def _texts(**texts: tuple[str | None, int]) -> Payload:
    return {key: text[:longest] for key, (text, longest) in texts.items() if text is not None}


def _boot(event: Booted) -> Payload:
    return _texts(
        chargePointVendor=(event.vendor, 20),
        chargePointModel=(event.model, 20),
        chargePointSerialNumber=(event.serial_number, 25),
        firmwareVersion=(event.firmware_version, 50),
    )


def serialize_data(event: DataSent) -> Payload:
    """Write a DataTransfer of either direction; data that is no text goes as JSON."""
    return _texts(vendorId=(event.vendor_id, 255), messageId=(event.message_id, 50)) | data_payload(
        event.data
    )


def data_payload(data: Any) -> Payload:
    if data is None:
        return {}
    return {"data": data if isinstance(data, str) else json.dumps(data)}


def _security(event: SecurityEventOccurred) -> Payload:
    payload = _texts(type=(event.type, 50), techInfo=(event.tech_info, 255))
    return payload | {"timestamp": format_time(event.at)}


def _firmware(event: FirmwareStatusChanged) -> Sent | None:
    status = FIRMWARE_STATUS.get(event.status)
    if status is None:
        return None
    if event.request_id is None:
        return "FirmwareStatusNotification", {"status": status}
    payload = {"status": event.status, "requestId": event.request_id}
    return "SignedFirmwareStatusNotification", payload


def _log(event: LogStatusChanged) -> Sent | None:
    status = DIAGNOSTICS_STATUS.get(event.status)
    if status is None:
        return None
    if event.request_id is None:
        return "DiagnosticsStatusNotification", {"status": status}
    told = event.status if event.status in LOG_STATUS else "UploadFailure"
    return "LogStatusNotification", {"status": told, "requestId": event.request_id}
