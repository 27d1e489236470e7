"""One well-behaved charging station on a link that comes, goes, and meets clouds of every mood."""

import pytest

from gateway.registration import BackOff
from gateway.simulation.cars import Car
from tests.scenarios.cloud_words import VERSIONS, heard, is_blameless, words_of

EACH_CLOUD = pytest.mark.parametrize("cloud_version", VERSIONS)
AT_ONCE = BackOff(0.02, 0.0, 0)


def actions(cloud):
    return [call.action for call in cloud.heard]


async def reset(depot, **behaviour):
    """Begin anew with a cloud that behaves so, and a gateway that comes back at once."""
    await depot.registered()
    await depot.stop()
    for name, value in behaviour.items():
        setattr(depot.cloud.behaviour, name, value)
    (station,) = depot.cloud.stations.values()
    station.registration, station.boot_answers = None, 0
    depot.cloud.heard.clear()
    await depot.start()
    depot.gateway.cloud.registration.back_off = AT_ONCE


# Registration.


@EACH_CLOUD
async def test_a_pending_cloud_is_answered_and_told_nothing_but_what_it_asks(
    depot_of, cloud_version
):
    async with depot_of(cloud_version) as depot:
        await reset(depot, registrations=[("Pending", 600), ("Accepted", 300)])
        bench = await depot.station("CP-01", "ocpp1.6")
        words = words_of(depot)
        await depot.cloud.until(lambda: depot.cloud.is_connected("DEPOT"), 20)
        await depot.cloud.until(lambda: heard(depot.cloud, "BootNotification"), 20)
        await bench.settled()

        started = await words.start("APP-1", 1)
        status = await words.set(
            "MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval", "60"
        )
        told_unasked = actions(depot.cloud)
        triggered = await words.trigger("StatusNotification", 1)
        await depot.cloud.until(lambda: heard(depot.cloud, "StatusNotification"), 20)
        boot = await words.trigger("BootNotification")
        await depot.registered()
        key = "connectorId" if cloud_version == "ocpp1.6" else "evseId"
        await depot.cloud.until(
            lambda: {p[key] for p in heard(depot.cloud, "StatusNotification")} >= {1, 2, 3}, 20
        )

        assert (started["status"], status) == ("Rejected", "Accepted")  # B02.FR.05
        assert told_unasked == ["BootNotification"]
        assert (triggered["status"], boot["status"]) == ("Accepted", "Accepted")
        assert len(heard(depot.cloud, "BootNotification")) == 2
        assert is_blameless(depot.cloud, bench)


async def test_a_pending_cloud_may_read_the_whole_report(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        await reset(depot, registrations=[("Pending", 600)])
        await depot.cloud.until(lambda: heard(depot.cloud, "BootNotification"), 20)

        base = {"requestId": 1, "reportBase": "FullInventory"}
        answer = await depot.cloud.call("GetBaseReport", base)
        await depot.cloud.until(lambda: heard(depot.cloud, "NotifyReport", tbc=False), 20)

        assert answer["status"] == "Accepted"
        assert is_blameless(depot.cloud)


@EACH_CLOUD
async def test_a_cloud_that_rejects_us_hears_nothing_until_its_interval_is_over(
    depot_of, cloud_version
):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        allowed = ("AllowOfflineTxForUnknownId", "AuthCtrlr.OfflineTxForUnknownIdEnabled")
        await words_of(depot).set(*allowed, "true")
        await reset(depot, registrations=[("Rejected", 1), ("Accepted", 300)])
        bench = await depot.station("CP-01", "ocpp1.6")
        await bench.charge(Car())  # what it may not be told waits

        await depot.registered()
        await depot.delivered()

        assert actions(depot.cloud)[:2] == ["BootNotification", "BootNotification"]
        assert len(depot.cloud.transactions) == 1
        assert is_blameless(depot.cloud, bench)


# Coming and going.


@EACH_CLOUD
async def test_a_reconnect_is_not_a_reboot_and_tells_only_what_has_changed(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-02", "ocpp1.6")
        await depot.registered()
        statuses = depot.gateway.cloud.statuses
        await depot.until(lambda: statuses.next_status(cloud_version) is None)
        depot.gateway.cloud.registration.back_off = AT_ONCE
        depot.cloud.heard.clear()
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        bench.link.plug_in(2, Car())
        await bench.settled()

        await depot.cloud.come_back()
        await depot.until(lambda: depot.gateway.state.cloud.is_connected)
        await depot.until(lambda: statuses.next_status(cloud_version) is None)

        key = "connectorId" if cloud_version == "ocpp1.6" else "evseId"
        assert "BootNotification" not in actions(depot.cloud)  # 1.6J §5.4, Part 4 §5.3
        assert {p[key] for p in heard(depot.cloud, "StatusNotification")} == {3}  # B04.FR.02
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_after_a_long_outage_every_status_is_told_again(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        statuses = depot.gateway.cloud.statuses
        await depot.until(lambda: statuses.next_status(cloud_version) is None)
        depot.gateway.cloud.registration.back_off = AT_ONCE
        depot.cloud.heard.clear()
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        depot.clock.skipped_s += 61

        await depot.cloud.come_back()
        count = 4 if cloud_version == "ocpp1.6" else 3
        await depot.cloud.until(lambda: len(heard(depot.cloud, "StatusNotification")) == count, 20)

        assert "BootNotification" not in actions(depot.cloud)
        assert is_blameless(depot.cloud)


@EACH_CLOUD
async def test_a_status_the_cloud_refuses_is_told_once(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        depot.cloud.behaviour.errors["StatusNotification"] = ["InternalError"] * 100
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car())
        await depot.delivered()
        statuses = depot.gateway.cloud.statuses
        await depot.until(lambda: statuses.next_status(cloud_version) is None)

        told = len(heard(depot.cloud, "StatusNotification"))
        await words_of(depot).trigger("Heartbeat")
        before = len(heard(depot.cloud, "Heartbeat"))
        await words_of(depot).trigger("Heartbeat")
        await depot.cloud.until(lambda: len(heard(depot.cloud, "Heartbeat")) > before, 20)

        assert told < 20
        assert len(heard(depot.cloud, "StatusNotification")) == told
        assert len(depot.cloud.transactions) == 1


# Silence and refusals.


@EACH_CLOUD
async def test_a_cloud_that_is_silent_on_one_message_loses_only_that(depot_of, cloud_version):
    """Silence of a cloud that answers others costs the socket and an attempt: here the only one."""
    start = {"ocpp1.6": "StartTransaction", "ocpp2.0.1": "TransactionEvent"}[cloud_version]
    async with depot_of(cloud_version) as depot:
        words = words_of(depot)
        await depot.registered()
        attempts, retry = (
            ("TransactionMessageAttempts", "OCPPCommCtrlr.MessageAttempts"),
            ("TransactionMessageRetryInterval", "OCPPCommCtrlr.MessageAttemptInterval"),
        )
        if cloud_version == "ocpp1.6":
            assert await words.set(*attempts, "1") == "Accepted"
            assert await words.set(*retry, "0") == "Accepted"
        else:
            asked = [
                {
                    "component": {"name": "OCPPCommCtrlr"},
                    "variable": {"name": name, "instance": "TransactionEvent"},
                    "attributeValue": value,
                }
                for name, value in (("MessageAttempts", "1"), ("MessageAttemptInterval", "0"))
            ]
            await depot.cloud.call("SetVariables", {"setVariableData": asked})
        await words.send_list(1, {"CARD-1": "Accepted", "CARD-2": "Accepted"})
        bench = await depot.station("CP-02", "ocpp1.6")
        depot.gateway.cloud.registration.back_off = AT_ONCE
        depot.gateway.uplink._cloud = depot.site.cloud.model_copy(update={"call_timeout_s": 0.1})
        await bench.charge(Car(), token="CARD-2", evse_id=2)
        await depot.delivered()
        depot.cloud.behaviour.silences[start] = 1

        bench.link.plug_in(1, Car())
        bench.link.present(1, "CARD-1")
        await depot.until(lambda: depot.gateway.outbox.depth().quarantined == 1)
        await bench.leave("CARD-2", evse_id=2)
        await depot.delivered()

        quarantined = await depot.gateway.store.quarantined()
        assert [row.code for row in quarantined] == ["no-answer"]
        assert len(heard(depot.cloud, "BootNotification")) == 1
        other = depot.cloud.transactions[0]
        assert (other.id_token, other.evse_id, other.ended_at is None) == ("CARD-2", 3, False)
        assert depot.cloud.violations == []


@EACH_CLOUD
@pytest.mark.parametrize("station_version", VERSIONS)
async def test_what_was_started_offline_and_is_refused_later_is_stopped_as_deauthorized(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", station_version)
        await depot.set_up(bench)
        await depot.registered()
        allowed = ("AllowOfflineTxForUnknownId", "AuthCtrlr.OfflineTxForUnknownIdEnabled")
        assert await words_of(depot).set(*allowed, "true") == "Accepted"
        depot.gateway.cloud.registration.back_off = AT_ONCE
        depot.cloud.behaviour.verdicts["STOLEN"] = "Blocked"
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        await bench.charge(Car(), token="STOLEN")
        bench.pass_time(30)
        await bench.settled()

        await depot.cloud.come_back()
        await bench.until(lambda: bench.books[0].ended_at)
        await bench.settled()
        (transaction,) = depot.cloud.transactions
        await depot.cloud.until(lambda: not transaction.is_running, 20)

        assert transaction.stop_reason == "DeAuthorized"  # 1.6 §3.5.4, E05
        assert (transaction.start_wh, transaction.stop_wh) == (
            bench.books[0].start_wh,
            bench.books[0].stop_wh,
        )
        if cloud_version == "ocpp2.0.1":
            assert transaction.trigger_reasons[-1] == "Deauthorized"
            assert transaction.offline_messages > 0
        assert is_blameless(depot.cloud, bench)
