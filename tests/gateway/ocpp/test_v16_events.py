"""OCPP 1.6: what a station tells and what it is answered, in both directions."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.errors import InvalidMessage, PeerError
from gateway.events import (
    Acknowledged,
    Answer,
    AuthorizationStatus,
    AuthorizeAsked,
    Booted,
    ChargingState,
    ConnectorStatus,
    DataAnswered,
    DataSent,
    Event,
    EventType,
    FirmwareStatusChanged,
    HeartbeatSent,
    IdToken,
    IdTokenInfo,
    Judged,
    LogStatusChanged,
    MetersSampled,
    MeterValue,
    OtherSent,
    Registered,
    RegistrationStatus,
    ReportSent,
    SampledValue,
    SecurityEventOccurred,
    StatusChanged,
    TimeTold,
    TransactionChanged,
)
from gateway.ocpp.codec import codec_for
from gateway.ocpp.schemas import actions, validate_request, validate_response

CODEC = codec_for("ocpp1.6")
AT = datetime(2026, 11, 22, 18, 44, 18, tzinfo=UTC)
TIME = "2026-11-22T18:44:18Z"


def register(wh: str, context: str) -> MeterValue:
    return MeterValue(AT, (SampledValue(wh, context=context, unit="Wh"),))


STARTED = TransactionChanged(
    EventType.STARTED,
    AT,
    None,
    "Authorized",
    0,
    evse_id=3,
    connector_id=1,
    id_token=IdToken("CARD1"),
    register_wh=43.0,
    meter_values=(register("43", "Transaction.Begin"),),
)
ENDED = TransactionChanged(
    EventType.ENDED,
    AT,
    "1001",
    "StopAuthorized",
    0,
    stopped_reason="Local",
    register_wh=1234.0,
    meter_values=(register("1234", "Transaction.End"),),
)
START = {"connectorId": 3, "idTag": "CARD1", "meterStart": 43, "timestamp": TIME}
STOP = {"transactionId": 1001, "meterStop": 1234, "timestamp": TIME, "reason": "Local"}
VALUES: dict[str, Any] = {
    "timestamp": TIME,
    "sampledValue": [
        {
            "value": "16.00",
            "measurand": "Current.Import",
            "context": "Sample.Periodic",
            "unit": "A",
        }
    ],
}
SAMPLED = (MeterValue(AT, (SampledValue("16.00", "Current.Import", unit="A"),)),)


def status(word: str, connector: int = 3, **more: Any) -> tuple[str, dict[str, Any]]:
    payload = {"connectorId": connector, "status": word, "errorCode": "NoError"}
    return "StatusNotification", payload | {"timestamp": TIME} | more


OCCUPIED = StatusChanged(3, 1, ConnectorStatus.OCCUPIED, AT)

PAIRS: dict[str, tuple[tuple[str, dict[str, Any]], Event]] = {
    "boot": (
        (
            "BootNotification",
            {
                "chargePointVendor": "Keba AG",
                "chargePointModel": "KC-P30",
                "chargePointSerialNumber": "S001",
                "firmwareVersion": "1.10.1",
            },
        ),
        Booted("Keba AG", "KC-P30", "S001", "1.10.1"),
    ),
    "heartbeat": (("Heartbeat", {}), HeartbeatSent()),
    "authorize": (
        ("Authorize", {"idTag": "04A2B3C4"}),
        AuthorizeAsked(IdToken("04A2B3C4", "ISO14443")),
    ),
    "available": (status("Available"), StatusChanged(3, 1, ConnectorStatus.AVAILABLE, AT)),
    "preparing": (
        status("Preparing"),
        replace(OCCUPIED, charging_state=ChargingState.EV_CONNECTED),
    ),
    "charging": (status("Charging"), replace(OCCUPIED, charging_state=ChargingState.CHARGING)),
    "suspended by the car": (
        status("SuspendedEV"),
        replace(OCCUPIED, charging_state=ChargingState.SUSPENDED_EV),
    ),
    "suspended by us": (
        status("SuspendedEVSE"),
        replace(OCCUPIED, charging_state=ChargingState.SUSPENDED_EVSE),
    ),
    "finishing": (status("Finishing"), replace(OCCUPIED, charging_state=ChargingState.IDLE)),
    "reserved": (status("Reserved"), StatusChanged(3, 1, ConnectorStatus.RESERVED, AT)),
    "faulted": (
        status(
            "Faulted",
            errorCode="GroundFailure",
            info="earth",
            vendorId="acme",
            vendorErrorCode="E7",
        ),
        StatusChanged(
            3,
            1,
            ConnectorStatus.FAULTED,
            AT,
            error_code="GroundFailure",
            info="earth",
            vendor_id="acme",
            vendor_error_code="E7",
        ),
    ),
    "the whole station": (
        status("Unavailable", connector=0),
        StatusChanged(0, 0, ConnectorStatus.UNAVAILABLE, AT),
    ),
    "start": (("StartTransaction", START), STARTED),
    "start of a reservation": (
        ("StartTransaction", START | {"reservationId": 9}),
        replace(STARTED, reservation_id=9),
    ),
    "stop": (("StopTransaction", STOP), ENDED),
    "stop with token and data": (
        (
            "StopTransaction",
            STOP | {"idTag": "CARD1", "reason": "EVDisconnected", "transactionData": [VALUES]},
        ),
        replace(
            ENDED,
            id_token=IdToken("CARD1"),
            stopped_reason="EVDisconnected",
            trigger_reason="EVDeparted",
            meter_values=(*SAMPLED, register("1234", "Transaction.End")),
        ),
    ),
    "meter values in a transaction": (
        ("MeterValues", {"connectorId": 3, "transactionId": 1001, "meterValue": [VALUES]}),
        MetersSampled(3, 1, SAMPLED, "1001"),
    ),
    "meter values of the station": (
        ("MeterValues", {"connectorId": 0, "meterValue": [VALUES]}),
        MetersSampled(0, 0, SAMPLED),
    ),
    "data transfer": (
        ("DataTransfer", {"vendorId": "acme", "messageId": "x", "data": "y"}),
        DataSent("acme", "x", "y"),
    ),
    "firmware": (
        ("FirmwareStatusNotification", {"status": "Installed"}),
        FirmwareStatusChanged("Installed"),
    ),
    "signed firmware": (
        ("SignedFirmwareStatusNotification", {"status": "InvalidSignature", "requestId": 4}),
        FirmwareStatusChanged("InvalidSignature", 4),
    ),
    "diagnostics": (
        ("DiagnosticsStatusNotification", {"status": "UploadFailed"}),
        LogStatusChanged("UploadFailure"),
    ),
    "log": (
        ("LogStatusNotification", {"status": "PermissionDenied", "requestId": 4}),
        LogStatusChanged("PermissionDenied", 4),
    ),
    "security event": (
        (
            "SecurityEventNotification",
            {"type": "FirmwareUpdated", "timestamp": TIME, "techInfo": "1.2"},
        ),
        SecurityEventOccurred("FirmwareUpdated", AT, "1.2"),
    ),
}


@pytest.mark.parametrize(("message", "event"), PAIRS.values(), ids=PAIRS)
def test_an_event_is_read_and_written_alike(
    message: tuple[str, dict[str, Any]], event: Event
) -> None:
    assert validate_request("ocpp1.6", *message) is None
    assert CODEC.parse_event(*message) == event
    assert CODEC.serialize_event(event, 1001) == message


def test_empty_texts_of_a_boot_are_no_texts() -> None:
    payload = {
        "chargePointVendor": "V",
        "chargePointModel": "M",
        "chargePointSerialNumber": "",
        "chargeBoxSerialNumber": "B1",
        "firmwareVersion": "",
    }

    assert CODEC.parse_event("BootNotification", payload) == Booted("V", "M", "B1")


def test_a_status_without_time_has_none() -> None:
    message = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}

    event = CODEC.parse_event("StatusNotification", message)

    assert isinstance(event, StatusChanged)
    assert event.at is None
    assert CODEC.serialize_event(event) == ("StatusNotification", message)


STATUSES_OF_2_0_1 = {
    "occupied for no known reason": (OCCUPIED, "Preparing"),
    "occupied, charging": (replace(OCCUPIED, charging_state=ChargingState.CHARGING), "Charging"),
    "available after charging": (
        StatusChanged(3, 2, ConnectorStatus.AVAILABLE, AT, ChargingState.IDLE),
        "Available",
    ),
    "station is never occupied": (StatusChanged(0, 0, ConnectorStatus.OCCUPIED, AT), "Available"),
    "station is never reserved": (StatusChanged(0, 0, ConnectorStatus.RESERVED, AT), "Available"),
}


@pytest.mark.parametrize(("event", "word"), STATUSES_OF_2_0_1.values(), ids=STATUSES_OF_2_0_1)
def test_a_status_of_2_0_1_has_a_word(event: StatusChanged, word: str) -> None:
    sent = CODEC.serialize_event(event)

    assert sent is not None
    assert sent[1]["status"] == word
    assert sent[1]["connectorId"] == event.evse_id


def test_an_unknown_error_keeps_its_word_as_vendor_error() -> None:
    sent = CODEC.serialize_event(replace(OCCUPIED, error_code="Meltdown"))

    assert sent is not None
    assert (sent[1]["errorCode"], sent[1]["vendorErrorCode"]) == ("OtherError", "Meltdown")


REASONS = {
    "EmergencyStop": ("EmergencyStop", "AbnormalCondition", "EmergencyStop"),
    "HardReset": ("ImmediateReset", "ResetCommand", "HardReset"),
    "SoftReset": ("Other", "ResetCommand", "SoftReset"),
    "UnlockCommand": ("Other", "UnlockCommand", "UnlockCommand"),
    "DeAuthorized": ("DeAuthorized", "Deauthorized", "DeAuthorized"),
    "Remote": ("Remote", "RemoteStop", "Remote"),
    "Reboot": ("Reboot", "ResetCommand", "Reboot"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_survives_the_way_there_and_back(reason: str) -> None:
    stopped, trigger, said = REASONS[reason]

    event = CODEC.parse_event("StopTransaction", STOP | {"reason": reason})

    assert isinstance(event, TransactionChanged)
    assert (event.stopped_reason, event.trigger_reason) == (stopped, trigger)
    assert CODEC.serialize_event(event, 1001) == ("StopTransaction", STOP | {"reason": said})


REASONS_OF_2_0_1 = {
    "none is Local": (None, "Local"),
    "SOCLimitReached": ("SOCLimitReached", "Other"),
    "Timeout": ("Timeout", "Other"),
    "MasterPass": ("MasterPass", "Other"),
    "unknown": ("Boredom", "Other"),
}


@pytest.mark.parametrize(("stopped", "said"), REASONS_OF_2_0_1.values(), ids=REASONS_OF_2_0_1)
def test_a_reason_of_2_0_1_has_a_word(stopped: str | None, said: str) -> None:
    sent = CODEC.serialize_event(replace(ENDED, stopped_reason=stopped), 7)

    assert sent is not None
    assert sent[1]["reason"] == said


def test_a_stop_without_reason_leaves_it_to_the_books() -> None:
    event = CODEC.parse_event("StopTransaction", {k: v for k, v in STOP.items() if k != "reason"})

    assert event == replace(ENDED, stopped_reason=None)


def test_meter_stop_is_not_added_to_data_that_has_it() -> None:
    signed = {"value": "OCMF|{}|{}", "context": "Transaction.End", "format": "SignedData"}
    data = [{"timestamp": TIME, "sampledValue": [signed]}]

    event = CODEC.parse_event("StopTransaction", STOP | {"transactionData": data})

    assert isinstance(event, TransactionChanged)
    assert len(event.meter_values) == 1


REGISTERS = {
    "the event's own": (1234.5, (), 1234),
    "half to even": (1235.5, (), 1236),
    "kWh are exact": (None, (SampledValue("0.15003", unit="kWh"),), 150),
    "a power of ten": (None, (SampledValue("12.5", multiplier=3, unit="Wh"),), 12500),
    "without unit it is Wh": (None, (SampledValue("77"),), 77),
    "of the right context": (
        None,
        (
            SampledValue("100", context="Transaction.End"),
            SampledValue("99", context="Sample.Clock"),
        ),
        100,
    ),
}


@pytest.mark.parametrize(("own", "samples", "wh"), REGISTERS.values(), ids=REGISTERS)
def test_meter_stop_is_the_register_in_whole_wh(
    own: float | None, samples: tuple[SampledValue, ...], wh: int
) -> None:
    event = replace(ENDED, register_wh=own, meter_values=(MeterValue(AT, samples),))

    sent = CODEC.serialize_event(event, 7)

    assert sent is not None
    assert sent[1]["meterStop"] == wh


def test_meter_start_is_the_sample_of_the_beginning() -> None:
    samples = (
        SampledValue("41", context="Sample.Periodic"),
        SampledValue("42", context="Transaction.Begin"),
    )

    sent = CODEC.serialize_event(
        replace(STARTED, register_wh=None, meter_values=(MeterValue(AT, samples),))
    )

    assert sent is not None
    assert sent[1]["meterStart"] == 42


LACKING = {
    "start without token": replace(STARTED, id_token=None),
    "start without register": replace(STARTED, register_wh=None, meter_values=()),
    "start without EVSE": replace(STARTED, evse_id=None),
    "stop without register": replace(ENDED, register_wh=None, meter_values=()),
    "register that is no number": replace(ENDED, register_wh=float("nan")),
    "register beyond counting": replace(ENDED, register_wh=1e300),
}


@pytest.mark.parametrize("event", LACKING.values(), ids=LACKING)
def test_what_1_6_requires_is_never_made_up(event: TransactionChanged) -> None:
    with pytest.raises(InvalidMessage):
        CODEC.serialize_event(event, 7)


UPDATED = TransactionChanged(
    EventType.UPDATED, AT, "uuid", "MeterValuePeriodic", 5, evse_id=3, meter_values=SAMPLED
)


@pytest.mark.parametrize(("number", "said"), [(7, 7), (0, 0), (-5, -5), (None, -1)])
def test_an_update_is_meter_values_under_the_clouds_number(number: int | None, said: int) -> None:
    assert CODEC.serialize_event(UPDATED, number) == (
        "MeterValues",
        {"connectorId": 3, "meterValue": [VALUES], "transactionId": said},
    )


WORDLESS: dict[str, Event] = {
    "update without meter values": replace(UPDATED, meter_values=()),
    "meter values without a word": MetersSampled(
        1, 1, (MeterValue(AT, (SampledValue("5", "Energy.Active.Net"),)),)
    ),
    "report": ReportSent(1, 0, AT, False, ()),
    "other": OtherSent("NotifyEvent", {}),
    "unknown firmware status": FirmwareStatusChanged("Melted"),
}


@pytest.mark.parametrize("event", WORDLESS.values(), ids=WORDLESS)
def test_1_6_has_no_word_for_it(event: Event) -> None:
    assert CODEC.serialize_event(event, 7) is None


def test_long_texts_are_cut() -> None:
    event = StatusChanged(
        1, 1, ConnectorStatus.FAULTED, AT, info="i" * 99, vendor_error_code="v" * 99
    )

    sent = CODEC.serialize_event(event)

    assert sent is not None
    assert validate_request("ocpp1.6", *sent) is None


def test_data_that_is_no_text_goes_as_json() -> None:
    sent = CODEC.serialize_event(DataSent("acme", None, {"a": [1, None]}))

    assert sent is not None
    assert json.loads(sent[1]["data"]) == {"a": [1, None]}


def test_an_action_of_a_csms_is_refused_from_a_station() -> None:
    with pytest.raises(PeerError, match="NotSupported"):
        CODEC.parse_event("RemoteStartTransaction", {"idTag": "X"})


def test_every_action_is_a_stations_or_a_csmss() -> None:
    of_the_csms = {
        action
        for action in actions("ocpp1.6")
        if action.startswith(("Get", "Send", "Set", "Change", "Clear", "Remote", "Trigger"))
        or action.startswith(("Cancel", "Certificate", "Delete", "Extended", "Install", "Reserve"))
        or action in ("Reset", "SignedUpdateFirmware", "UnlockConnector", "UpdateFirmware")
    }

    assert CODEC.event_actions == actions("ocpp1.6") - of_the_csms
    assert CODEC.command_actions <= of_the_csms | {"DataTransfer"}


ACCEPTED = IdTokenInfo(AuthorizationStatus.ACCEPTED)
ANSWERS: dict[str, tuple[str, Event, Answer, dict[str, Any]]] = {
    "boot": (
        "BootNotification",
        Booted("V", "M"),
        Registered(RegistrationStatus.ACCEPTED, AT, 300),
        {"status": "Accepted", "currentTime": TIME, "interval": 300},
    ),
    "heartbeat": ("Heartbeat", HeartbeatSent(), TimeTold(AT), {"currentTime": TIME}),
    "authorize": (
        "Authorize",
        AuthorizeAsked(IdToken("X")),
        Judged(ACCEPTED),
        {"idTagInfo": {"status": "Accepted"}},
    ),
    "start": (
        "StartTransaction",
        STARTED,
        Judged(ACCEPTED, 1001),
        {"idTagInfo": {"status": "Accepted"}, "transactionId": 1001},
    ),
    "stop with token": (
        "StopTransaction",
        ENDED,
        Judged(ACCEPTED),
        {"idTagInfo": {"status": "Accepted"}},
    ),
    "stop": ("StopTransaction", ENDED, Judged(), {}),
    "meter values": ("MeterValues", MetersSampled(1, 1, SAMPLED), Acknowledged(), {}),
    "status": ("StatusNotification", OCCUPIED, Acknowledged(), {}),
    "data": (
        "DataTransfer",
        DataSent("acme"),
        DataAnswered("Accepted", "pong"),
        {"status": "Accepted", "data": "pong"},
    ),
}


@pytest.mark.parametrize(("action", "event", "answer", "payload"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_and_written_alike(
    action: str, event: Event, answer: Answer, payload: dict[str, Any]
) -> None:
    assert validate_response("ocpp1.6", action, payload) is None
    assert CODEC.serialize_answer(event, answer) == payload
    assert CODEC.parse_answer(action, payload) == answer


def test_a_transaction_number_may_be_anything_a_cloud_gives() -> None:
    answer = CODEC.parse_answer(
        "StartTransaction", {"transactionId": 0, "idTagInfo": {"status": "ConcurrentTx"}}
    )

    assert answer == Judged(IdTokenInfo(AuthorizationStatus.CONCURRENT_TX), 0)


def test_a_start_is_never_answered_without_a_number() -> None:
    with pytest.raises(InvalidMessage):
        CODEC.serialize_answer(STARTED, Judged(ACCEPTED))


def test_nobodys_verdict_is_invalid() -> None:
    payload = CODEC.serialize_answer(AuthorizeAsked(IdToken("X")), Acknowledged())

    assert payload == {"idTagInfo": {"status": "Invalid"}}


def test_a_certificate_is_refused() -> None:
    event = CODEC.parse_event("SignCertificate", {"csr": "x"})

    payload = CODEC.serialize_answer(event, Acknowledged())

    assert validate_response("ocpp1.6", "SignCertificate", payload) is None
    assert payload["status"] == "Rejected"
