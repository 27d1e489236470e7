"""npm's ocpp-rpc as the cloud: every command is answered, in its schema and as its clause says."""

import json

import pytest

from gateway.simulation.cars import Car

PROFILE_1_6 = {
    "chargingProfileId": 11,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9.0}],
    },
}
SITE_PROFILE_1_6 = {
    "chargingProfileId": 12,
    "stackLevel": 0,
    "chargingProfilePurpose": "ChargePointMaxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "startSchedule": "2026-01-01T00:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 20_000.0}],
    },
}
LIST_1_6 = {
    "listVersion": 4,
    "updateType": "Full",
    "localAuthorizationList": [{"idTag": "CARD-9", "idTagInfo": {"status": "Accepted"}}],
}
RESERVE_1_6 = {
    "connectorId": 1,
    "expiryDate": "2030-01-01T00:00:00Z",
    "idTag": "A",
    "reservationId": 1,
}
UPDATE_1_6 = {"location": "https://127.0.0.1/f", "retrieveDate": "2030-01-01T00:00:00Z"}

NO_SUCH_KEY = {"key": "NoSuchKey", "value": "1"}

ASKED_1_6 = [
    ("GetConfiguration", {"key": ["NoSuchKey"]}, {"unknownKey": ["NoSuchKey"]}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "120"}, "Accepted"),
    ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "9"}, "Rejected"),
    ("ChangeConfiguration", NO_SUCH_KEY, "NotSupported"),
    ("SendLocalList", LIST_1_6, "Accepted"),
    ("GetLocalListVersion", {}, {"listVersion": 4}),
    ("ClearCache", {}, "Accepted"),
    ("SetChargingProfile", {"connectorId": 3, "csChargingProfiles": PROFILE_1_6}, "Accepted"),
    ("SetChargingProfile", {"connectorId": 0, "csChargingProfiles": SITE_PROFILE_1_6}, "Accepted"),
    ("SetChargingProfile", {"connectorId": 77, "csChargingProfiles": PROFILE_1_6}, "Rejected"),
    ("GetCompositeSchedule", {"connectorId": 3, "duration": 600}, "Accepted"),
    ("GetCompositeSchedule", {"connectorId": 0, "duration": 600}, "Accepted"),
    ("GetCompositeSchedule", {"connectorId": 77, "duration": 600}, "Rejected"),
    ("ClearChargingProfile", {"id": 11}, "Accepted"),
    ("ClearChargingProfile", {"id": 11}, "Unknown"),
    ("ClearChargingProfile", {}, "Accepted"),
    ("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"}, "Accepted"),
    ("ChangeAvailability", {"connectorId": 2, "type": "Operative"}, "Accepted"),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}, "Accepted"),
    ("ChangeAvailability", {"connectorId": 77, "type": "Operative"}, "Rejected"),
    ("UnlockConnector", {"connectorId": 1}, "Unlocked"),
    ("UnlockConnector", {"connectorId": 77}, "NotSupported"),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "Accepted"),
    ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}, "Accepted"),
    ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 77}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, "Accepted"),
    ("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}, "NotImplemented"),
    ("RemoteStopTransaction", {"transactionId": 999}, "Rejected"),
    ("RemoteStartTransaction", {"connectorId": 77, "idTag": "APP-1"}, "Rejected"),
    ("DataTransfer", {"vendorId": "org.example"}, "UnknownVendorId"),
    ("ReserveNow", RESERVE_1_6, "NotSupported"),
    ("UpdateFirmware", UPDATE_1_6, "NotSupported"),
    ("GetDiagnostics", {"location": "https://127.0.0.1/d"}, "NotSupported"),
    ("TriggerMessage", {"requestedMessage": "BootNotification"}, "Accepted"),
]

WRONG_1_6 = [
    ("NoSuchAction", {}, "NotImplemented"),
    ("ChangeAvailability", {"connectorId": 1}, "OccurenceConstraintViolation"),
    ("ChangeAvailability", {"connectorId": "1", "type": "Operative"}, "TypeConstraintViolation"),
    ("ChangeAvailability", {"connectorId": 1, "type": "Off"}, "PropertyConstraintViolation"),
]

CENTRAL = {"idToken": "APP-1", "type": "Central"}
PROFILE_2_0_1 = {
    "id": 11,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [
        {
            "id": 1,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9.0}],
        }
    ],
}
SITE_PROFILE_2_0_1 = PROFILE_2_0_1 | {
    "id": 12,
    "chargingProfilePurpose": "ChargingStationMaxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {
            "id": 2,
            "startSchedule": "2026-01-01T00:00:00Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 20_000.0}],
        }
    ],
}
LIST_2_0_1 = {
    "versionNumber": 4,
    "updateType": "Full",
    "localAuthorizationList": [
        {
            "idToken": {"idToken": "CARD-9", "type": "Local"},
            "idTokenInfo": {"status": "Accepted"},
        }
    ],
}


def variable(component, name, **more):
    return {"component": {"name": component}, "variable": {"name": name}, **more}


HEARTBEAT = variable("OCPPCommCtrlr", "HeartbeatInterval", attributeType="Actual")
RESERVE_2_0_1 = {"id": 1, "expiryDateTime": "2030-01-01T00:00:00Z", "idToken": CENTRAL}
LOG_2_0_1 = {
    "logType": "SecurityLog",
    "requestId": 1,
    "log": {"remoteLocation": "https://127.0.0.1/log"},
}
OFF, ON = {"operationalStatus": "Inoperative"}, {"operationalStatus": "Operative"}
STATUS = {"requestedMessage": "StatusNotification"}

ASKED_2_0_1 = [
    ("GetTransactionStatus", {}, {"messagesInQueue": False}),
    (
        "GetVariables",
        {"getVariableData": [HEARTBEAT, variable("NoSuchCtrlr", "X")]},
        {
            "getVariableResult": [
                {"attributeStatus": "Accepted", "attributeValue": "300", **HEARTBEAT},
                {
                    "attributeStatus": "UnknownComponent",
                    **variable("NoSuchCtrlr", "X", attributeType="Actual"),
                },
            ]
        },
    ),
    (
        "SetVariables",
        {"setVariableData": [HEARTBEAT | {"attributeValue": "120"}]},
        {"setVariableResult": [{"attributeStatus": "Accepted", **HEARTBEAT}]},
    ),
    ("GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}, "Accepted"),
    ("SendLocalList", LIST_2_0_1, "Accepted"),
    ("GetLocalListVersion", {}, {"versionNumber": 4}),
    ("ClearCache", {}, "Accepted"),
    ("SetChargingProfile", {"evseId": 3, "chargingProfile": PROFILE_2_0_1}, "Accepted"),
    ("SetChargingProfile", {"evseId": 0, "chargingProfile": SITE_PROFILE_2_0_1}, "Accepted"),
    ("SetChargingProfile", {"evseId": 77, "chargingProfile": PROFILE_2_0_1}, "Rejected"),
    ("GetCompositeSchedule", {"evseId": 3, "duration": 600}, "Accepted"),
    ("GetCompositeSchedule", {"evseId": 0, "duration": 600}, "Accepted"),
    ("GetCompositeSchedule", {"evseId": 77, "duration": 600}, "Rejected"),
    ("ClearChargingProfile", {"chargingProfileId": 11}, "Accepted"),
    ("ClearChargingProfile", {"chargingProfileId": 11}, "Unknown"),
    ("ChangeAvailability", OFF | {"evse": {"id": 2}}, "Accepted"),
    ("ChangeAvailability", ON | {"evse": {"id": 2, "connectorId": 1}}, "Accepted"),
    ("ChangeAvailability", ON, "Accepted"),
    ("ChangeAvailability", ON | {"evse": {"id": 77}}, "Rejected"),
    ("UnlockConnector", {"evseId": 1, "connectorId": 1}, "Unlocked"),
    ("UnlockConnector", {"evseId": 77, "connectorId": 1}, "UnknownConnector"),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "Accepted"),
    ("TriggerMessage", STATUS | {"evse": {"id": 2, "connectorId": 1}}, "Accepted"),
    ("TriggerMessage", STATUS | {"evse": {"id": 77, "connectorId": 1}}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "evse": {"id": 1}}, "Accepted"),
    ("TriggerMessage", {"requestedMessage": "BootNotification"}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "PublishFirmwareStatusNotification"}, "NotImplemented"),
    ("RequestStopTransaction", {"transactionId": "no-such"}, "Rejected"),
    (
        "RequestStartTransaction",
        {"evseId": 77, "remoteStartId": 1, "idToken": CENTRAL},
        "Rejected",
    ),
    ("DataTransfer", {"vendorId": "org.example"}, "UnknownVendorId"),
    ("ReserveNow", RESERVE_2_0_1, "NotSupported"),
    ("GetLog", LOG_2_0_1, "NotSupported"),
]

WRONG_2_0_1 = [
    ("NoSuchAction", {}, "NotImplemented"),
    ("ChangeAvailability", {}, "OccurrenceConstraintViolation"),
    ("UnlockConnector", {"evseId": "1", "connectorId": 1}, "TypeConstraintViolation"),
    ("ChangeAvailability", {"operationalStatus": "Off"}, "PropertyConstraintViolation"),
]

TABLES = {
    "ocpp1.6": (ASKED_1_6, WRONG_1_6),
    "ocpp2.0.1": (ASKED_2_0_1, WRONG_2_0_1),
}


def outcome(answer):
    """Return an answer's status, what it says when it has none, or the code of its refusal."""
    return answer.get("status", answer) if isinstance(answer, dict) else answer


async def busy_site(depot):
    """Connect and set up both stations, and wait until the cloud has heard of all."""
    one = await depot.station("CP-01", "ocpp1.6")
    two = await depot.station("CP-02", "ocpp2.0.1")
    for bench in (one, two):
        await depot.set_up(bench)
    await depot.registered()
    await depot.cloud.heard("StatusNotification", at_least=3)
    return one, two


@pytest.mark.parametrize("version", TABLES)
async def test_every_command_is_answered_as_its_clause_says(foreign_depot, version):
    asked, wrong = TABLES[version]
    async with foreign_depot(version) as depot:
        await busy_site(depot)
        answers = [
            (action, payload, outcome(await depot.cloud.ask(action, payload)))
            for action, payload, _ in asked
        ]
        refusals = [
            (action, payload, await depot.cloud.ask(action, payload, raw=True))
            for action, payload, _ in wrong
        ]

        assert answers == asked
        assert refusals == wrong
        assert depot.cloud.faults == []


async def limited(depot, bench, evse_id, limit_a):
    """Wait until the station itself allows its car this; the balancer's time runs faster."""

    def is_limited():
        depot.clock.skipped_s += 0.1  # at every look: a rise takes ten seconds
        return bench.limit_a(evse_id) == limit_a

    await depot.until(is_limited)


async def test_a_foreign_1_6_cloud_starts_limits_and_stops_a_transaction(foreign_depot):
    async with foreign_depot("ocpp1.6") as depot:
        _, two = await busy_site(depot)
        cloud = depot.cloud
        two.link.plug_in(2, Car())
        await two.settled()

        remote_start = {"connectorId": 3, "idTag": "APP-1"}
        assert await cloud.ask("RemoteStartTransaction", remote_start) == {"status": "Accepted"}
        start = await cloud.process.first("call", action="StartTransaction")
        number = start["result"]["transactionId"]
        profile = {"connectorId": 3, "csChargingProfiles": PROFILE_1_6}
        assert await cloud.ask("SetChargingProfile", profile) == {"status": "Accepted"}
        two.pass_time(5)
        await limited(depot, two, 2, 9.0)
        composite = await cloud.ask("GetCompositeSchedule", {"connectorId": 3, "duration": 60})
        two.pass_time(600)
        await two.settled()
        remote_stop = {"transactionId": number}
        assert await cloud.ask("RemoteStopTransaction", remote_stop) == {"status": "Accepted"}
        (stop,) = await cloud.heard("StopTransaction")

        (book,) = two.books
        assert (start["payload"]["connectorId"], start["payload"]["idTag"]) == (3, "APP-1")
        assert (start["payload"]["meterStart"], stop["meterStop"]) == (book.start_wh, book.stop_wh)
        assert (stop["transactionId"], stop["reason"]) == (number, "Remote")
        assert composite["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 9.0
        assert cloud.faults == []


async def test_a_foreign_2_0_1_cloud_starts_limits_and_stops_a_transaction(foreign_depot):
    async with foreign_depot("ocpp2.0.1") as depot:
        one, _ = await busy_site(depot)
        cloud = depot.cloud
        one.link.plug_in(1, Car())
        await one.settled()

        remote_start = {"evseId": 1, "remoteStartId": 42, "idToken": CENTRAL}
        accepted = await cloud.ask("RequestStartTransaction", remote_start)
        (started,) = await cloud.heard("TransactionEvent", eventType="Started")
        transaction_id = started["transactionInfo"]["transactionId"]
        profile = PROFILE_2_0_1 | {
            "chargingProfilePurpose": "TxProfile",
            "transactionId": transaction_id,
        }
        set_profile = {"evseId": 1, "chargingProfile": profile}
        assert await cloud.ask("SetChargingProfile", set_profile) == {"status": "Accepted"}
        one.pass_time(5)
        await limited(depot, one, 1, 9.0)
        composite = await cloud.ask("GetCompositeSchedule", {"evseId": 1, "duration": 60})
        await depot.delivered()
        asked = {"transactionId": transaction_id}
        status = await cloud.ask("GetTransactionStatus", asked)
        one.pass_time(600)
        await one.settled()
        stopped = await cloud.ask("RequestStopTransaction", asked)
        (ended,) = await cloud.heard("TransactionEvent", eventType="Ended")

        assert (accepted["status"], stopped["status"]) == ("Accepted", "Accepted")
        assert started["transactionInfo"]["remoteStartId"] == 42
        assert started["evse"]["id"] == 1
        assert composite["schedule"]["chargingSchedulePeriod"][0]["limit"] == 9.0
        assert status == {"ongoingIndicator": True, "messagesInQueue": False}
        assert ended["transactionInfo"]["stoppedReason"] == "Remote"
        assert ended["triggerReason"] == "RemoteStop"
        assert cloud.faults == []


async def test_a_foreign_2_0_1_cloud_gets_the_whole_report(foreign_depot):
    async with foreign_depot("ocpp2.0.1") as depot:
        await depot.registered()
        base = {"requestId": 7, "reportBase": "FullInventory"}
        assert await depot.cloud.ask("GetBaseReport", base) == {"status": "Accepted"}
        await depot.cloud.heard("NotifyReport", tbc=False)

        parts = depot.cloud.calls("NotifyReport")
        rows = [row for part in parts for row in part["reportData"]]
        names = [(row["component"]["name"], json.dumps(row["variable"])) for row in rows]
        assert [part["seqNo"] for part in parts] == list(range(len(parts)))
        assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
        assert len(set(names)) == len(rows) > 50
        assert depot.cloud.faults == []


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("ocpp1.6", ("Reset", {"type": "Soft"})),
        ("ocpp2.0.1", ("Reset", {"type": "OnIdle"})),
        ("ocpp1.6", ("TriggerMessage", {"requestedMessage": "BootNotification"})),
    ],
    ids=["1.6 reset", "2.0.1 reset", "1.6 trigger"],
)
async def test_what_resets_the_station_is_followed_by_a_boot(foreign_depot, version, command):
    async with foreign_depot(version) as depot:
        await busy_site(depot)
        answer = await depot.cloud.ask(*command)
        boots = await depot.cloud.heard("BootNotification", at_least=2)
        heard = len(depot.cloud.calls("StatusNotification"))
        await depot.cloud.heard("StatusNotification", at_least=heard + 1)

        assert answer["status"] == "Accepted"
        if version == "ocpp2.0.1":
            assert [boot["reason"] for boot in boots] == ["PowerUp", "ScheduledReset"]
        assert depot.cloud.faults == []
