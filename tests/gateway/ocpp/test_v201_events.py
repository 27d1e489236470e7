"""OCPP 2.0.1: what a station tells and what it is answered, in both directions."""

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
    ChargingNeedsTold,
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
    NeedsNoted,
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

CODEC = codec_for("ocpp2.0.1")
AT = datetime(2026, 11, 22, 18, 40, 36, 83000, tzinfo=UTC)
TIME = "2026-11-22T18:40:36.083Z"
SECOND = "2026-11-22T18:40:36Z"
UUID = "ea2ae2ad-2ee3-4fb5-aaef-ac37a8bca307"

VALUE = {
    "timestamp": TIME,
    "sampledValue": [
        {
            "value": 5,
            "measurand": "Energy.Active.Import.Register",
            "context": "Sample.Periodic",
            "unitOfMeasure": {"unit": "Wh"},
        }
    ],
}
SAMPLED = (MeterValue(AT, (SampledValue("5", unit="Wh"),)),)
CARD = {"idToken": "04A2B3C4", "type": "ISO14443"}
ROW = {
    "component": {"name": "TxCtrlr"},
    "variable": {"name": "TxStartPoint"},
    "variableAttribute": [{"value": "PowerPathClosed"}],
}
STARTED = TransactionChanged(
    EventType.STARTED,
    AT,
    UUID,
    "Authorized",
    0,
    evse_id=3,
    connector_id=1,
    id_token=IdToken("04A2B3C4", "ISO14443"),
    charging_state=ChargingState.EV_CONNECTED,
    meter_values=SAMPLED,
    remote_start_id=5,
    reservation_id=9,
    number_of_phases=3,
    cable_max_current_a=32,
)
ENDED = TransactionChanged(
    EventType.ENDED,
    AT,
    UUID,
    "RemoteStop",
    7,
    is_offline=True,
    stopped_reason="Remote",
    meter_values=SAMPLED,
)

PAIRS: dict[str, tuple[tuple[str, dict[str, Any]], Event]] = {
    "boot": (
        (
            "BootNotification",
            {
                "reason": "Watchdog",
                "chargingStation": {
                    "vendorName": "Keba AG",
                    "model": "KC-P30",
                    "serialNumber": "S1",
                    "firmwareVersion": "1.10.1",
                },
            },
        ),
        Booted("Keba AG", "KC-P30", "S1", "1.10.1", "Watchdog"),
    ),
    "heartbeat": (("Heartbeat", {}), HeartbeatSent()),
    "status": (
        (
            "StatusNotification",
            {"timestamp": TIME, "connectorStatus": "Occupied", "evseId": 2, "connectorId": 1},
        ),
        StatusChanged(2, 1, ConnectorStatus.OCCUPIED, AT),
    ),
    "authorize": (
        ("Authorize", {"idToken": CARD}),
        AuthorizeAsked(IdToken("04A2B3C4", "ISO14443")),
    ),
    "started, in full": (
        (
            "TransactionEvent",
            {
                "eventType": "Started",
                "timestamp": TIME,
                "triggerReason": "Authorized",
                "seqNo": 0,
                "numberOfPhasesUsed": 3,
                "cableMaxCurrent": 32,
                "reservationId": 9,
                "transactionInfo": {
                    "transactionId": UUID,
                    "chargingState": "EVConnected",
                    "remoteStartId": 5,
                },
                "evse": {"id": 3, "connectorId": 1},
                "idToken": CARD,
                "meterValue": [VALUE],
            },
        ),
        STARTED,
    ),
    "updated, in brief": (
        (
            "TransactionEvent",
            {
                "eventType": "Updated",
                "timestamp": TIME,
                "triggerReason": "ChargingStateChanged",
                "seqNo": 1,
                "transactionInfo": {"transactionId": UUID, "chargingState": "SuspendedEV"},
            },
        ),
        TransactionChanged(
            EventType.UPDATED,
            AT,
            UUID,
            "ChargingStateChanged",
            1,
            charging_state=ChargingState.SUSPENDED_EV,
        ),
    ),
    "ended, offline": (
        (
            "TransactionEvent",
            {
                "eventType": "Ended",
                "timestamp": TIME,
                "triggerReason": "RemoteStop",
                "seqNo": 7,
                "offline": True,
                "transactionInfo": {"transactionId": UUID, "stoppedReason": "Remote"},
                "meterValue": [VALUE],
            },
        ),
        ENDED,
    ),
    "meter values": (
        ("MeterValues", {"evseId": 2, "meterValue": [VALUE]}),
        MetersSampled(2, 1, SAMPLED),
    ),
    "meter values of the station": (
        ("MeterValues", {"evseId": 0, "meterValue": [VALUE]}),
        MetersSampled(0, 0, SAMPLED),
    ),
    "data transfer": (
        ("DataTransfer", {"vendorId": "acme", "messageId": "x", "data": {"a": [1]}}),
        DataSent("acme", "x", {"a": [1]}),
    ),
    "firmware": (
        ("FirmwareStatusNotification", {"status": "SignatureVerified", "requestId": 4}),
        FirmwareStatusChanged("SignatureVerified", 4),
    ),
    "log": (
        ("LogStatusNotification", {"status": "AcceptedCanceled", "requestId": 4}),
        LogStatusChanged("AcceptedCanceled", 4),
    ),
    "security event": (
        (
            "SecurityEventNotification",
            {"type": "SettingSystemTime", "timestamp": TIME, "techInfo": "ntp"},
        ),
        SecurityEventOccurred("SettingSystemTime", AT, "ntp"),
    ),
    "report": (
        (
            "NotifyReport",
            {
                "requestId": 1,
                "generatedAt": TIME,
                "tbc": True,
                "seqNo": 2,
                "reportData": [ROW],
            },
        ),
        ReportSent(1, 2, AT, True, (ROW,)),
    ),
}


@pytest.mark.parametrize(("message", "event"), PAIRS.values(), ids=PAIRS)
def test_an_event_is_read_and_written_alike(
    message: tuple[str, dict[str, Any]], event: Event
) -> None:
    assert validate_request("ocpp2.0.1", *message) is None
    assert CODEC.parse_event(*message) == event
    assert CODEC.serialize_event(event) == message


def test_custom_data_and_time_spent_charging_are_ignored() -> None:
    action, payload = PAIRS["ended, offline"][0]
    info = payload["transactionInfo"] | {"timeSpentCharging": 60}
    noisy = payload | {"transactionInfo": info, "customData": {"vendorId": "acme"}}

    assert CODEC.parse_event(action, noisy) == ENDED


def test_an_evse_without_connector_has_none() -> None:
    action, payload = PAIRS["started, in full"][0]

    event = CODEC.parse_event(action, payload | {"evse": {"id": 3}})

    assert event == replace(STARTED, connector_id=None)


@pytest.mark.parametrize(
    "action", ["NotifyEvent", "NotifyChargingLimit", "ReservationStatusUpdate"]
)
def test_what_no_state_is_kept_of_is_kept_whole_and_not_told_on(action: str) -> None:
    event = CODEC.parse_event(action, {"x": 1})

    assert event == OtherSent(action, {"x": 1})
    assert CODEC.serialize_event(event) is None


def test_an_action_of_a_csms_is_refused_from_a_station() -> None:
    with pytest.raises(PeerError, match="NotSupported"):
        CODEC.parse_event("Reset", {"type": "Immediate"})


def test_every_action_is_a_stations_or_a_csmss() -> None:
    sent_by_the_csms = {
        action
        for action in actions("ocpp2.0.1")
        if action.startswith(("Cancel", "Change", "Install", "Publish", "Request", "Reserve"))
        or action.startswith(("Get", "Set", "Send", "Delete", "Unlock", "Unpublish", "Update"))
        or action in ("CertificateSigned", "CostUpdated", "CustomerInformation", "Reset")
        or action in ("TriggerMessage", "ClearCache", "ClearChargingProfile")
        or action in ("ClearDisplayMessage", "ClearVariableMonitoring")
    } - {"Get15118EVCertificate", "GetCertificateStatus", "PublishFirmwareStatusNotification"}

    assert CODEC.event_actions == actions("ocpp2.0.1") - sent_by_the_csms
    assert CODEC.command_actions <= sent_by_the_csms | {"DataTransfer"}


def test_the_register_of_1_6_becomes_a_sample_where_there_is_none() -> None:
    event = replace(ENDED, register_wh=1234.0, meter_values=())

    sent = CODEC.serialize_event(event)

    assert sent is not None
    assert sent[1]["meterValue"] == [
        {
            "timestamp": TIME,
            "sampledValue": [
                {
                    "value": 1234.0,
                    "measurand": "Energy.Active.Import.Register",
                    "context": "Transaction.End",
                    "unitOfMeasure": {"unit": "Wh"},
                }
            ],
        }
    ]


@pytest.mark.parametrize("current_a", [float("nan"), float("inf"), 1e20])
def test_a_cable_of_no_sane_current_is_not_told(current_a: float) -> None:
    sent = CODEC.serialize_event(replace(STARTED, cable_max_current_a=current_a))

    assert sent is not None
    assert "cableMaxCurrent" not in sent[1]


def test_a_register_beside_its_sample_is_not_told_twice() -> None:
    sent = CODEC.serialize_event(replace(ENDED, register_wh=5.0))

    assert sent is not None
    assert sent[1]["meterValue"] == [VALUE]


NEAREST: dict[str, tuple[Event, tuple[str, ...], str]] = {
    "trigger": (replace(ENDED, trigger_reason="Whim"), ("triggerReason",), "MeterValuePeriodic"),
    "trigger without values": (
        replace(ENDED, trigger_reason="Whim", meter_values=()),
        ("triggerReason",),
        "AbnormalCondition",
    ),
    "reason": (
        replace(ENDED, stopped_reason="Whim"),
        ("transactionInfo", "stoppedReason"),
        "Other",
    ),
    "boot reason": (Booted("V", "M", reason="Whim"), ("reason",), "Unknown"),
}


@pytest.mark.parametrize(("event", "path", "word"), NEAREST.values(), ids=NEAREST)
def test_a_word_2_0_1_does_not_know_becomes_the_nearest(
    event: Event, path: tuple[str, ...], word: str
) -> None:
    sent = CODEC.serialize_event(event)

    assert sent is not None
    found: Any = sent[1]
    for key in path:
        found = found[key]
    assert found == word


LACKING: dict[str, Event] = {
    "transaction without id": replace(ENDED, transaction_id=None),
    "transaction with a long id": replace(ENDED, transaction_id="x" * 37),
    "status without time": StatusChanged(1, 1, ConnectorStatus.AVAILABLE, None),
}


@pytest.mark.parametrize("event", LACKING.values(), ids=LACKING)
def test_what_2_0_1_requires_is_never_made_up(event: Event) -> None:
    with pytest.raises(InvalidMessage):
        CODEC.serialize_event(event)


WORDLESS: dict[str, Event] = {
    "status of the station": StatusChanged(0, 0, ConnectorStatus.AVAILABLE, AT),
    "meter values without a word": MetersSampled(
        1, 1, (MeterValue(AT, (SampledValue("900", "RPM"),)),)
    ),
    "unknown firmware status": FirmwareStatusChanged("Melted"),
    "unknown log status": LogStatusChanged("Lost"),
}


@pytest.mark.parametrize("event", WORDLESS.values(), ids=WORDLESS)
def test_2_0_1_has_no_word_for_it(event: Event) -> None:
    assert CODEC.serialize_event(event) is None


ACCEPTED = IdTokenInfo(AuthorizationStatus.ACCEPTED, AT.replace(microsecond=0), IdToken("FLEET"))
VERDICT = {
    "status": "Accepted",
    "cacheExpiryDateTime": SECOND,
    "groupIdToken": {"idToken": "FLEET", "type": "Central"},
}
ANSWERS: dict[str, tuple[str, Event, Answer, dict[str, Any]]] = {
    "boot": (
        "BootNotification",
        Booted("V", "M"),
        Registered(RegistrationStatus.PENDING, AT.replace(microsecond=0), 300),
        {"status": "Pending", "currentTime": SECOND, "interval": 300},
    ),
    "heartbeat": (
        "Heartbeat",
        HeartbeatSent(),
        TimeTold(AT.replace(microsecond=0)),
        {"currentTime": SECOND},
    ),
    "authorize": (
        "Authorize",
        AuthorizeAsked(IdToken("X")),
        Judged(ACCEPTED),
        {"idTokenInfo": VERDICT},
    ),
    "transaction with a token": (
        "TransactionEvent",
        STARTED,
        Judged(ACCEPTED),
        {"idTokenInfo": VERDICT},
    ),
    "transaction": ("TransactionEvent", ENDED, Judged(), {}),
    "needs": (
        "NotifyEVChargingNeeds",
        ChargingNeedsTold(1, 10_000.0, AT),
        NeedsNoted(),
        {"status": "Accepted"},
    ),
    "needs at no EVSE": (
        "NotifyEVChargingNeeds",
        ChargingNeedsTold(99, None, None),
        Acknowledged(),
        {"status": "Rejected"},
    ),
    "status": (
        "StatusNotification",
        StatusChanged(1, 1, ConnectorStatus.AVAILABLE, AT),
        Acknowledged(),
        {},
    ),
    "data": (
        "DataTransfer",
        DataSent("acme"),
        DataAnswered("Accepted", {"pong": 1}),
        {"status": "Accepted", "data": {"pong": 1}},
    ),
}


@pytest.mark.parametrize(("action", "event", "answer", "payload"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_and_written_alike(
    action: str, event: Event, answer: Answer, payload: dict[str, Any]
) -> None:
    assert validate_response("ocpp2.0.1", action, payload) is None
    assert CODEC.serialize_answer(event, answer) == payload
    assert CODEC.parse_answer(action, payload) == answer


def test_nobodys_verdict_is_invalid() -> None:
    payload = CODEC.serialize_answer(AuthorizeAsked(IdToken("X")), Acknowledged())

    assert payload == {"idTokenInfo": {"status": "Invalid"}}


@pytest.mark.parametrize("action", sorted(CODEC.event_actions - {a for a, *_ in ANSWERS.values()}))
def test_every_other_event_can_be_answered(action: str) -> None:
    payload = CODEC.serialize_answer(OtherSent(action, {}), Acknowledged())

    assert validate_response("ocpp2.0.1", action, payload) is None


AC = {"energyAmount": 12_000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 230}
DC = {"evMaxCurrent": 200, "evMaxVoltage": 400}


@pytest.mark.parametrize(
    ("needs", "energy_wh"),
    [
        ({"acChargingParameters": AC}, 12_000.0),
        ({"dcChargingParameters": {**DC, "energyAmount": 30_000}}, 30_000.0),
        (
            {"dcChargingParameters": {**DC, "stateOfCharge": 30, "evEnergyCapacity": 50_000}},
            35_000.0,
        ),
        (
            {
                "dcChargingParameters": {
                    **DC,
                    "stateOfCharge": 90,
                    "fullSoC": 80,
                    "evEnergyCapacity": 50_000,
                }
            },
            0.0,
        ),
        ({"dcChargingParameters": DC}, None),
        ({}, None),
    ],
    ids=["AC", "DC", "DC by its charge", "DC full", "DC silent", "neither"],
)
def test_K15_what_a_car_wants_is_understood(needs, energy_wh):
    payload = {
        "evseId": 2,
        "chargingNeeds": {"requestedEnergyTransfer": "DC", "departureTime": SECOND, **needs},
    }

    event = CODEC.parse_event("NotifyEVChargingNeeds", payload)

    assert event == ChargingNeedsTold(2, energy_wh, AT.replace(microsecond=0))
