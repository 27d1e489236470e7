"""What a CSMS asks of a station and is answered, in both versions and both directions."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import pytest

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
    GetBaseReport,
    GetComposite,
    GetConfiguration,
    GetLocalListVersion,
    GetTransactionStatus,
    GetVariables,
    ListVersionAnswer,
    LocalListEntry,
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
    Unsupported,
    VariableRef,
    VariableResult,
    VariablesAnswer,
)
from gateway.errors import InvalidMessage, PeerError
from gateway.events import AuthorizationStatus, DataAnswered, DataSent, IdToken, IdTokenInfo
from gateway.ocpp import v16_command_answers, v201_command_answers
from gateway.ocpp.codec import codec_for
from gateway.ocpp.schemas import actions, validate_request, validate_response
from load_balancer.profiles import (
    ChargingProfile,
    ChargingSchedule,
    CompositeSchedule,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
    SchedulePeriod,
)

Version = Literal["ocpp1.6", "ocpp2.0.1"]
Message = tuple[str, dict[str, Any]]

V16 = codec_for("ocpp1.6")
V201 = codec_for("ocpp2.0.1")
AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
TIME = "2026-11-22T18:00:00Z"
UUID = "ea2ae2ad-2ee3-4fb5-aaef-ac37a8bca307"

PROFILE = ChargingProfile(
    7,
    ProfilePurpose.TX,
    ProfileKind.ABSOLUTE,
    2,
    ChargingSchedule(
        RateUnit.A,
        (SchedulePeriod(0, 16.1, 3), SchedulePeriod(90, 6.0)),
        AT,
        600,
        6.0,
    ),
    valid_from=AT,
    valid_to=AT,
    transaction="1001",
)
RECURRING = ChargingProfile(
    8,
    ProfilePurpose.CHARGING_STATION_MAX,
    ProfileKind.RECURRING,
    0,
    ChargingSchedule(RateUnit.W, (SchedulePeriod(0, 11000.0),), AT),
    recurrency=Recurrency.DAILY,
)
SCHEDULE = {
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [
        {"startPeriod": 0, "limit": 16.1, "numberPhases": 3},
        {"startPeriod": 90, "limit": 6.0},
    ],
    "startSchedule": TIME,
    "duration": 600,
    "minChargingRate": 6.0,
}
PROFILE_16 = {
    "chargingProfileId": 7,
    "transactionId": 1001,
    "stackLevel": 2,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Absolute",
    "validFrom": TIME,
    "validTo": TIME,
    "chargingSchedule": SCHEDULE,
}
PROFILE_201 = {
    "id": 7,
    "transactionId": "1001",
    "stackLevel": 2,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Absolute",
    "validFrom": TIME,
    "validTo": TIME,
    "chargingSchedule": [{"id": 7, **SCHEDULE}],
}
RECURRING_16 = {
    "chargingProfileId": 8,
    "stackLevel": 0,
    "chargingProfilePurpose": "ChargePointMaxProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "chargingSchedule": {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000.0}],
        "startSchedule": TIME,
    },
}
APP = IdToken("APP1")
LIST = SendLocalList(
    12,
    is_full=False,
    entries=(
        LocalListEntry(APP, IdTokenInfo(AuthorizationStatus.ACCEPTED, AT, IdToken("FLEET"))),
        LocalListEntry(IdToken("04A2B3C4", "ISO14443"), None),
    ),
)
REF = VariableRef("EVSE", "Power", None, "1", 2, 1, "Target")
REF_ROW = {
    "component": {"name": "EVSE", "evse": {"id": 2, "connectorId": 1}},
    "variable": {"name": "Power", "instance": "1"},
    "attributeType": "Target",
}
PLAIN = VariableRef("TxCtrlr", "TxStartPoint")
PLAIN_ROW = {
    "component": {"name": "TxCtrlr"},
    "variable": {"name": "TxStartPoint"},
    "attributeType": "Actual",
}

COMMANDS: dict[str, tuple[Version, Message, Command]] = {
    "1.6 start": (
        "ocpp1.6",
        (
            "RemoteStartTransaction",
            {"idTag": "APP1", "connectorId": 2, "chargingProfile": PROFILE_16},
        ),
        RequestStart(APP, 2, profile=PROFILE),
    ),
    "1.6 start anywhere": (
        "ocpp1.6",
        ("RemoteStartTransaction", {"idTag": "APP1"}),
        RequestStart(APP),
    ),
    "2.0.1 start": (
        "ocpp2.0.1",
        (
            "RequestStartTransaction",
            {
                "idToken": {"idToken": "APP1", "type": "Central"},
                "remoteStartId": 77,
                "evseId": 2,
                "chargingProfile": PROFILE_201,
            },
        ),
        RequestStart(APP, 2, remote_start_id=77, profile=PROFILE),
    ),
    "1.6 stop": (
        "ocpp1.6",
        ("RemoteStopTransaction", {"transactionId": -1}),
        RequestStop("-1"),
    ),
    "2.0.1 stop": (
        "ocpp2.0.1",
        ("RequestStopTransaction", {"transactionId": UUID}),
        RequestStop(UUID),
    ),
    "1.6 profile": (
        "ocpp1.6",
        ("SetChargingProfile", {"connectorId": 2, "csChargingProfiles": PROFILE_16}),
        SetProfile(2, PROFILE),
    ),
    "1.6 profile of the station": (
        "ocpp1.6",
        ("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": RECURRING_16}),
        SetProfile(0, RECURRING),
    ),
    "2.0.1 profile": (
        "ocpp2.0.1",
        ("SetChargingProfile", {"evseId": 2, "chargingProfile": PROFILE_201}),
        SetProfile(2, PROFILE),
    ),
    "1.6 clear": (
        "ocpp1.6",
        (
            "ClearChargingProfile",
            {
                "id": 7,
                "connectorId": 0,
                "chargingProfilePurpose": "ChargePointMaxProfile",
                "stackLevel": 0,
            },
        ),
        ClearProfile(7, 0, "ChargingStationMaxProfile", 0),
    ),
    "1.6 clear all": ("ocpp1.6", ("ClearChargingProfile", {}), ClearProfile()),
    "2.0.1 clear": (
        "ocpp2.0.1",
        (
            "ClearChargingProfile",
            {
                "chargingProfileId": 7,
                "chargingProfileCriteria": {
                    "evseId": 0,
                    "chargingProfilePurpose": "ChargingStationMaxProfile",
                    "stackLevel": 0,
                },
            },
        ),
        ClearProfile(7, 0, "ChargingStationMaxProfile", 0),
    ),
    "2.0.1 clear all": ("ocpp2.0.1", ("ClearChargingProfile", {}), ClearProfile()),
    "1.6 composite": (
        "ocpp1.6",
        ("GetCompositeSchedule", {"connectorId": 0, "duration": 60, "chargingRateUnit": "W"}),
        GetComposite(0, 60, "W"),
    ),
    "2.0.1 composite": (
        "ocpp2.0.1",
        ("GetCompositeSchedule", {"evseId": 2, "duration": 60}),
        GetComposite(2, 60),
    ),
    "1.6 availability of all": (
        "ocpp1.6",
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ChangeAvailability(False),
    ),
    "1.6 availability": (
        "ocpp1.6",
        ("ChangeAvailability", {"connectorId": 2, "type": "Operative"}),
        ChangeAvailability(True, 2),
    ),
    "2.0.1 availability of all": (
        "ocpp2.0.1",
        ("ChangeAvailability", {"operationalStatus": "Inoperative"}),
        ChangeAvailability(False),
    ),
    "2.0.1 availability": (
        "ocpp2.0.1",
        (
            "ChangeAvailability",
            {"operationalStatus": "Operative", "evse": {"id": 2, "connectorId": 1}},
        ),
        ChangeAvailability(True, 2, 1),
    ),
    "1.6 unlock": ("ocpp1.6", ("UnlockConnector", {"connectorId": 2}), UnlockConnector(2, 1)),
    "2.0.1 unlock": (
        "ocpp2.0.1",
        ("UnlockConnector", {"evseId": 2, "connectorId": 1}),
        UnlockConnector(2, 1),
    ),
    "1.6 hard reset": ("ocpp1.6", ("Reset", {"type": "Hard"}), Reset(True)),
    "1.6 soft reset": ("ocpp1.6", ("Reset", {"type": "Soft"}), Reset(False)),
    "2.0.1 reset": ("ocpp2.0.1", ("Reset", {"type": "OnIdle", "evseId": 2}), Reset(False, 2)),
    "1.6 trigger": (
        "ocpp1.6",
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 2}),
        Trigger("MeterValues", 2, 1),
    ),
    "1.6 trigger diagnostics": (
        "ocpp1.6",
        ("TriggerMessage", {"requestedMessage": "DiagnosticsStatusNotification"}),
        Trigger("LogStatusNotification"),
    ),
    "1.6 trigger certificate": (
        "ocpp1.6",
        ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}),
        Trigger("SignChargingStationCertificate"),
    ),
    "2.0.1 trigger": (
        "ocpp2.0.1",
        (
            "TriggerMessage",
            {"requestedMessage": "StatusNotification", "evse": {"id": 2, "connectorId": 1}},
        ),
        Trigger("StatusNotification", 2, 1),
    ),
    "1.6 configuration": (
        "ocpp1.6",
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
        GetConfiguration(("HeartbeatInterval",)),
    ),
    "1.6 all configuration": ("ocpp1.6", ("GetConfiguration", {}), GetConfiguration()),
    "1.6 change configuration": (
        "ocpp1.6",
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}),
        ChangeConfiguration("HeartbeatInterval", "60"),
    ),
    "2.0.1 get variables": (
        "ocpp2.0.1",
        ("GetVariables", {"getVariableData": [REF_ROW, PLAIN_ROW]}),
        GetVariables((REF, PLAIN)),
    ),
    "2.0.1 set variables": (
        "ocpp2.0.1",
        ("SetVariables", {"setVariableData": [{**REF_ROW, "attributeValue": "5"}]}),
        SetVariables(((REF, "5"),)),
    ),
    "2.0.1 base report": (
        "ocpp2.0.1",
        ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}),
        GetBaseReport(1, "FullInventory"),
    ),
    "1.6 local list": (
        "ocpp1.6",
        (
            "SendLocalList",
            {
                "listVersion": 12,
                "updateType": "Differential",
                "localAuthorizationList": [
                    {
                        "idTag": "APP1",
                        "idTagInfo": {
                            "status": "Accepted",
                            "expiryDate": TIME,
                            "parentIdTag": "FLEET",
                        },
                    },
                    {"idTag": "04A2B3C4"},
                ],
            },
        ),
        LIST,
    ),
    "2.0.1 local list": (
        "ocpp2.0.1",
        (
            "SendLocalList",
            {
                "versionNumber": 12,
                "updateType": "Differential",
                "localAuthorizationList": [
                    {
                        "idToken": {"idToken": "APP1", "type": "Central"},
                        "idTokenInfo": {
                            "status": "Accepted",
                            "cacheExpiryDateTime": TIME,
                            "groupIdToken": {"idToken": "FLEET", "type": "Central"},
                        },
                    },
                    {"idToken": {"idToken": "04A2B3C4", "type": "ISO14443"}},
                ],
            },
        ),
        LIST,
    ),
    "1.6 empty list": (
        "ocpp1.6",
        ("SendLocalList", {"listVersion": 1, "updateType": "Full"}),
        SendLocalList(1, True),
    ),
    "2.0.1 empty list": (
        "ocpp2.0.1",
        ("SendLocalList", {"versionNumber": 1, "updateType": "Full"}),
        SendLocalList(1, True),
    ),
    "1.6 list version": ("ocpp1.6", ("GetLocalListVersion", {}), GetLocalListVersion()),
    "2.0.1 list version": ("ocpp2.0.1", ("GetLocalListVersion", {}), GetLocalListVersion()),
    "1.6 clear cache": ("ocpp1.6", ("ClearCache", {}), ClearCache()),
    "2.0.1 clear cache": ("ocpp2.0.1", ("ClearCache", {}), ClearCache()),
    "2.0.1 transaction status": (
        "ocpp2.0.1",
        ("GetTransactionStatus", {"transactionId": UUID}),
        GetTransactionStatus(UUID),
    ),
    "1.6 data": ("ocpp1.6", ("DataTransfer", {"vendorId": "a"}), DataSent("a")),
    "2.0.1 data": (
        "ocpp2.0.1",
        ("DataTransfer", {"vendorId": "a", "messageId": "b", "data": [1]}),
        DataSent("a", "b", [1]),
    ),
}


@pytest.mark.parametrize(("version", "message", "command"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_read_and_written_alike(
    version: Version, message: Message, command: Command
) -> None:
    codec = codec_for(version)

    assert validate_request(version, *message) is None
    assert codec.parse_command(*message) == command
    assert codec.serialize_command(command) == message


@pytest.mark.parametrize("version", get_args(Version))
def test_a_command_nobody_does_is_unsupported(version: Version) -> None:
    codec = codec_for(version)
    others = actions(version) - codec.command_actions

    commands = {codec.parse_command(action, {"x": 1}) for action in others}

    assert commands == {Unsupported(action, {"x": 1}) for action in others}


def test_every_command_can_be_written_in_some_version() -> None:
    written = {type(command) for _, _, command in COMMANDS.values()}

    assert written == set(get_args(Command)) - {Unsupported}


WORDLESS: dict[str, tuple[Version, Command]] = {
    "1.6 variables": ("ocpp1.6", GetVariables((PLAIN,))),
    "1.6 base report": ("ocpp1.6", GetBaseReport(1, "FullInventory")),
    "1.6 transaction status": ("ocpp1.6", GetTransactionStatus()),
    "1.6 reset of one EVSE": ("ocpp1.6", Reset(True, 2)),
    "1.6 trigger of a transaction": ("ocpp1.6", Trigger("TransactionEvent", 2)),
    "1.6 clear of external limits": (
        "ocpp1.6",
        ClearProfile(purpose="ChargingStationExternalConstraints"),
    ),
    "2.0.1 configuration": ("ocpp2.0.1", GetConfiguration()),
    "2.0.1 change of configuration": ("ocpp2.0.1", ChangeConfiguration("a", "b")),
    "2.0.1 trigger without a word": ("ocpp2.0.1", Trigger("Surprise")),
    "2.0.1 clear without a word": ("ocpp2.0.1", ClearProfile(purpose="Surprise")),
    "unsupported": ("ocpp2.0.1", Unsupported("GetLog", {})),
}


@pytest.mark.parametrize(("version", "command"), WORDLESS.values(), ids=WORDLESS)
def test_a_version_has_no_word_for_it(version: Version, command: Command) -> None:
    assert codec_for(version).serialize_command(command) is None


def test_an_empty_list_of_keys_means_all() -> None:
    assert V16.parse_command("GetConfiguration", {"key": []}) == GetConfiguration()


def test_connector_0_triggers_the_station() -> None:
    payload = {"requestedMessage": "StatusNotification", "connectorId": 0}

    assert V16.parse_command("TriggerMessage", payload) == Trigger("StatusNotification")


def test_a_status_is_triggered_of_a_connector() -> None:
    sent = V201.serialize_command(Trigger("StatusNotification", 2))

    assert sent is not None
    assert sent[1]["evse"] == {"id": 2, "connectorId": 1}


def test_a_long_token_reaches_a_1_6_station_under_its_alias() -> None:
    sent = V16.serialize_command(RequestStart(IdToken(UUID)))

    assert sent is not None
    assert validate_request("ocpp1.6", *sent) is None


OF_2_0_1: dict[str, Command] = {
    "stop": RequestStop(UUID),
    "profile": SetProfile(1, replace(PROFILE, transaction=UUID)),
}


@pytest.mark.parametrize("command", OF_2_0_1.values(), ids=OF_2_0_1)
def test_a_transaction_of_1_6_has_a_number(command: Command) -> None:
    with pytest.raises(InvalidMessage):
        V16.serialize_command(command)


def test_K01_FR_22_no_csms_sets_an_external_limit() -> None:
    profile = PROFILE_201 | {"chargingProfilePurpose": "ChargingStationExternalConstraints"}

    with pytest.raises(PeerError):
        V201.parse_command("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})


LIMITS = {
    "as it is": (16.1, 16.1),
    "never up": (15.99, 15.9),
    "a float's dirt": (0.1 + 0.2, 0.3),
    "nearly a tenth": (6.9999999999, 7.0),
    "zero": (0.0, 0.0),
}


@pytest.mark.parametrize(("limit", "told"), LIMITS.values(), ids=LIMITS)
def test_no_rounding_raises_a_limit(limit: float, told: float) -> None:
    schedule = ChargingSchedule(RateUnit.A, (SchedulePeriod(0, limit),))
    profile = ChargingProfile(1, ProfilePurpose.TX_DEFAULT, ProfileKind.ABSOLUTE, 0, schedule)

    sent = V16.serialize_command(SetProfile(1, profile))

    assert sent is not None
    assert validate_request("ocpp1.6", *sent) is None
    periods = sent[1]["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
    assert periods[0]["limit"] == told


COMPOSITE = CompositeSchedule(AT, 60, RateUnit.A, (SchedulePeriod(0, 16.1, 3),))
ACCEPTED = StatusAnswer("Accepted")

ANSWERS: dict[str, tuple[Version, str, Command, CommandAnswer, dict[str, Any]]] = {
    "1.6 start": (
        "ocpp1.6",
        "RemoteStartTransaction",
        RequestStart(APP),
        ACCEPTED,
        {"status": "Accepted"},
    ),
    "2.0.1 start": (
        "ocpp2.0.1",
        "RequestStartTransaction",
        RequestStart(APP),
        StatusAnswer("Accepted", "TxStarted", "cable", UUID),
        {
            "status": "Accepted",
            "statusInfo": {"reasonCode": "TxStarted", "additionalInfo": "cable"},
            "transactionId": UUID,
        },
    ),
    "1.6 composite": (
        "ocpp1.6",
        "GetCompositeSchedule",
        GetComposite(2, 60),
        CompositeAnswer(COMPOSITE, 2),
        {
            "status": "Accepted",
            "connectorId": 2,
            "scheduleStart": TIME,
            "chargingSchedule": {
                "duration": 60,
                "startSchedule": TIME,
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1, "numberPhases": 3}],
            },
        },
    ),
    "2.0.1 composite": (
        "ocpp2.0.1",
        "GetCompositeSchedule",
        GetComposite(2, 60),
        CompositeAnswer(COMPOSITE, 2),
        {
            "status": "Accepted",
            "schedule": {
                "evseId": 2,
                "duration": 60,
                "scheduleStart": TIME,
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1, "numberPhases": 3}],
            },
        },
    ),
    "1.6 no composite": (
        "ocpp1.6",
        "GetCompositeSchedule",
        GetComposite(2, 60),
        CompositeAnswer(None, 2),
        {"status": "Rejected"},
    ),
    "2.0.1 no composite": (
        "ocpp2.0.1",
        "GetCompositeSchedule",
        GetComposite(2, 60),
        CompositeAnswer(None, 2),
        {"status": "Rejected"},
    ),
    "1.6 configuration": (
        "ocpp1.6",
        "GetConfiguration",
        GetConfiguration(),
        ConfigurationAnswer(
            (ConfigurationKey("a", "1"), ConfigurationKey("b", None, True)), ("c",)
        ),
        {
            "configurationKey": [
                {"key": "a", "readonly": False, "value": "1"},
                {"key": "b", "readonly": True},
            ],
            "unknownKey": ["c"],
        },
    ),
    "1.6 change": (
        "ocpp1.6",
        "ChangeConfiguration",
        ChangeConfiguration("a", "1"),
        StatusAnswer("RebootRequired"),
        {"status": "RebootRequired"},
    ),
    "1.6 change of an unknown key": (
        "ocpp1.6",
        "ChangeConfiguration",
        ChangeConfiguration("a", "1"),
        StatusAnswer("NotSupported"),
        {"status": "NotSupported"},
    ),
    "1.6 profile not supported": (
        "ocpp1.6",
        "SetChargingProfile",
        SetProfile(1, PROFILE),
        StatusAnswer("Rejected", "UnsupportedRequest"),
        {"status": "NotSupported"},
    ),
    "1.6 unlock not supported": (
        "ocpp1.6",
        "UnlockConnector",
        UnlockConnector(1, 1),
        StatusAnswer("UnlockFailed", "UnsupportedRequest"),
        {"status": "NotSupported"},
    ),
    "1.6 list not supported": (
        "ocpp1.6",
        "SendLocalList",
        LIST,
        StatusAnswer("Failed", "UnsupportedRequest"),
        {"status": "NotSupported"},
    ),
    "2.0.1 get variables": (
        "ocpp2.0.1",
        "GetVariables",
        GetVariables((REF, PLAIN)),
        VariablesAnswer(
            (VariableResult(REF, "Accepted", "5"), VariableResult(PLAIN, "UnknownVariable"))
        ),
        {
            "getVariableResult": [
                {**REF_ROW, "attributeStatus": "Accepted", "attributeValue": "5"},
                {**PLAIN_ROW, "attributeStatus": "UnknownVariable"},
            ]
        },
    ),
    "2.0.1 set variables": (
        "ocpp2.0.1",
        "SetVariables",
        SetVariables(((REF, "5"),)),
        VariablesAnswer((VariableResult(REF, "RebootRequired"),)),
        {"setVariableResult": [{**REF_ROW, "attributeStatus": "RebootRequired"}]},
    ),
    "1.6 list version": (
        "ocpp1.6",
        "GetLocalListVersion",
        GetLocalListVersion(),
        ListVersionAnswer(3),
        {"listVersion": 3},
    ),
    "2.0.1 list version": (
        "ocpp2.0.1",
        "GetLocalListVersion",
        GetLocalListVersion(),
        ListVersionAnswer(3),
        {"versionNumber": 3},
    ),
    "2.0.1 transaction status": (
        "ocpp2.0.1",
        "GetTransactionStatus",
        GetTransactionStatus(UUID),
        TransactionStatusAnswer(True, False),
        {"messagesInQueue": True, "ongoingIndicator": False},
    ),
    "1.6 data": (
        "ocpp1.6",
        "DataTransfer",
        DataSent("a"),
        DataAnswered("UnknownVendorId"),
        {"status": "UnknownVendorId"},
    ),
    "2.0.1 data": (
        "ocpp2.0.1",
        "DataTransfer",
        DataSent("a"),
        DataAnswered("Accepted", {"x": 1}),
        {"status": "Accepted", "data": {"x": 1}},
    ),
}


@pytest.mark.parametrize(
    ("version", "action", "command", "answer", "payload"), ANSWERS.values(), ids=ANSWERS
)
def test_an_answer_is_read_and_written_alike(
    version: Version, action: str, command: Command, answer: CommandAnswer, payload: dict[str, Any]
) -> None:
    codec = codec_for(version)

    assert validate_response(version, action, payload) is None
    assert codec.serialize_command_answer(command, answer) == payload
    assert codec.parse_command_answer(command, payload) == answer


NEAREST: dict[str, tuple[Version, Command, str, str]] = {
    "1.6 scheduled reset": ("ocpp1.6", Reset(False), "Scheduled", "Accepted"),
    "1.6 unlock during a transaction": (
        "ocpp1.6",
        UnlockConnector(1, 1),
        "OngoingAuthorizedTransaction",
        "UnlockFailed",
    ),
    "1.6 unlock of no connector": (
        "ocpp1.6",
        UnlockConnector(9, 1),
        "UnknownConnector",
        "NotSupported",
    ),
    "1.6 refused list": ("ocpp1.6", LIST, "Rejected", "Failed"),
    "1.6 refused clear": ("ocpp1.6", ClearProfile(), "Rejected", "Unknown"),
    "1.6 refused composite": ("ocpp1.6", GetComposite(1, 1), "Whim", "Rejected"),
    "1.6 refused data": ("ocpp1.6", DataSent("a"), "Whim", "Rejected"),
    "2.0.1 refused unlock": ("ocpp2.0.1", UnlockConnector(1, 1), "Rejected", "UnlockFailed"),
    "2.0.1 refused clear": ("ocpp2.0.1", ClearProfile(), "Rejected", "Unknown"),
    "2.0.1 refused data": ("ocpp2.0.1", DataSent("a"), "Whim", "Rejected"),
}


@pytest.mark.parametrize(("version", "command", "status", "said"), NEAREST.values(), ids=NEAREST)
def test_a_status_a_message_lacks_becomes_the_nearest(
    version: Version, command: Command, status: str, said: str
) -> None:
    payload = codec_for(version).serialize_command_answer(command, StatusAnswer(status))

    assert payload == {"status": said}


ACTION_OF = {
    (version, type(command)): message[0] for version, message, command in COMMANDS.values()
}
WORDS_OF: dict[str, Any] = {
    "ocpp1.6": v16_command_answers.WORDS,
    "ocpp2.0.1": v201_command_answers.WORDS,
}
WITH_A_STATUS = {
    f"{version} {action}": (version, kind)
    for (version, kind), action in ACTION_OF.items()
    if kind in WORDS_OF[version]
}
EXAMPLE_OF = {(version, type(command)): command for version, _, command in COMMANDS.values()}
STATUSES = sorted(
    {word for words in v16_command_answers.WORDS.values() for word in words.known}
    | {word for _, words in v201_command_answers.WORDS.values() for word in words}
    | {"Whim"}
)


@pytest.mark.parametrize("kind", WITH_A_STATUS.values(), ids=WITH_A_STATUS)
def test_every_status_answer_is_valid_by_schema(kind: tuple[Version, type[Command]]) -> None:
    version, _ = kind

    for status in STATUSES:
        answer = StatusAnswer(status, "x" * 30, "y" * 600)
        payload = codec_for(version).serialize_command_answer(EXAMPLE_OF[kind], answer)

        assert validate_response(version, ACTION_OF[kind], payload) is None, status


def test_an_answer_to_another_question_is_not_sent() -> None:
    for version in get_args(Version):
        with pytest.raises(InvalidMessage):
            codec_for(version).serialize_command_answer(ClearCache(), CompositeAnswer(None))


ODD: dict[str, tuple[Version, Command, dict[str, Any], CommandAnswer]] = {
    "1.6 accepted without a schedule": (
        "ocpp1.6",
        GetComposite(1, 60),
        {"status": "Accepted"},
        CompositeAnswer(None, 1),
    ),
    "1.6 schedule without duration": (
        "ocpp1.6",
        GetComposite(1, 60),
        {
            "status": "Accepted",
            "scheduleStart": TIME,
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 4000}],
            },
        },
        CompositeAnswer(CompositeSchedule(AT, 60, RateUnit.W, (SchedulePeriod(0, 4000),)), 1),
    ),
    "2.0.1 accepted without a schedule": (
        "ocpp2.0.1",
        GetComposite(1, 60),
        {"status": "Accepted"},
        CompositeAnswer(None, 1),
    ),
    "2.0.1 accepted without a value": (
        "ocpp2.0.1",
        GetVariables((PLAIN,)),
        {"getVariableResult": [{**PLAIN_ROW, "attributeStatus": "Accepted"}]},
        VariablesAnswer((VariableResult(PLAIN, "Accepted"),)),
    ),
    "1.6 no local list": (
        "ocpp1.6",
        GetLocalListVersion(),
        {"listVersion": -1},
        ListVersionAnswer(0),
    ),
    "1.6 nothing configured": ("ocpp1.6", GetConfiguration(), {}, ConfigurationAnswer(())),
}


@pytest.mark.parametrize(("version", "command", "payload", "answer"), ODD.values(), ids=ODD)
def test_a_stations_odd_answer_is_understood(
    version: Version, command: Command, payload: dict[str, Any], answer: CommandAnswer
) -> None:
    assert codec_for(version).parse_command_answer(command, payload) == answer


@pytest.mark.parametrize("version", get_args(Version))
def test_where_nothing_limits_the_schedule_is_left_out(version: Version) -> None:
    nothing = CompositeAnswer(CompositeSchedule(AT, 60, RateUnit.A, ()))

    payload = codec_for(version).serialize_command_answer(GetComposite(0, 60), nothing)

    assert validate_response(version, "GetCompositeSchedule", payload) is None
    assert payload["status"] == "Accepted"


def test_a_long_value_of_a_variable_is_cut() -> None:
    answer = VariablesAnswer((VariableResult(PLAIN, "Accepted", "x" * 2501),))

    payload = V201.serialize_command_answer(GetVariables((PLAIN,)), answer)

    assert validate_response("ocpp2.0.1", "GetVariables", payload) is None
