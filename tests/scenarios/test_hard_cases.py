"""What goes wrong with transactions, on whole sites: the cloud's books stay true, and say so."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.operations import Caller
from gateway.simulation.cars import Car
from gateway.simulation.quirks import Quirks
from site_config.links import Role
from tests.scenarios.cloud_words import VERSIONS, heard, is_blameless, words_of
from tests.scenarios.conftest import PATIENCE_S

PAIRS = [
    pytest.param(station, cloud, id=f"station {station[4:]}, cloud {cloud[4:]}")
    for station in VERSIONS
    for cloud in VERSIONS
]


async def started_without_the_cloud(depot, version, verdict):
    """A car charges since an outage with a card the cloud now refuses."""
    bench = await depot.station("CP-01", version)
    await depot.registered()
    await bench.charge(Car())
    await bench.leave()
    await depot.delivered()
    await depot.cloud.go_away()
    await depot.until(lambda: not depot.gateway.state.cloud.is_connected)
    await bench.charge(Car())
    depot.cloud.behaviour.verdicts["CARD-1"] = verdict
    return bench


def lose_everything(bench):
    """The station's memory is gone: neither its transaction nor its queue is left."""
    bench.station.talk.closed(bench.clock.now)
    for message in bench.station.talk.pending:
        bench.station.talk._queue.remove(message)
    for evse_id, visit in bench.station.visits.items():
        bench.station.evses[evse_id].open_contactor(bench.clock.now)
        visit.transaction = visit.token = None
        visit.state = "Idle"
    bench.station.talk.forget_registration()
    bench.station.wants_reconnect = True
    bench.link.cut()


@pytest.mark.parametrize(("version", "cloud_version"), PAIRS)
async def test_transaction_a_station_has_forgotten_is_closed_as_an_estimate(
    depot_of, version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", version)
        await depot.registered()
        await bench.charge(Car())
        bench.pass_time(60)
        await bench.settled()
        last_wh = depot.gateway.parts.books.open_on("CP-01", 1).register_last_wh
        lose_everything(bench)
        bench.link.unplug(1)
        await bench.settled()
        bench.pass_time(1)
        await bench.settled()
        await depot.delivered()  # a CALL under way would seem to have taken ten minutes

        depot.clock.skipped_s += 601
        await depot.until(lambda: depot.evse("CP-01").transaction_id is None)
        await depot.delivered()

        (booked,) = depot.cloud.transactions
        assert not booked.is_running
        assert booked.stop_wh == last_wh
        assert booked.stop_reason in ("PowerLoss", "Other")
        (found,) = await depot.gateway.operations.transactions(None, None)
        assert found.is_estimated
        if cloud_version == "ocpp2.0.1":
            ended = heard(depot.cloud, "TransactionEvent", eventType="Ended")
            assert ended[0]["customData"] == {"vendorId": "site-gateway", "estimated": True}
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize(
    ("version", "cloud_version", "verdict"),
    [
        ("ocpp1.6", "ocpp1.6", "Blocked"),
        ("ocpp2.0.1", "ocpp1.6", "Expired"),
        ("ocpp1.6", "ocpp2.0.1", "Invalid"),
        ("ocpp2.0.1", "ocpp2.0.1", "NoCredit"),
    ],
)
async def test_C15_FR_04_token_refused_after_an_offline_start_stops_the_car(
    depot_of, version, cloud_version, verdict
):
    async with depot_of(cloud_version) as depot:
        bench = await started_without_the_cloud(depot, version, verdict)

        await depot.cloud.come_back()
        await depot.cloud.until(
            lambda: [booked.is_running for booked in depot.cloud.transactions] == [False, False],
            timeout_s=20,
        )

        booked = depot.cloud.transactions[1]
        assert booked.stop_reason == "DeAuthorized"
        if cloud_version == "ocpp2.0.1":
            assert booked.trigger_reasons[-1] == "Deauthorized"
        assert booked.stop_wh == bench.books[-1].stop_wh
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize(("version", "cloud_version"), PAIRS)
async def test_E05_FR_03_refused_token_may_take_its_last_energy_and_then_none(
    depot_of, version, cloud_version
):
    async with depot_of(cloud_version) as depot:
        words = words_of(depot)
        await depot.registered()
        for key, variable, value in (
            ("StopTransactionOnInvalidId", "TxCtrlr.StopTxOnInvalidId", "false"),
            ("MaxEnergyOnInvalidId", "TxCtrlr.MaxEnergyOnInvalidId", "500"),
        ):
            assert await words.set(key, variable, value) == "Accepted"
        bench = await started_without_the_cloud(depot, version, "Blocked")
        books = depot.gateway.parts.books

        await depot.cloud.come_back()
        await depot.registered()
        await depot.until(lambda: books.open_on("CP-01", 1).verdict == "Blocked")
        bench.pass_time(15)
        await bench.settled()
        assert depot.evse("CP-01").limited_by.rule != "not_authorized"
        assert bench.limit_a() >= 6
        async with asyncio.timeout(PATIENCE_S):
            while depot.evse("CP-01").limited_by.rule != "not_authorized":
                bench.pass_time(8)
                await bench.settled()
        await depot.until(lambda: bench.limit_a() == 0)
        bench.pass_time(3)
        await bench.settled()
        await depot.delivered()

        assert bench.station.visits[1].transaction is not None
        assert bench.station.visits[1].state == "SuspendedEVSE"
        if cloud_version == "ocpp2.0.1":
            assert depot.cloud.transactions[-1].charging_states[-1] == "SuspendedEVSE"
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize(("version", "cloud_version"), PAIRS)
async def test_register_that_begins_anew_in_mid_transaction_bills_what_was_delivered(
    depot_of, version, cloud_version
):
    """MicroOcpp goes on with its transaction after a restart, and counts from 0 again."""
    quirks = Quirks(keeps_transaction_on_restart=True, register_resets_on_restart=True)
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", version, quirks=quirks)
        await depot.registered()
        bench.station.evses[1].register_wh = 40_000.0
        await bench.charge(Car())
        bench.pass_time(120)
        await bench.settled()
        before_wh = depot.gateway.parts.books.open_on("CP-01", 1).register_last_wh

        bench.link.restart()
        await bench.until(lambda: bench.link.connections == 2)
        await bench.settled()
        bench.pass_time(120)
        await bench.leave()
        await depot.delivered()

        (book,), (booked,) = bench.books, depot.cloud.transactions
        assert 0 < book.stop_wh < before_wh
        assert booked.energy_wh == pytest.approx(before_wh - book.start_wh + book.stop_wh, abs=1)
        readings = [energy_wh for _, energy_wh in booked.readings]
        assert readings == sorted(readings)
        assert is_blameless(depot.cloud, bench)


async def test_verdict_against_the_cloud_s_own_list_is_reported(depot_of):
    async with depot_of("ocpp1.6") as depot:
        words = words_of(depot)
        await depot.registered()
        assert await words.send_list(1, {"CARD-1": "Accepted"}) == "Accepted"
        depot.cloud.behaviour.verdicts["CARD-1"] = "Blocked"
        bench = await depot.station("CP-01", "ocpp1.6")

        await bench.charge(Car())
        await depot.cloud.until(
            lambda: heard(depot.cloud, "StatusNotification", errorCode="LocalListConflict"),
            timeout_s=20,
        )

        (told,) = heard(depot.cloud, "StatusNotification", errorCode="LocalListConflict")
        assert told["connectorId"] == 0
        assert is_blameless(depot.cloud, bench)


async def test_cloud_with_one_number_for_all_stops_nobody_for_another(depot_of):
    """citrineos#172, and clouds that give 0."""
    async with depot_of("ocpp1.6") as depot:
        depot.cloud.behaviour.transaction_ids = lambda: itertools.repeat(0)
        words = words_of(depot)
        one = await depot.station("CP-01", "ocpp1.6")
        two = await depot.station("CP-02", "ocpp1.6")
        await depot.registered()
        await one.charge(Car(), token="A")
        await two.charge(Car(), token="B")
        await depot.delivered()

        booked = depot.cloud.transactions[0]
        assert (await words.stop(booked))["status"] == "Rejected"
        await two.leave("B")
        await depot.delivered()
        assert (await words.stop(booked))["status"] == "Accepted"
        await one.until(lambda: one.station.visits[1].transaction is None)
        await depot.cloud.until(
            lambda: not any(booked.is_running for booked in depot.cloud.transactions),
            timeout_s=20,
        )

        truth = sorted((book.id_token, book.stop_wh) for book in (*one.books, *two.books))
        told = sorted((booked.id_token, booked.stop_wh) for booked in depot.cloud.transactions)
        assert told == truth
        assert is_blameless(depot.cloud, one, two)


@pytest.mark.parametrize("ahead_s", [7200, -7200])
@pytest.mark.parametrize(("version", "cloud_version"), PAIRS[:1] + PAIRS[-1:])
async def test_station_whose_clock_is_wrong_is_billed_in_true_time(
    depot_of, version, cloud_version, ahead_s
):
    quirks = Quirks(clock_error_s=ahead_s, ignores_time=True)
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", version, quirks=quirks)
        await depot.set_up(bench)
        await depot.registered()
        for _ in range(2):
            await bench.charge(Car())
            for _ in range(6):
                bench.pass_time(10)
                await bench.settled()
            await bench.leave()
        await depot.delivered()

        book, booked = bench.books[1], depot.cloud.transactions[1]
        error = timedelta(seconds=ahead_s)
        assert abs((booked.started_at - (book.started_at - error)).total_seconds()) <= 15
        length_s = (book.ended_at - book.started_at).total_seconds()
        assert (booked.ended_at - booked.started_at).total_seconds() == length_s
        newest, *_ = await depot.gateway.operations.transactions(None, None)
        assert newest.started_told_at == book.started_at
        assert any("clock.wrong" in note for note in depot.gateway.state.stations["CP-01"].notes)
        assert depot.cloud.violations == []


async def test_machine_that_starts_in_1970_goes_on_from_its_last_instant(depot_of):
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car())
        await depot.stop()
        true, is_set = depot.clock.wall, asyncio.Event()
        never_set = datetime(1970, 1, 1, tzinfo=UTC)
        depot.clock.wall = lambda: true() if is_set.is_set() else never_set
        await depot.start_again()
        await bench.settled()
        bench.pass_time(30)
        await depot.until(lambda: "clock" in depot.gateway.state.problems)
        began_at = bench.books[0].started_at
        assert depot.gateway.wall_clock() >= began_at - timedelta(minutes=10)

        is_set.set()
        await depot.until(lambda: "clock" not in depot.gateway.state.problems)
        await bench.leave()
        await depot.registered()
        await depot.delivered()

        (booked,) = depot.cloud.transactions
        assert (booked.started_at, booked.stop_wh) == (began_at, bench.books[0].stop_wh)
        assert booked.ended_at > booked.started_at
        assert depot.cloud.violations == []


async def test_cloud_whose_clock_differs_from_ours_is_told_to_people(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        await depot.registered()
        assert "clock.cloud" not in depot.gateway.state.problems

        right = depot.clock.wall
        depot.cloud._wall_clock = lambda: right() + timedelta(hours=1)
        assert (await words_of(depot).trigger("Heartbeat"))["status"] == "Accepted"
        await depot.until(lambda: "clock.cloud" in depot.gateway.state.problems)

        assert "3600 s behind" in depot.gateway.state.problems["clock.cloud"]


async def test_start_refused_for_good_and_retried_by_a_person_gives_its_number_to_what_waits(
    depot_of,
):
    """1.6 errata 3.18: without a number the rest is told as -1, so that nothing is held up."""
    async with depot_of("ocpp1.6") as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.set_up(bench)
        await depot.registered()
        depot.cloud.behaviour.errors["StartTransaction"] = ["PropertyConstraintViolation"]
        await bench.charge(Car())
        await depot.until(lambda: depot.gateway.outbox.depth().quarantined == 1)
        bench.pass_time(70)
        await bench.settled()
        await depot.cloud.until(lambda: heard(depot.cloud, "MeterValues"), timeout_s=20)
        await depot.delivered()
        numbers = {values["transactionId"] for values in heard(depot.cloud, "MeterValues")}
        assert numbers == {-1}

        (row,) = await depot.gateway.operations.quarantined()
        operator = Caller("control-room", Role.OPERATOR)
        await depot.gateway.operations.release(row.row.id, is_retried=True, caller=operator)
        await depot.delivered()
        bench.pass_time(30)
        await bench.leave()
        await depot.delivered()

        (booked,) = depot.cloud.transactions
        (stop,) = heard(depot.cloud, "StopTransaction")
        assert stop["transactionId"] == int(booked.transaction_id)
        assert (booked.start_wh, booked.stop_wh) == (
            bench.books[0].start_wh,
            bench.books[0].stop_wh,
        )
        assert depot.gateway.outbox.depth().quarantined == 0
        assert depot.cloud.violations == []
        assert {complaint.rule for complaint in depot.cloud.complaints} <= {"unknown transaction"}


@pytest.mark.parametrize("is_edited", [False, True], ids=["retried", "mended and retried"])
async def test_what_a_person_sends_again_is_sayable_though_its_transaction_is_forgotten(
    depot_of, monkeypatch, is_edited
):
    monkeypatch.setattr("gateway.transaction_table.REMEMBERED", 0)
    async with depot_of("ocpp2.0.1") as depot:
        bench = await depot.station("CP-01", "ocpp2.0.1")
        await depot.registered()
        depot.cloud.behaviour.errors["TransactionEvent"] = ["PropertyConstraintViolation"]
        await bench.charge(Car())
        bench.pass_time(30)
        await bench.leave()
        await depot.delivered()
        operations, operator = depot.gateway.operations, Caller("control-room", Role.OPERATOR)
        (found,) = await operations.quarantined()
        row = found.row
        assert depot.gateway.parts.books.by_number(row.transaction) is None

        if is_edited:
            asked = {"event": None, "note": "wrong register", "caller": operator}
            await operations.edit(row.id, changes={"register_wh": 7}, **asked)
        await operations.release(row.id, is_retried=True, caller=operator)
        await depot.delivered()

        started = heard(depot.cloud, "TransactionEvent", eventType="Started")[-1]
        (booked,) = depot.cloud.transactions
        assert started["transactionInfo"]["transactionId"] == booked.transaction_id
        assert depot.gateway.outbox.depth() == (0, 0, None)


async def test_what_a_person_sends_again_leaves_at_once_though_nothing_else_happens(depot_of):
    async with depot_of("ocpp2.0.1") as depot:
        bench = await depot.station("CP-01", "ocpp2.0.1")
        await depot.registered()
        depot.cloud.behaviour.errors["TransactionEvent"] = ["PropertyConstraintViolation"]
        await bench.charge(Car())
        await bench.leave()
        await depot.delivered()
        operations, operator = depot.gateway.operations, Caller("control-room", Role.OPERATOR)
        (found,) = await operations.quarantined()

        async def commit(writes):
            await operations.commit(writes)
            for _ in range(50):  # whoever was woken by it has looked, and found nothing
                await asyncio.sleep(0)

        behind = replace(operations, commit=commit)
        await behind.release(found.row.id, is_retried=True, caller=operator)
        await depot.delivered()

        assert len(heard(depot.cloud, "TransactionEvent", eventType="Started")) == 2


async def test_start_refused_for_good_leaves_the_rest_to_a_2_0_1_cloud(depot_of):
    """2.0.1 names its transactions itself, so the rest says whose it is; seqNo shows the gap."""
    async with depot_of("ocpp2.0.1") as depot:
        bench = await depot.station("CP-01", "ocpp2.0.1")
        await depot.registered()
        depot.cloud.behaviour.errors["TransactionEvent"] = ["PropertyConstraintViolation"]
        await bench.charge(Car())
        bench.pass_time(30)
        await bench.leave()
        await depot.delivered()

        (row,) = await depot.gateway.operations.quarantined()
        (booked,) = depot.cloud.transactions
        assert row.row.event.event_type == "Started"
        assert booked.ended_at == bench.books[0].ended_at
        assert booked.stop_wh == bench.books[0].stop_wh
        assert booked.trigger_reasons[0] != "Authorized"
        assert depot.cloud.violations == []


@pytest.mark.parametrize("told", ["-1", "0", "4711"])
@pytest.mark.parametrize("cloud_version", VERSIONS)
async def test_queue_of_a_station_under_a_foreign_number_is_billed_once(
    depot_of, cloud_version, told
):
    """A station that was away tells its samples and its stop late, with no number of ours."""
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-02", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car(), token="A", evse_id=1)
        await bench.charge(Car(), token="B", evse_id=2)
        bench.link.go_away()
        await bench.until(lambda: not bench.station.talk.is_connected)
        for book in bench.books:
            book.transaction_id = told
        bench.pass_time(300)
        for evse_id, token in ((1, "A"), (2, "B")):
            bench.link.present(evse_id, token)
            bench.link.unplug(evse_id)
        bench.link.come_back()
        await bench.settled()
        await depot.delivered()

        truth = sorted((book.id_token, book.start_wh, book.stop_wh) for book in bench.books)
        billed = sorted((b.id_token, b.start_wh, b.stop_wh) for b in depot.cloud.transactions)
        assert billed == truth
        assert depot.gateway.outbox.depth().quarantined == 0
        assert is_blameless(depot.cloud, bench)


@pytest.mark.parametrize("cloud_version", VERSIONS)
async def test_transaction_of_a_station_that_left_the_site_file_is_closed_at_the_next_start(
    depot_of, cloud_version
):
    async with depot_of(cloud_version) as depot:
        bench = await depot.station("CP-01", "ocpp1.6")
        await depot.registered()
        await bench.charge(Car())
        await depot.delivered()
        await depot.stop()

        others = {name: one for name, one in depot.site.stations.items() if name != "CP-01"}
        depot.site = depot.site.model_copy(update={"stations": others})
        await depot.start_again()
        await depot.cloud.until(lambda: not depot.cloud.transactions[0].is_running, timeout_s=20)

        (booked,) = depot.cloud.transactions
        (found,) = await depot.gateway.operations.transactions(None, None)
        assert found.is_estimated
        assert (booked.stop_reason, booked.stop_wh) == ("Other", found.register_last_wh)
        assert is_blameless(depot.cloud)


async def test_station_away_and_silent_for_days_ends_its_transaction(depot_of):
    csms = {"listen": "127.0.0.1:0", "close_silent_after_s": 86_400}
    async with depot_of("ocpp2.0.1", csms=csms) as depot:
        bench = await depot.station("CP-01", "ocpp2.0.1")
        await depot.registered()
        await bench.charge(Car())
        bench.link.go_away()
        await depot.until(lambda: not depot.gateway.state.stations["CP-01"].is_connected)

        depot.clock.now += 86_300
        depot.clock.skipped_s += 700
        await depot.registered()
        assert depot.evse("CP-01").transaction_id is not None
        depot.clock.now += 200
        await depot.cloud.until(lambda: not depot.cloud.transactions[0].is_running, timeout_s=20)

        assert depot.cloud.transactions[0].stop_reason == "Other"
        assert depot.evse("CP-01").transaction_id is None
        assert is_blameless(depot.cloud)
