"""The cloud starts, limits and stops charging, in every pair of versions."""

import pytest

from gateway.simulation.cars import Car
from tests.scenarios.cloud_words import VERSIONS, heard, is_blameless, words_of

PAIRS = [
    pytest.param(station, cloud, id=f"station {station[4:]}, cloud {cloud[4:]}")
    for station in VERSIONS
    for cloud in VERSIONS
]
EACH_CLOUD = pytest.mark.parametrize("cloud_version", VERSIONS)


async def ready(depot, identity, version, **settings):
    """Connect a station, set up, at a cloud that has accepted the site."""
    bench = await depot.station(identity, version, **settings)
    await depot.registered()
    await depot.set_up(bench)
    return bench


async def plugged(depot, bench, evse_id=1, **car):
    """Plug a car in; return once the gateway knows."""
    bench.link.plug_in(evse_id, Car(**car))
    await bench.settled()
    identity = bench.station.settings.identity
    await depot.until(lambda: depot.evse(identity, evse_id).status == "Occupied")


async def limited(depot, bench, limit_a, evse_id=1):
    """Wait until the station itself allows its car this; the balancer's time runs faster."""

    def is_limited():
        depot.clock.skipped_s += 0.1  # at every look: a rise takes ten seconds
        return bench.limit_a(evse_id) == limit_a

    await depot.until(is_limited)


async def booked(depot, evse):
    """Wait for the transaction the cloud knows on an EVSE, and return it."""

    def found():
        return [t for t in depot.cloud.transactions if t.is_running and t.evse_id == evse]

    await depot.cloud.until(found, 20)
    return found()[0]


# Starting and stopping.


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_remote_start_and_stop_are_told_as_such(depot_of, station_version, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-02", station_version)
        words = words_of(depot)
        await plugged(depot, bench, evse_id=2)

        accepted = await words.start("APP-1", 3)
        transaction = await booked(depot, 3)
        bench.pass_time(60)
        await bench.settled()
        stopped = await words.stop(transaction)
        await depot.cloud.until(lambda: not transaction.is_running, 20)
        await depot.delivered()

        (book,) = bench.books
        assert (accepted["status"], stopped["status"]) == ("Accepted", "Accepted")
        assert (transaction.id_token, transaction.stop_reason) == ("APP-1", "Remote")
        assert (transaction.start_wh, transaction.stop_wh) == (book.start_wh, book.stop_wh)
        assert heard(depot.cloud, "Authorize") == []  # the cloud itself has asked
        if cloud_version == "ocpp2.0.1":
            assert transaction.remote_start_id == 42
            assert transaction.trigger_reasons[0] == "RemoteStart"  # F01.FR.19
            assert transaction.trigger_reasons[-1] == "RemoteStop"  # F03.FR.03
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_a_remote_start_of_no_evse_finds_the_car_that_waits(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        one = await ready(depot, "CP-01", "ocpp1.6")
        two = await ready(depot, "CP-02", "ocpp2.0.1")
        await depot.until(lambda: depot.evse("CP-01").status == "Available")
        await plugged(depot, two, evse_id=2)

        answer = await words_of(depot).start("APP-1")

        assert answer["status"] == "Accepted"
        assert (await booked(depot, 3)).id_token == "APP-1"
        assert one.books == []
        assert is_blameless(depot.cloud, one, two)


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_a_car_may_come_after_its_remote_start(depot_of, station_version, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", station_version)
        words = words_of(depot)
        await depot.until(lambda: depot.evse("CP-01").status == "Available")
        profile = words.profile(8.0, "TxProfile", number=7)

        assert (await words.start("APP-1", 1, profile))["status"] == "Accepted"
        assert (await words.start("APP-2", 1))["status"] == "Rejected"
        bench.link.plug_in(1, Car())
        transaction = await booked(depot, 1)
        bench.pass_time(5)
        await limited(depot, bench, 8.0)

        assert transaction.id_token == "APP-1"
        if cloud_version == "ocpp2.0.1":
            assert transaction.trigger_reasons[0] == "RemoteStart"  # F02.FR.21
            assert transaction.remote_start_id == 42
        bench.link.unplug(1)
        await bench.settled()
        await depot.delivered()
        bench.pass_time(1)
        await bench.charge(Car(), token="CARD-9")
        await limited(depot, bench, 32.0)  # the profile was the other transaction's
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_what_cannot_be_started_or_stopped_is_rejected(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", "ocpp1.6")
        words = words_of(depot)
        await bench.charge(Car())
        transaction = await booked(depot, 1)

        answers = {
            "no such EVSE": await words.start("APP-1", 77),
            "busy": await words.start("APP-1", 1),
            "its station is away": await words.start("APP-1", 2),
            "none is free": await words.start("APP-1"),
            "no TxProfile": await words.start("APP-1", 1, words.profile(8.0)),
            "no such transaction": await words.stop_unknown(),
        }
        bench.link.go_away()
        await depot.until(lambda: not depot.gateway.state.stations["CP-01"].is_connected)
        answers["stop while it is away"] = await words.stop(transaction)

        assert {why for why, answer in answers.items() if answer["status"] != "Rejected"} == set()
        assert transaction.is_running
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_a_silent_station_costs_the_cloud_only_a_moment(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", "ocpp1.6")
        words = words_of(depot)
        depot.gateway.stations.answer_timeout_s = 0.05
        bench.station.talk.receive = lambda text, now: None  # the line is up, nobody is there

        answers = [
            (await words.start("APP-1", 1))["status"],
            (await words.unlock(1))["status"],
            (await words.trigger("MeterValues", 1))["status"],
            (await words.make(False, 1))["status"],
        ]

        assert answers == ["Rejected", "UnlockFailed", "Rejected", "Scheduled"]
        assert is_blameless(depot.cloud)


async def test_a_start_button_transaction_is_authorized_by_a_remote_start(depot_of):
    """F01.FR.13, F01.FR.25: a transaction that has begun with the cable is named and taken over."""
    async with depot_of("ocpp2.0.1") as depot:
        settings = {"TxCtrlr.TxStartPoint": "EVConnected"}
        bench = await ready(depot, "CP-01", "ocpp2.0.1", settings=settings)
        words = words_of(depot)
        bench.link.plug_in(1, Car())
        await bench.settled()
        transaction = await booked(depot, 1)

        answer = await words.start("APP-1", 1, words.profile(7.0, "TxProfile"))
        await depot.cloud.until(lambda: transaction.remote_start_id, 20)
        bench.pass_time(5)
        await limited(depot, bench, 7.0)

        assert answer == {"status": "Accepted", "transactionId": transaction.transaction_id}
        assert (transaction.remote_start_id, transaction.id_token) == (42, "APP-1")
        assert is_blameless(depot.cloud, bench)


# Limits.


@pytest.mark.parametrize(("station_version", "cloud_version"), PAIRS)
async def test_profiles_of_the_cloud_limit_an_evse_until_they_are_cleared(
    depot_of, station_version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", station_version)
        words = words_of(depot)
        await bench.charge(Car(max_current_a=32))
        transaction = await booked(depot, 1)

        default = await words.set_profile(1, words.profile(12.0, number=1))
        await limited(depot, bench, 12.0)
        own = words.profile(9.0, "TxProfile", number=2, booked=transaction)
        set_own = await words.set_profile(1, own)
        await limited(depot, bench, 9.0)
        watts = words.profile(6900.0, "TxProfile", number=2, booked=transaction, unit="W")
        set_watts = await words.set_profile(1, watts)
        await limited(depot, bench, 10.0)
        cleared = [await words.clear_profile(2), await words.clear_profile(1)]
        await limited(depot, bench, 32.0)
        gone = await words.clear_profile(1)

        assert {a["status"] for a in (default, set_own, set_watts, *cleared)} == {"Accepted"}
        assert gone["status"] == "Unknown"
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_the_maximum_of_the_site_is_shared_by_its_cars(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        one = await ready(depot, "CP-01", "ocpp1.6")
        two = await ready(depot, "CP-02", "ocpp2.0.1")
        words = words_of(depot)
        await one.charge(Car(max_current_a=32))
        await two.charge(Car(max_current_a=32), token="CARD-2")

        maximum = words.profile(20.0, "ChargingStationMaxProfile", number=5)
        on_site = await words.set_profile(0, maximum)
        on_evse = await words.set_profile(1, maximum)
        await limited(depot, one, 10.0)
        await limited(depot, two, 10.0)

        assert (on_site["status"], on_evse["status"]) == ("Accepted", "Rejected")
        assert is_blameless(depot.cloud, one, two)


@EACH_CLOUD
async def test_composite_schedules_tell_what_may_be_expected(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        bench = await ready(depot, "CP-01", "ocpp1.6")
        words = words_of(depot)
        await bench.charge(Car(max_current_a=32))
        steps = words.profile(9.0, number=1)
        schedule = steps["chargingSchedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        began_s = (depot.clock.wall().timestamp() - 1767225600) // 1  # since LONG_AGO
        schedule["chargingSchedulePeriod"].append({"startPeriod": int(began_s) + 600, "limit": 14})
        await words.set_profile(1, steps)
        await words.set_profile(0, words.profile(40.0, "ChargingStationMaxProfile", number=2))

        schedules = {
            (evse, unit): await words.composite(evse, unit)
            for evse in (0, 1, 77)
            for unit in ("A", "W")
        }

        def limits(evse, unit):
            status, schedule = schedules[evse, unit]
            assert (status, schedule["chargingRateUnit"]) == ("Accepted", unit)
            return [period["limit"] for period in schedule["chargingSchedulePeriod"]]

        assert (limits(0, "A"), limits(0, "W")) == ([40.0], [27600.0])
        assert (limits(1, "A"), limits(1, "W")) == ([9.0, 14.0], [6210.0, 9660.0])
        assert schedules[77, "A"] == schedules[77, "W"] == ("Rejected", None)
        assert is_blameless(depot.cloud, bench)


@EACH_CLOUD
async def test_profiles_outlive_a_restart_of_the_gateway(depot_of, cloud_version):
    async with depot_of(cloud_version) as depot:
        await depot.registered()
        words = words_of(depot)
        await words.set_profile(1, words.profile(11.0))
        await depot.stop()
        await depot.start()
        await depot.registered()

        bench = await ready(depot, "CP-01", "ocpp2.0.1")
        await bench.charge(Car(max_current_a=32))

        await limited(depot, bench, 11.0)
        assert is_blameless(depot.cloud, bench)
