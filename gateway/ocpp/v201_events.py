"""What a station tells its CSMS, in OCPP 2.0.1: payloads <-> `events`. Pure, no state.

Parsing wants a payload that is valid by its schema, and raises `PeerError` where that is not
enough; `customData` is ignored. Serializing gives a payload that is valid by its schema, None
where 2.0.1 has no word for the event, or raises `InvalidMessage` where the event lacks what 2.0.1
requires. Texts longer than 2.0.1 allows are cut, words it does not know become the nearest.

Clauses: OCPP 2.0.1 edition 3, Part 2.
"""

import math
from collections.abc import Callable

from gateway.errors import InvalidMessage, PeerError
from gateway.events import (
    AuthorizeAsked,
    Booted,
    ChargingNeedsTold,
    ChargingState,
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
    ReportSent,
    SecurityEventOccurred,
    StatusChanged,
    TransactionChanged,
)
from gateway.ocpp.error_codes import ErrorCode
from gateway.ocpp.frames import Payload
from gateway.ocpp.meter_values import LARGEST_INTEGER
from gateway.ocpp.meter_values import parse_v201 as parse_meter_values
from gateway.ocpp.meter_values import serialize_v201 as serialize_meter_values
from gateway.ocpp.registers import has_register, register_sample
from gateway.ocpp.times import format_time, parse_time
from gateway.ocpp.tokens import parse_token, serialize_token
from gateway.ocpp.v201_words import (
    BOOT_REASONS,
    FIRMWARE_STATUSES,
    LOG_STATUSES,
    STOPPED_REASONS,
    TRIGGER_REASONS,
)

LONGEST_TRANSACTION_ID = 36
VENDOR_ID = "site-gateway"
"""Whose customData it is."""

OTHER_ACTIONS = frozenset(
    {
        "ClearedChargingLimit",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SignCertificate",
    }
)
"""What a station may send and this gateway keeps no state of."""

Sent = tuple[str, Payload]


def parse_event(action: str, payload: Payload) -> Event:
    """Read the payload of a station's CALL. Raises `PeerError` NotSupported for a CSMS's action."""
    parse = _PARSERS.get(action)
    if parse is not None:
        return parse(payload)
    if action in OTHER_ACTIONS:
        return OtherSent(action, payload)
    raise PeerError(ErrorCode.NOT_SUPPORTED, f"a station does not send {action}")


def _booted(payload: Payload) -> Booted:
    station = payload["chargingStation"]
    return Booted(
        station["vendorName"],
        station["model"],
        station.get("serialNumber") or None,
        station.get("firmwareVersion") or None,
        payload["reason"],
    )


def _status_changed(payload: Payload) -> StatusChanged:
    return StatusChanged(
        payload["evseId"],
        payload["connectorId"],
        ConnectorStatus(payload["connectorStatus"]),
        parse_time(payload["timestamp"]),
    )


def _transaction_changed(payload: Payload) -> TransactionChanged:
    get = payload.get
    info = payload["transactionInfo"]
    evse = get("evse") or {}
    token = get("idToken")
    state = info.get("chargingState")
    return TransactionChanged(
        event_type=EventType(payload["eventType"]),
        at=parse_time(payload["timestamp"]),
        transaction_id=info["transactionId"],
        trigger_reason=payload["triggerReason"],
        seq_no=payload["seqNo"],
        evse_id=evse.get("id"),
        connector_id=evse.get("connectorId"),
        id_token=None if token is None else parse_token(token),
        is_offline=get("offline", False),
        charging_state=None if state is None else ChargingState(state),
        stopped_reason=info.get("stoppedReason"),
        meter_values=parse_meter_values(get("meterValue", ())),
        remote_start_id=info.get("remoteStartId"),
        reservation_id=get("reservationId"),
        number_of_phases=get("numberOfPhasesUsed"),
        cable_max_current_a=get("cableMaxCurrent"),
    )


def _meters_sampled(payload: Payload) -> MetersSampled:
    evse_id = payload["evseId"]
    meter_values = parse_meter_values(payload["meterValue"])
    return MetersSampled(evse_id, 1 if evse_id else 0, meter_values)


def _report(payload: Payload) -> ReportSent:
    return ReportSent(
        payload["requestId"],
        payload["seqNo"],
        parse_time(payload["generatedAt"]),
        payload.get("tbc", False),
        tuple(payload.get("reportData", ())),
    )


def _charging_needs(payload: Payload) -> ChargingNeedsTold:
    needs = payload["chargingNeeds"]
    departs_at = needs.get("departureTime")
    return ChargingNeedsTold(
        payload["evseId"],
        _energy_wanted_wh(needs),
        None if departs_at is None else parse_time(departs_at),
    )


def _energy_wanted_wh(needs: Payload) -> float | None:
    """Return the energy a car asks for; a DC one may say how full it is and wants to be instead."""
    if ac := needs.get("acChargingParameters"):
        return float(ac["energyAmount"])
    dc = needs.get("dcChargingParameters") or {}
    if "energyAmount" in dc:
        return float(dc["energyAmount"])
    if "stateOfCharge" in dc and "evEnergyCapacity" in dc:
        missing = max(0, dc.get("fullSoC", 100) - dc["stateOfCharge"])
        return float(dc["evEnergyCapacity"] * missing / 100)
    return None


def _security_event(payload: Payload) -> SecurityEventOccurred:
    at = parse_time(payload["timestamp"])
    return SecurityEventOccurred(payload["type"], at, payload.get("techInfo"))


_PARSERS: dict[str, Callable[[Payload], Event]] = {
    "Authorize": lambda payload: AuthorizeAsked(parse_token(payload["idToken"])),
    "BootNotification": _booted,
    "DataTransfer": lambda payload: DataSent(
        payload["vendorId"], payload.get("messageId"), payload.get("data")
    ),
    "FirmwareStatusNotification": lambda payload: FirmwareStatusChanged(
        payload["status"], payload.get("requestId")
    ),
    "Heartbeat": lambda _: HeartbeatSent(),
    "LogStatusNotification": lambda payload: LogStatusChanged(
        payload["status"], payload.get("requestId")
    ),
    "MeterValues": _meters_sampled,
    "NotifyEVChargingNeeds": _charging_needs,
    "NotifyReport": _report,
    "SecurityEventNotification": _security_event,
    "StatusNotification": _status_changed,
    "TransactionEvent": _transaction_changed,
}

EVENT_ACTIONS = frozenset(_PARSERS) | OTHER_ACTIONS
"""What a station may send."""


def serialize_event(event: Event, transaction_number: int | None = None) -> Sent | None:
    """Write an event for the CSMS; None: 2.0.1 has no word for it.

    `transaction_number` is for 1.6 only. Raises `InvalidMessage` when an event of a transaction
    has no id of at most 36 characters, or a status has no time.
    """
    match event:
        case TransactionChanged():
            return "TransactionEvent", _transaction_event(event)
        case MetersSampled():
            return _meter_values(event)
        case StatusChanged():
            return _status(event)
        case HeartbeatSent():
            return "Heartbeat", {}
        case AuthorizeAsked():
            return "Authorize", {"idToken": serialize_token(event.id_token)}
        case Booted():
            return "BootNotification", _boot(event)
        case DataSent():
            return "DataTransfer", serialize_data(event)
        case SecurityEventOccurred():
            return "SecurityEventNotification", _security(event)
        case FirmwareStatusChanged(status, request_id):
            is_known = status in FIRMWARE_STATUSES
            return _job("FirmwareStatusNotification", status, request_id) if is_known else None
        case LogStatusChanged(status, request_id):
            is_known = status in LOG_STATUSES
            return _job("LogStatusNotification", status, request_id) if is_known else None
        case ReportSent():
            return "NotifyReport", _report_payload(event)
        case ChargingNeedsTold() | OtherSent():
            return None  # the site balances itself: the cloud is told what comes of it


def _transaction_event(event: TransactionChanged) -> Payload:
    payload: Payload = {
        "eventType": str(event.event_type),
        "timestamp": format_time(event.at),
        "triggerReason": _trigger_reason(event),
        "seqNo": event.seq_no,
        "transactionInfo": _transaction_info(event),
    }
    if event.is_offline:
        payload["offline"] = True
    if event.number_of_phases is not None:
        payload["numberOfPhasesUsed"] = event.number_of_phases
    cable_a = event.cable_max_current_a
    if cable_a is not None and abs(cable_a) < LARGEST_INTEGER:  # nor NaN
        payload["cableMaxCurrent"] = round(cable_a)
    if event.reservation_id is not None:
        payload["reservationId"] = event.reservation_id
    if event.evse_id is not None:
        payload["evse"] = evse_payload(event.evse_id, event.connector_id)
    if event.id_token is not None:
        payload["idToken"] = serialize_token(event.id_token)
    meter_values = serialize_meter_values(_with_register(event), event.register_wh)
    if meter_values:
        payload["meterValue"] = meter_values
    if event.is_estimated:
        payload["customData"] = {"vendorId": VENDOR_ID, "estimated": True}
    return payload


def _transaction_info(event: TransactionChanged) -> Payload:
    if event.transaction_id is None or len(event.transaction_id) > LONGEST_TRANSACTION_ID:
        raise InvalidMessage(f"{event.event_type} without a transactionId of 2.0.1")
    info: Payload = {"transactionId": event.transaction_id}
    if event.charging_state is not None:
        info["chargingState"] = str(event.charging_state)
    if event.stopped_reason is not None:
        is_known = event.stopped_reason in STOPPED_REASONS
        info["stoppedReason"] = event.stopped_reason if is_known else "Other"
    if event.remote_start_id is not None:
        info["remoteStartId"] = event.remote_start_id
    return info


def _trigger_reason(event: TransactionChanged) -> str:
    if event.trigger_reason in TRIGGER_REASONS:
        return event.trigger_reason
    return "MeterValuePeriodic" if event.meter_values else "AbnormalCondition"


def _with_register(event: TransactionChanged) -> tuple[MeterValue, ...]:
    """Add the register that only 1.6 has beside the samples (E02.FR.09, E06.FR.11)."""
    register_wh = event.register_wh
    if event.event_type is EventType.UPDATED or register_wh is None:
        return event.meter_values
    if not math.isfinite(register_wh) or has_register(event.meter_values):
        return event.meter_values
    return (*event.meter_values, register_sample(event.event_type, event.at, register_wh))


def evse_payload(evse_id: int, connector_id: int | None) -> Payload:
    payload = {"id": evse_id}
    if connector_id:
        payload["connectorId"] = connector_id
    return payload


def _meter_values(event: MetersSampled) -> Sent | None:
    said = serialize_meter_values(event.meter_values)
    return ("MeterValues", {"evseId": event.evse_id, "meterValue": said}) if said else None


def _status(event: StatusChanged) -> Sent | None:
    if event.evse_id == 0:
        return None  # the station as a whole has no StatusNotification
    if event.at is None:
        raise InvalidMessage("a status without a time")
    return "StatusNotification", {
        "timestamp": format_time(event.at),
        "connectorStatus": str(event.status),
        "evseId": event.evse_id,
        "connectorId": event.connector_id or 1,
    }


def _boot(event: Booted) -> Payload:
    station = {"model": event.model[:20], "vendorName": event.vendor[:50]}
    if event.serial_number is not None:
        station["serialNumber"] = event.serial_number[:25]
    if event.firmware_version is not None:
        station["firmwareVersion"] = event.firmware_version[:50]
    reason = event.reason if event.reason in BOOT_REASONS else "Unknown"
    return {"reason": reason, "chargingStation": station}


def serialize_data(event: DataSent) -> Payload:
    """Write a DataTransfer of either direction."""
    payload: Payload = {"vendorId": event.vendor_id[:255]}
    if event.message_id is not None:
        payload["messageId"] = event.message_id[:50]
    if event.data is not None:
        payload["data"] = event.data
    return payload


def _security(event: SecurityEventOccurred) -> Payload:
    payload = {"type": event.type[:50], "timestamp": format_time(event.at)}
    if event.tech_info is not None:
        payload["techInfo"] = event.tech_info[:255]
    return payload


def _job(action: str, status: str, request_id: int | None) -> Sent:
    payload: Payload = {"status": status}
    if request_id is not None:
        payload["requestId"] = request_id
    return action, payload


def _report_payload(event: ReportSent) -> Payload:
    payload: Payload = {
        "requestId": event.request_id,
        "generatedAt": format_time(event.at),
        "tbc": event.has_more,
        "seqNo": event.seq_no,
    }
    if event.rows:
        payload["reportData"] = list(event.rows)
    return payload
