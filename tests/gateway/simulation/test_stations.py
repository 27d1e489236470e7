"""A simulated station before the simulated cloud, over real sockets, in both versions."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import Unavailable
from gateway.simulation.cars import Car
from gateway.simulation.evse import EvseHardware
from gateway.simulation.quirks import Quirks

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def books_agree(cloud, station):
    """The cloud bills what the station measured: same token, EVSE, energy and instants."""
    truth = [
        (b.evse_id, b.id_token, b.start_wh, b.stop_wh, b.started_at, b.ended_at)
        for b in station.books
    ]
    billed = [
        (t.evse_id, t.id_token, t.start_wh, t.stop_wh, t.started_at, t.ended_at)
        for t in cloud.transactions
    ]
    return truth == billed


def books_agree_on_starts(cloud, station):
    return [b.started_at for b in station.books] == [t.started_at for t in cloud.transactions]


async def test_a_whole_transaction_is_booked_as_the_station_measured_it(cloud, bench, blameless):
    async with bench(evses=(EvseHardware(1), EvseHardware(2, register_wh=5_000))) as b:
        await b.settled()
        await b.charge(Car(), evse_id=2)
        for _ in range(5):
            b.pass_time(60)
            await b.settled()

        b.link.present(2, "CARD-1")
        b.link.unplug(2)
        await b.settled()

        assert b.station.books[0].energy_wh > 500
        assert b.station.books[0].meter_values_sent == 5
        assert len(cloud.transactions) == 1
        assert books_agree(cloud, b.station)


async def test_what_happens_during_an_outage_arrives_once_in_order_with_its_time(
    cloud, bench, version, blameless
):
    async with bench() as b:
        await b.charge(Car())
        await cloud.go_away()
        await b.link.until(lambda: not b.station.talk.is_connected)
        b.pass_time(300)
        b.link.present(1, "CARD-1")
        b.link.unplug(1)
        b.pass_time(60)
        b.link.plug_in(1, Car(phases=1))
        b.link.present(1, "CARD-2")
        b.pass_time(120)

        await cloud.come_back()
        await b.settled()
        b.link.unplug(1)
        await b.settled()

        assert len(cloud.transactions) == 2
        assert books_agree(cloud, b.station)
        assert all(t.ended_at < NOON + timedelta(seconds=600) for t in cloud.transactions)
        if version == "ocpp2.0.1":
            assert all(t.offline_messages > 0 for t in cloud.transactions)
            assert cloud.transactions[1].offline_messages < len(cloud.transactions[1].heard)


async def test_an_unanswered_message_is_repeated_until_it_is_answered(cloud, bench, version):
    async with bench(call_timeout_s=10) as b:
        action = "StartTransaction" if version == "ocpp1.6" else "TransactionEvent"
        cloud.behaviour.silences[action] = 1
        await b.settled()
        b.link.plug_in(1, Car())
        b.link.present(1, "CARD-1")
        await cloud.until(lambda: cloud.transactions)

        b.pass_time(11)
        await cloud.until(lambda: cloud.transactions[0].retransmissions == 1)
        await b.settled()

        assert len(cloud.transactions) == 1
        assert cloud.complaints == []


async def test_start_and_stop_by_the_cloud(cloud, bench, version, blameless):
    async with bench() as b:
        await b.settled()
        b.link.plug_in(1, Car())

        if version == "ocpp1.6":
            order = ("RemoteStartTransaction", {"idTag": "FLEET", "connectorId": 1})
        else:
            token = {"idToken": "FLEET", "type": "Central"}
            order = (
                "RequestStartTransaction",
                {"idToken": token, "remoteStartId": 7, "evseId": 1},
            )
        answer = await cloud.call(*order)
        await cloud.until(lambda: cloud.transactions)
        b.pass_time(90)
        await b.settled()
        number = cloud.transactions[0].transaction_id
        if version == "ocpp1.6":
            order = ("RemoteStopTransaction", {"transactionId": int(number)})
        else:
            order = ("RequestStopTransaction", {"transactionId": number})
        stopped = await cloud.call(*order)
        await b.settled()

        assert answer["status"] == stopped["status"] == "Accepted"
        assert cloud.transactions[0].stop_reason == "Remote"
        assert cloud.transactions[0].id_token == "FLEET"
        assert books_agree(cloud, b.station)
        if version == "ocpp2.0.1":
            assert cloud.transactions[0].remote_start_id == 7


def limit_order(version, transaction_id, limits_a, start_at):
    periods = [{"startPeriod": start_s, "limit": limit_a} for start_s, limit_a in limits_a]
    schedule = {
        "startSchedule": start_at.isoformat().replace("+00:00", "Z"),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": periods,
    }
    profile = {
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
    }
    if version == "ocpp1.6":
        profile |= {"chargingProfileId": 9, "transactionId": int(transaction_id)}
        return {"connectorId": 1, "csChargingProfiles": profile | {"chargingSchedule": schedule}}
    profile |= {"id": 9, "transactionId": transaction_id}
    return {"evseId": 1, "chargingProfile": profile | {"chargingSchedule": [schedule | {"id": 1}]}}


async def test_a_limit_that_ends_by_itself_steps_down_without_the_cloud(cloud, bench, version):
    async with bench() as b:
        await b.charge(Car())
        number = cloud.transactions[0].transaction_id
        order = limit_order(version, number, [(0, 10.0), (120, 6.0)], b.station.wall(b.clock.now))
        assert (await cloud.call("SetChargingProfile", order))["status"] == "Accepted"
        b.pass_time(10)
        while_limited = b.station.evses[1].currents_a
        await cloud.go_away()
        await b.link.until(lambda: not b.station.talk.is_connected)

        b.pass_time(115)
        six = b.station.evses[1].currents_a
        b.link.unplug(1)

        assert while_limited == (10.0, 10.0, 10.0)
        assert six == (6.0, 6.0, 6.0)
        assert b.station.profiles.installed == []


async def test_a_clock_that_nobody_can_set_tells_its_own_time(cloud, bench):
    async with bench(quirks=Quirks(clock_error_s=-10_800, ignores_time=True)) as b:
        await b.charge(Car())

        assert cloud.transactions[0].started_at < NOON - timedelta(hours=2)


async def test_a_limit_for_another_transaction_is_rejected(cloud, bench, version):
    async with bench() as b:
        await b.charge(Car())

        order = limit_order(version, "4711", [(0, 10.0)], NOON)

        assert (await cloud.call("SetChargingProfile", order))["status"] == "Rejected"


async def test_a_token_whose_cable_never_comes_is_forgotten(cloud, bench, blameless):
    async with bench() as b:
        await b.settled()
        b.link.present(1, "CARD-1")
        await b.link.until(lambda: b.station.visits[1].token)
        b.pass_time(70)
        b.link.plug_in(1, Car())
        await b.settled()

        assert cloud.transactions == []


async def test_a_station_sets_its_clock_by_the_boot_answer(cloud, bench, clock, blameless):
    async with bench(quirks=Quirks(clock_error_s=-10_800)) as b:
        await b.settled()
        await b.charge(Car())

        assert NOON <= b.station.books[0].started_at <= clock.wall()
        assert books_agree_on_starts(cloud, b.station)


async def test_pending_and_rejected_stations_keep_silent(cloud, bench):
    cloud.behaviour.registrations = [("Pending", 20), ("Rejected", 30), ("Accepted", 60)]
    async with bench() as b:
        await b.link.until(lambda: b.station.talk.registration == "Pending")
        b.pass_time(19)
        assert len(cloud.stations["CP-1"].boots) == 1
        b.pass_time(2)
        await b.link.until(lambda: b.station.talk.registration == "Rejected")
        b.pass_time(31)
        await b.settled()

        assert cloud.complaints == []
        assert cloud.heard[3].action == "StatusNotification"


async def test_a_token_the_cloud_blocks_does_not_charge(cloud, bench, blameless):
    cloud.behaviour.verdicts["STOLEN"] = "Blocked"
    async with bench() as b:
        await b.settled()
        b.link.plug_in(1, Car())
        b.link.present(1, "STOLEN")
        await b.settled()

        assert cloud.transactions == []


async def test_a_verdict_after_the_start_ends_the_transaction(cloud, bench, blameless):
    async with bench() as b:
        await b.settled()
        b.link.go_away()
        await b.link.until(lambda: not b.station.talk.is_connected)
        b.link.plug_in(1, Car())
        b.link.present(1, "STOLEN")
        cloud.behaviour.verdicts["STOLEN"] = "Invalid"

        b.link.come_back()
        await b.link.until(lambda: b.station.books[0].is_delivered)

        assert cloud.transactions[0].stop_reason == "DeAuthorized"
        assert books_agree(cloud, b.station)


async def test_reset_ends_transactions_and_boots_again(cloud, bench, version, blameless):
    async with bench() as b:
        await b.charge(Car())
        kind = "Hard" if version == "ocpp1.6" else "Immediate"
        await cloud.call("Reset", {"type": kind})
        await cloud.until(lambda: len(cloud.stations["CP-1"].boots) == 2)
        await b.settled()

        assert books_agree(cloud, b.station)
        assert not cloud.transactions[0].is_running


async def test_a_reconnect_is_not_a_reboot(cloud, bench, blameless):
    async with bench() as b:
        await b.settled()
        b.link.cut()
        await b.link.until(lambda: b.link.connections == 2)
        b.pass_time(301)
        await cloud.until(lambda: cloud.stations["CP-1"].heartbeats == 1)

        assert len(cloud.stations["CP-1"].boots) == 1


@pytest.mark.parametrize("password", ["wrong", None], ids=["wrong", "none"])
async def test_a_wrong_password_is_refused(cloud, bench, password):
    cloud.passwords = {"CP-1": "right"}
    async with bench(password=password) as b:
        await b.link.until(lambda: b.link.refused)

        assert cloud.refused_handshakes[0] == 401
        assert cloud.stations == {}


COMMANDS = {
    "ocpp1.6": [
        ("GetConfiguration", {"key": ["NumberOfConnectors", "Nonsense"]}, None),
        ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "5"}, "Accepted"),
        ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "5"}, "Rejected"),
        ("ChangeConfiguration", {"key": "Nonsense", "value": "5"}, "NotSupported"),
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}, "Accepted"),
        ("UnlockConnector", {"connectorId": 1}, "Unlocked"),
        ("TriggerMessage", {"requestedMessage": "StatusNotification"}, "Accepted"),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1}, "Accepted"),
        ("GetCompositeSchedule", {"connectorId": 1, "duration": 600}, "Accepted"),
        ("ClearChargingProfile", {}, "Unknown"),
        ("SendLocalList", {"listVersion": 3, "updateType": "Full"}, "Accepted"),
        ("GetLocalListVersion", {}, None),
        ("ClearCache", {}, "Accepted"),
        ("DataTransfer", {"vendorId": "x"}, "UnknownVendorId"),
    ],
    "ocpp2.0.1": [
        (
            "SetVariables",
            {
                "setVariableData": [
                    {
                        "component": {"name": "SampledDataCtrlr"},
                        "variable": {"name": "TxUpdatedInterval"},
                        "attributeValue": "5",
                    }
                ]
            },
            None,
        ),
        (
            "GetVariables",
            {"getVariableData": [{"component": {"name": "No"}, "variable": {"name": "No"}}]},
            None,
        ),
        ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}, "Accepted"),
        ("ChangeAvailability", {"operationalStatus": "Inoperative"}, "Accepted"),
        ("UnlockConnector", {"evseId": 1, "connectorId": 1}, "Unlocked"),
        ("TriggerMessage", {"requestedMessage": "StatusNotification"}, "Accepted"),
        ("TriggerMessage", {"requestedMessage": "MeterValues", "evse": {"id": 1}}, "Accepted"),
        ("GetCompositeSchedule", {"evseId": 1, "duration": 600}, "Accepted"),
        ("ClearChargingProfile", {"chargingProfileId": 1}, "Unknown"),
        ("SendLocalList", {"versionNumber": 3, "updateType": "Full"}, "Accepted"),
        ("GetLocalListVersion", {}, None),
        ("GetTransactionStatus", {}, None),
        ("ClearCache", {}, "Accepted"),
        ("DataTransfer", {"vendorId": "x"}, "UnknownVendorId"),
    ],
}


async def test_every_command_is_answered_by_its_schema(cloud, bench, version, blameless):
    async with bench() as b:
        await b.settled()
        for action, payload, status in COMMANDS[version]:
            answer = await cloud.call(action, payload)
            assert answer.get("status") == status, action
        await b.settled()

        assert b.station.talk.violations == []
        assert b.station.meter_interval_s == 5


async def test_calls_of_a_dead_connection_fail_at_once(cloud, bench):
    async with bench() as b:
        await b.settled()
        b.link.go_away()
        await b.link.until(lambda: not b.station.talk.is_connected)
        await cloud.until(lambda: not cloud.is_connected("CP-1"))

        with pytest.raises(Unavailable):
            await asyncio.wait_for(cloud.call("ClearCache", {}), 1)
