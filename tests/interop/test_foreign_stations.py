"""npm's ocpp-rpc as charging stations: our answers and commands hold before its strict schemas."""

from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from tests.interop.foreign import foreign

VERSIONS = ["ocpp1.6", "ocpp2.0.1"]
NOW = "2026-11-22T18:44:53.768Z"


@asynccontextmanager
async def stations_below(depot, **versions):
    """Connect foreign stations, `CP_01="ocpp1.6"`, to a registered site."""
    await depot.registered()
    async with foreign("stations.mjs", f"ws://127.0.0.1:{depot.listening.csms_port}/ocpp") as run:
        for name, version in versions.items():
            identity = name.replace("_", "-")
            evses = list(depot.site.stations[identity].evses)
            connect = {"act": "connect", "identity": identity, "version": version, "evses": evses}
            assert await run.ask(**connect) == "Accepted"
        yield run


def known_to(depot, stations):
    """Every transaction as the foreign stations know it, in the cloud's EVSE numbers."""
    return sorted(
        (
            depot.evse(told["identity"], told["evse"]).cloud_evse,
            told["token"],
            told["startWh"],
            told["stopWh"],
            datetime.fromisoformat(told["beganAt"]),
            datetime.fromisoformat(told["endedAt"]),
        )
        for told in stations.events("charged")
    )


def billed_by(cloud):
    return sorted(
        (
            booked.evse_id,
            booked.id_token,
            booked.start_wh,
            booked.stop_wh,
            booked.started_at,
            booked.ended_at,
        )
        for booked in cloud.transactions
    )


@pytest.mark.parametrize("cloud_version", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_foreign_station_is_billed_as_it_measured(depot_of, version, cloud_version):
    async with depot_of(cloud_version) as depot, stations_below(depot, CP_02=version) as stations:
        for evse, token in ((2, "CARD-1"), (1, "CARD-2"), (2, "CARD-2")):
            charge = {"act": "charge", "identity": "CP-02", "evse": evse, "token": token}
            assert await stations.ask(**charge) is None
        await depot.delivered()

        assert len(stations.events("charged")) == 3
        assert billed_by(depot.cloud) == known_to(depot, stations)
        assert stations.faults == []
        assert depot.cloud.violations == []
        assert depot.cloud.complaints == []


async def test_foreign_stations_of_both_versions_charge_at_the_same_time(depot_of):
    async with (
        depot_of("ocpp2.0.1") as depot,
        stations_below(depot, CP_01="ocpp1.6", CP_02="ocpp2.0.1") as stations,
    ):
        charges = [("CP-01", 1, "A"), ("CP-02", 1, "B"), ("CP-02", 2, "C")]
        for identity, evse, token in charges:
            stations.tell(id=token, act="charge", identity=identity, evse=evse, token=token)
        answers = [await stations.first("answer", id=token) for _, _, token in charges]
        await depot.delivered()

        assert ["error" in answer for answer in answers] == [False] * 3
        assert billed_by(depot.cloud) == known_to(depot, stations)
        assert stations.faults == []
        assert depot.cloud.violations == []
        assert depot.cloud.complaints == []


REMOTE = {
    "ocpp1.6": ("RemoteStartTransaction", {"connectorId": 3, "idTag": "APP-1"}),
    "ocpp2.0.1": (
        "RequestStartTransaction",
        {"evseId": 3, "remoteStartId": 8, "idToken": {"idToken": "APP-1", "type": "Central"}},
    ),
}


@pytest.mark.parametrize("cloud_version", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_commands_to_a_foreign_station_keep_its_schemas(depot_of, version, cloud_version):
    async with depot_of(cloud_version) as depot, stations_below(depot, CP_02=version) as stations:
        await stations.first("call", action="SetChargingProfile")
        answer = await depot.cloud.call(*REMOTE[cloud_version])
        await stations.first("charged", evse=2, token="APP-1")
        await depot.delivered()
        unlock = {"connectorId": 3} | ({} if cloud_version == "ocpp1.6" else {"evseId": 3})
        unlocked = await depot.cloud.call(
            "UnlockConnector", unlock | ({} if cloud_version == "ocpp1.6" else {"connectorId": 1})
        )

        asked = {call["action"] for call in stations.events("call")}
        assert {"SetChargingProfile", "TriggerMessage", "UnlockConnector"} <= asked
        assert (answer["status"], unlocked["status"]) == ("Accepted", "Unlocked")
        assert billed_by(depot.cloud) == known_to(depot, stations)
        assert stations.faults == []
        assert depot.cloud.violations == []
        assert depot.cloud.complaints == []


VALUES_1_6 = [{"timestamp": NOW, "sampledValue": [{"value": "1"}]}]
SAID_1_6 = [
    ("Heartbeat", {}),
    ("DataTransfer", {"vendorId": "org.example", "messageId": "m", "data": "d"}),
    ("FirmwareStatusNotification", {"status": "Idle"}),
    ("DiagnosticsStatusNotification", {"status": "Idle"}),
    ("MeterValues", {"connectorId": 0, "meterValue": VALUES_1_6}),
    ("Authorize", {"idTag": "CARD-1"}),
]
VALUES_2_0_1 = [{"timestamp": NOW, "sampledValue": [{"value": 1}]}]
ALERT = {
    "eventId": 1,
    "timestamp": NOW,
    "trigger": "Alerting",
    "actualValue": "x",
    "eventNotificationType": "HardWiredNotification",
    "component": {"name": "Connector"},
    "variable": {"name": "Problem"},
}
LIMIT = {"isGridCritical": False, "chargingLimitSource": "EMS"}
NEEDS = {"requestedEnergyTransfer": "AC_three_phase"}
PART = {"requestId": 1, "generatedAt": NOW, "seqNo": 0}
SAID_2_0_1 = [
    ("Heartbeat", {}),
    ("DataTransfer", {"vendorId": "org.example", "data": {"any": [1, None]}}),
    ("FirmwareStatusNotification", {"status": "Idle"}),
    ("PublishFirmwareStatusNotification", {"status": "Idle"}),
    ("LogStatusNotification", {"status": "Idle"}),
    ("SecurityEventNotification", {"type": "FirmwareUpdated", "timestamp": NOW}),
    ("MeterValues", {"evseId": 0, "meterValue": VALUES_2_0_1}),
    ("NotifyReport", PART),
    ("NotifyMonitoringReport", PART),
    ("NotifyEvent", {"generatedAt": NOW, "seqNo": 0, "eventData": [ALERT]}),
    ("NotifyChargingLimit", {"chargingLimit": LIMIT}),
    ("ClearedChargingLimit", {"chargingLimitSource": "EMS"}),
    ("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": NEEDS}),
    ("ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": "Expired"}),
    ("NotifyDisplayMessages", {"requestId": 1}),
    ("NotifyCustomerInformation", PART | {"data": ""}),
    ("SignCertificate", {"csr": "x"}),
    ("Authorize", {"idToken": {"idToken": "CARD-1", "type": "Local"}}),
]


@pytest.mark.parametrize(
    ("version", "said"), [("ocpp1.6", SAID_1_6), ("ocpp2.0.1", SAID_2_0_1)], ids=VERSIONS
)
async def test_whatever_a_foreign_station_may_say_is_answered_in_its_schema(
    depot_of, version, said
):
    async with depot_of("ocpp2.0.1") as depot, stations_below(depot, CP_02=version) as stations:
        refused = {}
        for action, payload in said:
            answer = await stations.ask(act="say", identity="CP-02", action=action, payload=payload)
            if not isinstance(answer, dict):
                refused[action] = answer

        assert refused == {}
        assert stations.faults == []
        assert depot.cloud.violations == []
        assert depot.cloud.complaints == []
