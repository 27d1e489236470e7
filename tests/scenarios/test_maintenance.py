"""The cloud takes EVSEs out of service, unlocks, resets and asks to be told."""

import pytest

from gateway.errors import CallRefused
from gateway.simulation.cars import Car
from tests.scenarios.cloud_words import VERSIONS, heard, is_blameless, words_of

PAIRS = [
    pytest.param(station, cloud, id=f"station {station[4:]}, cloud {cloud[4:]}")
    for station in VERSIONS
    for cloud in VERSIONS
]
EACH_CLOUD = pytest.mark.parametrize("cloud_version", VERSIONS)


async def ready(depot, identity, version, **settings):
    bench = await depot.station(identity, version, **settings)
    await depot.registered()
    await depot.set_up(bench)
    return bench


def told(cloud, evse):
    """Return the status the cloud knows of an EVSE."""
    (station,) = cloud.stations.values()
    return station.books.statuses.get((evse, 1) if evse else (0, 0))


def asked_of(bench, action):
    return [payload for said, payload in bench.station.commands_heard if said == action]


# Availability.


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_an_evse_out_of_service_says_so_and_takes_no_car(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-02", station_version)
        words = words_of(depot)
        await depot.cloud.until(lambda: told(depot.cloud, 3) == "Available", 20)

        answer = await words.make(False, 3)
        await depot.cloud.until(lambda: told(depot.cloud, 3) == "Unavailable", 20)
        started = await words.start("APP-1", 3)
        again = await words.make(True, 3)
        await depot.cloud.until(lambda: told(depot.cloud, 3) == "Available", 20)

        assert (answer["status"], again["status"]) == ("Accepted", "Accepted")
        assert started["status"] == "Rejected"  # F01.FR.23
        assert told(depot.cloud, 2) == "Available"
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_charging_evse_goes_out_of_service_when_its_car_has_left(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", station_version)
        await bench.charge(Car())

        answer = await words_of(depot).make(False, 1)
        still_charging = bench.station.visits[1].transaction is not None
        await bench.leave()
        await depot.cloud.until(lambda: told(depot.cloud, 1) == "Unavailable", 20)

        assert answer["status"] == "Scheduled"  # 1.6 §5.2, G03.FR.05
        assert still_charging
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_the_whole_site_goes_out_of_service_and_whoever_was_away_with_it(
    depot_of, station_version, cloud_version, monkeypatch
):
    monkeypatch.setattr("gateway.arrivals.BOOT_GRACE_S", 0.01)
    async with depot_of(cloud_version) as depot:
        one = await ready(depot, "CP-01", station_version)
        two = await ready(depot, "CP-02", station_version)
        words = words_of(depot)
        two.link.go_away()
        await depot.until(lambda: not depot.gateway.state.stations["CP-02"].is_connected)

        answer = await words.make(False)
        await depot.cloud.until(lambda: told(depot.cloud, 1) == "Unavailable", 20)
        if cloud_version == "ocpp1.6":
            await depot.cloud.until(lambda: told(depot.cloud, 0) == "Unavailable", 20)
        two.link.come_back()
        await two.until(lambda: not two.station.visits[1].is_operational)
        await two.until(lambda: not two.station.visits[2].is_operational)
        await depot.cloud.until(lambda: told(depot.cloud, 3) == "Unavailable", 20)

        assert answer["status"] == "Scheduled"
        assert is_blameless(depot.cloud, one, two)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_out_of_service_outlives_a_restart_of_gateway_and_station(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        await words_of(depot).make(False, 2)
        await depot.stop()
        await depot.start()

        bench = await depot.station("CP-02", station_version)
        await bench.until(lambda: not bench.station.visits[1].is_operational)
        await depot.registered()
        await depot.cloud.until(lambda: told(depot.cloud, 2) == "Unavailable", 20)

        assert bench.station.visits[2].is_operational
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_an_unknown_evse_has_no_availability(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()

        answer = await words_of(depot).make(False, 77)

        assert answer["status"] == "Rejected"
        assert is_blameless(depot.cloud)


# Unlocking.


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_connector_is_unlocked_unless_somebody_charges_there(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", station_version)
        words = words_of(depot)

        free = await words.unlock(1)
        await bench.charge(Car())
        busy = await words.unlock(1)
        unknown = await words.unlock(77)

        assert free["status"] == "Unlocked"
        if cloud_version == "ocpp2.0.1":
            assert busy["status"] == "OngoingAuthorizedTransaction"  # F05.FR.02
            assert unknown["status"] == "UnknownConnector"
            assert len(asked_of(bench, "UnlockConnector")) == 1
        else:  # 1.6 §5.18 finishes the transaction first; a 2.0.1 station does not
            assert busy["status"] == {"ocpp1.6": "Unlocked"}.get(station_version, "UnlockFailed")
            assert unknown["status"] == "NotSupported"  # errata 3.85
        assert is_blameless(depot.cloud, bench)


# Resets.


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_reset_at_once_reaches_every_station_and_ends_what_runs(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", station_version)
        idle = await ready(depot, "CP-02", station_version)
        await bench.charge(Car())

        answer = await words_of(depot).reset(is_immediate=True)
        await depot.cloud.until(lambda: len(heard(depot.cloud, "BootNotification")) == 2, 20)
        await bench.settled()
        await depot.until(lambda: depot.evse("CP-01").transaction_id is None)
        await depot.delivered()

        (transaction,) = depot.cloud.transactions
        assert answer["status"] == "Accepted"
        assert len(asked_of(bench, "Reset")) == len(asked_of(idle, "Reset")) == 1
        assert transaction.stop_wh == bench.books[0].stop_wh
        word = {"ocpp1.6": "HardReset", "ocpp2.0.1": "ImmediateReset"}[cloud_version]
        assert transaction.stop_reason == word
        assert is_blameless(depot.cloud, bench, idle)


@pytest.mark.parametrize("station_version", VERSIONS)
async def test_a_reset_on_idle_waits_until_the_car_has_left(depot_of, station_version):
    """B12.FR.01, and for stations whose version cannot wait."""
    async with depot_of("ocpp2.0.1") as depot:
        bench = await ready(depot, "CP-01", station_version)
        await bench.charge(Car())

        answer = await words_of(depot).reset(is_immediate=False)
        if station_version == "ocpp1.6":
            assert answer["status"] == "Scheduled"
            assert asked_of(bench, "Reset") == []
            assert bench.station.visits[1].transaction is not None
            await bench.leave()
            await bench.until(lambda: asked_of(bench, "Reset"))
        await depot.cloud.until(lambda: len(heard(depot.cloud, "BootNotification")) == 2, 20)

        reasons = [boot["reason"] for boot in heard(depot.cloud, "BootNotification")]
        assert reasons == ["PowerUp", "ScheduledReset"]
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize(
    ("identity", "evse", "station_version", "status"),
    [
        pytest.param("CP-01", 1, "ocpp1.6", "Accepted", id="1.6, alone: its station"),
        pytest.param("CP-02", 2, "ocpp1.6", "Rejected", id="1.6, one of two"),
        pytest.param("CP-02", 2, "ocpp2.0.1", "Rejected", id="2.0.1 that cannot, B11.FR.09"),
    ],
)
async def test_a_reset_of_one_evse_never_resets_another(
    depot_of, identity, evse, station_version, status
):
    async with depot_of("ocpp2.0.1") as depot:
        bench = await ready(depot, identity, station_version)

        answer = await words_of(depot).reset(True, evse)
        await bench.settled()

        assert answer["status"] == status
        assert all("evseId" in payload for payload in asked_of(bench, "Reset")) or (
            len(bench.station.evses) == 1
        )
        assert len(heard(depot.cloud, "BootNotification")) == 1
        assert is_blameless(depot.cloud, bench)


# Triggers.


@EACH_CLOUD
@pytest.mark.parametrize("message", ["Heartbeat", "StatusNotification"])
async def test_the_gateway_itself_tells_what_it_is_asked_to_tell(depot_of, cloud_version, message):
    async with depot_of(cloud_version) as depot:
        await ready(depot, "CP-01", "ocpp1.6")
        await depot.cloud.until(lambda: told(depot.cloud, 1) == "Available", 20)
        before = len(heard(depot.cloud, message))

        answer = await words_of(depot).trigger(message, 1)
        was_first = len(heard(depot.cloud, message)) == before
        await depot.cloud.until(lambda: len(heard(depot.cloud, message)) > before, 20)

        assert answer["status"] == "Accepted"
        assert was_first  # 1.6 §5.17, F06.FR.04
        assert is_blameless(depot.cloud)


@EACH_CLOUD
async def test_a_trigger_without_evse_means_every_one(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await ready(depot, "CP-01", "ocpp1.6")
        await depot.cloud.until(lambda: told(depot.cloud, 1) == "Available", 20)
        depot.cloud.heard.clear()

        await words_of(depot).trigger("StatusNotification")
        count = 4 if cloud_version == "ocpp1.6" else 3
        await depot.cloud.until(lambda: len(heard(depot.cloud, "StatusNotification")) == count, 20)

        key = "connectorId" if cloud_version == "ocpp1.6" else "evseId"
        numbers = [payload[key] for payload in heard(depot.cloud, "StatusNotification")]
        assert numbers == ([0, 1, 2, 3] if cloud_version == "ocpp1.6" else [1, 2, 3])
        assert is_blameless(depot.cloud)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_triggered_meter_values_come_from_the_station(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", station_version)
        await bench.charge(Car())
        bench.pass_time(5)
        await bench.settled()
        await depot.delivered()
        (transaction,) = depot.cloud.transactions
        before = len(transaction.readings)

        answer = await words_of(depot).trigger("MeterValues", 1)
        await depot.cloud.until(lambda: len(transaction.readings) > before, 20)

        assert answer["status"] == "Accepted"
        if cloud_version == "ocpp2.0.1":
            assert transaction.trigger_reasons[-1] == "Trigger"
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize("station_version", VERSIONS)
async def test_a_triggered_transaction_event_tells_the_charging_state(depot_of, station_version):
    async with depot_of("ocpp2.0.1") as depot:
        bench = await ready(depot, "CP-01", station_version)
        words = words_of(depot)
        nothing = await words.trigger("TransactionEvent", 1)
        await bench.charge(Car())
        bench.pass_time(5)
        await bench.settled()

        answer = await words.trigger("TransactionEvent")
        triggered = {"triggerReason": "Trigger"}
        await depot.cloud.until(lambda: heard(depot.cloud, "TransactionEvent", **triggered), 20)

        (event,) = heard(depot.cloud, "TransactionEvent", **triggered)
        assert (nothing["status"], answer["status"]) == ("Rejected", "Accepted")  # F06.FR.10
        assert event["transactionInfo"]["chargingState"] == "Charging"  # F06.FR.07
        assert event["meterValue"]
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_a_triggered_boot_is_for_clouds_that_have_not_accepted(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()

        answer = await words_of(depot).trigger("BootNotification")

        if cloud_version == "ocpp1.6":
            assert answer["status"] == "Accepted"
            await depot.cloud.until(lambda: len(heard(depot.cloud, "BootNotification")) == 2, 20)
        else:
            assert answer["status"] == "Rejected"  # F06.FR.17
        assert is_blameless(depot.cloud)


UNKNOWN_MESSAGES = {
    "ocpp1.6": ["DiagnosticsStatusNotification", "FirmwareStatusNotification"],
    "ocpp2.0.1": ["LogStatusNotification", "SignChargingStationCertificate"],
}


@EACH_CLOUD
async def test_what_the_gateway_never_tells_it_does_not_promise(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        words = words_of(depot)

        answers = [await words.trigger(message) for message in UNKNOWN_MESSAGES[cloud_version]]
        unknown_evse = await words.trigger("MeterValues", 77)

        assert [answer["status"] for answer in answers] == ["NotImplemented"] * 2  # F06.FR.08
        assert unknown_evse["status"] == "Rejected"
        assert is_blameless(depot.cloud)


# What cannot be done.


@EACH_CLOUD
async def test_an_unsupported_action_is_refused_as_such(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()

        with pytest.raises(CallRefused) as refused:
            await depot.cloud.call("CancelReservation", {"reservationId": 1})

        assert refused.value.code == "NotSupported"
        assert is_blameless(depot.cloud)


@EACH_CLOUD
async def test_data_of_an_unknown_vendor_is_refused_by_its_name(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()

        answer = await depot.cloud.call("DataTransfer", {"vendorId": "org.example"})

        assert answer == {"status": "UnknownVendorId"}  # 1.6 §4.3, P01.FR.06


@pytest.mark.parametrize("has_restarted", [False, True], ids=["it was away", "so was the gateway"])
@pytest.mark.parametrize("station_version", VERSIONS)
async def test_what_the_cloud_refused_is_stopped_when_its_station_returns(
    depot_of, station_version, has_restarted, monkeypatch
):
    """The station was away, or the gateway ended, before it could be told."""
    monkeypatch.setattr("gateway.arrivals.BOOT_GRACE_S", 0.01)
    async with depot_of("ocpp2.0.1") as depot:
        bench = await ready(depot, "CP-01", station_version)
        unknown = "AuthCtrlr.OfflineTxForUnknownIdEnabled"
        assert await words_of(depot).set(None, unknown, "true") == "Accepted"
        await depot.cloud.go_away()
        await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
        await bench.charge(Car(), token="STOLEN")
        bench.link.go_away()
        await depot.until(lambda: not depot.gateway.state.stations["CP-01"].is_connected)

        depot.cloud.behaviour.verdicts["STOLEN"] = "Blocked"
        await depot.cloud.come_back()
        await depot.registered()
        await depot.until(lambda: depot.gateway.parts.books.refused("CP-01"))
        if has_restarted:
            await depot.stop()
            await depot.start_again()
        bench.link.come_back()
        (transaction,) = depot.cloud.transactions
        await depot.cloud.until(lambda: not transaction.is_running, 20)

        assert transaction.stop_reason == "DeAuthorized"  # 1.6 §3.5.4
        assert transaction.stop_wh == bench.books[0].stop_wh
        assert is_blameless(depot.cloud, bench)
