"""The books: what a station's word means, told in the vendors' own ways."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.closings import BOOTED, FREE
from gateway.events import (
    AuthorizationStatus,
    ChargingState,
    ConnectorStatus,
    EventType,
    IdToken,
    IdTokenInfo,
    MetersSampled,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    StatusChanged,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.outcomes import OnRefusal, Outcome
from gateway.records import OutboxRow, Transaction
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks
from gateway.writes import Enqueue, MarkSent, SaveSetting, SaveTransaction, SetAside
from site_config.model import Site

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
V16, V201 = "ocpp1.6", "ocpp2.0.1"
CARD = IdToken("CARD1", "ISO14443")
STARTED, UPDATED, ENDED = EventType.STARTED, EventType.UPDATED, EventType.ENDED


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a_site() -> Site:
    """A has one EVSE, B two; upstream 1, 2, 3."""
    station = {"circuit": "grid", "safe_current_a": 6}
    return Site.model_validate(
        {
            "site": {"id": "s", "name": "S"},
            "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
            "circuits": {"grid": {"rating_a": 100}},
            "stations": {
                "A": {**station, "evses": {1: {}}},
                "B": {**station, "evses": {1: {}, 2: {}}},
            },
        }
    )


class Desk:
    """A gateway without sockets: stores into lists, may fail, may be restarted."""

    def __init__(self) -> None:
        self.slots = SlotTable(a_site())
        self.transactions: dict[int, Transaction] = {}
        self.settings: dict[str, SaveSetting] = {}
        self.rows: list[OutboxRow] = []
        self.asides: list[SetAside] = []
        self.notes: list[str] = []
        self.restart()

    def restart(self, *, delivered: bool = False) -> None:
        """Start from the disk; `delivered`: the cloud has all rows, ended transactions are gone."""
        running = tuple(
            transaction
            for transaction in self.transactions.values()
            if transaction.ended_at is None or not delivered
        )
        kept = Kept(
            running=running,
            next_transaction_number=max(self.transactions, default=0) + 1,
            next_row_id=max((row.id for row in self.rows), default=0) + 1,
            settings=tuple(self.settings.values()),
        )
        self.books = TransactionBooks(self.slots, kept, _uuids(len(self.transactions)))

    def hear(
        self, event, station_id: str = "A", version: str = V16, *, connected: bool = True
    ) -> Outcome:
        outcome = self.books.apply(
            station_id, version, event, now_utc=at(1000), is_cloud_connected=connected
        )
        self.store(outcome)
        return outcome

    def store(self, outcome: Outcome) -> None:
        for write in outcome.writes:
            match write:
                case SaveTransaction(transaction):
                    self.transactions[transaction.number] = transaction
                case SaveSetting(key):
                    self.settings[key] = write
                case Enqueue(row):
                    self.rows.append(row)
                case SetAside():
                    self.asides.append(write)
        self.books.accept(outcome)
        self.notes += outcome.notes

    def told(self, cloud_evse: int = 1) -> list[EventType | str]:
        return [
            row.event.event_type if isinstance(row.event, TransactionChanged) else "meters"
            for row in self.rows
            if row.lane == f"evse/{cloud_evse}"
        ]

    def last(self) -> TransactionChanged:
        event = self.rows[-1].event
        assert isinstance(event, TransactionChanged)
        return event


def _uuids(begin: int):
    def numbers() -> Iterator[str]:
        number = begin
        while True:
            number += 1
            yield f"00000000-0000-4000-8000-{number:012d}"

    return numbers().__next__


def start(seconds: float = 0, register_wh: float = 0, evse: int = 1, token: IdToken = CARD):
    return TransactionChanged(
        STARTED,
        at(seconds),
        None,
        "Authorized",
        0,
        evse_id=evse,
        connector_id=1,
        id_token=token,
        register_wh=register_wh,
    )


def stop(number: object, seconds: float = 60, register_wh: float = 25, **more):
    more = {"stopped_reason": "Local", "id_token": CARD, **more}
    return TransactionChanged(
        ENDED, at(seconds), str(number), "StopAuthorized", 0, register_wh=register_wh, **more
    )


def energy(seconds: float, value: str, context: str = "Sample.Periodic", **more):
    more = {"unit": "Wh", "context": context, **more}
    return MeterValue(at(seconds), (SampledValue(value, **more),))


def meters(transaction_id: object, seconds: float, value: str, evse: int = 1, **more):
    told = None if transaction_id is None else str(transaction_id)
    return MetersSampled(evse, 1, (energy(seconds, value, **more),), told)


def status(state: ChargingState | None, seconds: float | None, evse: int = 1) -> StatusChanged:
    when = None if seconds is None else at(seconds)
    return StatusChanged(evse, 1, ConnectorStatus.OCCUPIED, when, state)


def event(event_type: EventType, seconds: float, trigger: str, seq_no: int = 0, **more):
    return TransactionChanged(
        event_type, at(seconds), more.pop("transaction_id", "754A2AB3"), trigger, seq_no, **more
    )


# Stations that are given numbers (1.6).


def test_transaction_is_one_started_its_meter_values_and_one_ended():
    desk = Desk()

    number = desk.hear(start(0, 100)).transaction.number
    desk.hear(meters(number, 10, "106"))
    ended = desk.hear(stop(number, 60, 125)).transaction

    assert desk.told() == [STARTED, UPDATED, ENDED]
    assert [row.transaction for row in desk.rows] == [number] * 3
    assert [row.event.evse_id for row in desk.rows] == [1, 1, 1]
    assert (ended.register_start_wh, ended.register_last_wh) == (100, 125)
    assert ended.ended_at == at(60)


def test_numbers_and_uuids_are_never_given_twice():
    desk = Desk()
    given = [desk.hear(start(n, n, evse), "B").transaction for n in range(4) for evse in (1, 2)]
    desk.restart()
    given += [desk.hear(start(9, 9, evse), "B").transaction for evse in (1, 2)]

    assert len({transaction.number for transaction in given}) == 10
    assert len({transaction.uuid for transaction in given}) == 10
    assert all(0 < transaction.number < 2**31 for transaction in given)


def test_repeated_start_gets_the_same_number_and_no_second_row():
    desk = Desk()
    first = desk.hear(start())

    again = desk.hear(start())
    desk.restart()
    after_restart = desk.hear(start())

    assert {again.transaction.number, after_restart.transaction.number} == {
        first.transaction.number
    }
    assert again.is_duplicate
    assert after_restart.is_duplicate
    assert desk.told() == [STARTED]


def shifted(event, by_s: float):
    """The same word of a station whose clock is corrected, by more the later it arrives."""
    by = timedelta(seconds=by_s)
    values = tuple(replace(value, at=value.at + by) for value in event.meter_values)
    event = replace(event, meter_values=values, clock_shift_s=by_s)
    return event if isinstance(event, MetersSampled) else replace(event, at=event.at + by)


@pytest.mark.parametrize("version", [V16, V201])
def test_repeated_word_is_one_row_though_its_clock_is_corrected_by_another_second(version):
    desk = Desk()
    name = None if version == V16 else "754A2AB3"
    started = replace(start(register_wh=100), transaction_id=name)
    number = desk.hear(shifted(started, 3600), version=version).transaction.number
    desk.hear(shifted(meters(number, 10, "106"), 3600), version=version)

    again = desk.hear(shifted(started, 3607), version=version)
    desk.hear(shifted(meters(number, 10, "106"), 3607), version=version)
    desk.restart()
    desk.hear(shifted(meters(number, 10, "106"), 3609), version=version)
    desk.hear(shifted(started, 3609), version=version)

    assert again.is_duplicate
    assert again.transaction.number == number
    assert desk.told() == [STARTED, UPDATED]
    kept = desk.transactions[number]
    assert (kept.started_at, kept.started_told_at) == (at(3600), at(0))


def test_who_could_not_store_must_be_asked_again_and_answers_as_for_the_first_time():
    desk = Desk()
    desk.books.apply("A", V16, start(), now_utc=at(0), is_cloud_connected=True)  # the disk is full

    again = desk.hear(start())

    assert not again.is_duplicate
    assert desk.told() == [STARTED]
    assert desk.books.running() == (again.transaction,)


def test_end_that_could_not_be_stored_leaves_the_transaction_running():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    desk.books.apply("A", V16, stop(number), now_utc=at(0), is_cloud_connected=True)

    assert desk.books.open_on("A", 1).ended_at is None
    assert not desk.hear(stop(number)).is_duplicate
    assert desk.told() == [STARTED, ENDED]


def test_start_over_an_open_transaction_closes_it_with_the_last_register():
    desk = Desk()
    lost = desk.hear(start(0, 100)).transaction
    desk.hear(meters(lost.number, 10, "140"))

    desk.hear(start(900, 150))

    assert desk.told() == [STARTED, UPDATED, ENDED, STARTED]
    closing = desk.rows[2].event
    assert (closing.register_wh, closing.stopped_reason) == (140, "Other")
    assert closing.trigger_reason == "AbnormalCondition"
    assert desk.transactions[lost.number].ended_at == at(10), "the time of that register"
    assert desk.transactions[lost.number].is_estimated
    assert closing.is_estimated
    assert desk.books.open_on("A", 1).number != lost.number
    assert any("transaction.closed_by_rule" in note for note in desk.notes)


def test_real_end_after_an_end_by_rule_waits_for_a_person_and_the_cloud_hears_one_end():
    desk = Desk()
    lost = desk.hear(start(0, 100)).transaction
    desk.hear(meters(lost.number, 10, "140"))
    desk.hear(start(900, 150))

    late = desk.hear(stop(lost.number, 300, 145))
    again = desk.hear(stop(lost.number, 300, 145))
    desk.restart()
    after_restart = desk.hear(stop(lost.number, 301, 145))

    assert desk.told() == [STARTED, UPDATED, ENDED, STARTED]
    (aside,) = desk.asides
    assert (aside.code, aside.row.transaction) == ("EndedByRule", lost.number)
    assert aside.row.event.register_wh == 145
    assert "with 140.0 Wh" in aside.description
    assert "145" in aside.description
    assert late.is_duplicate and again.is_duplicate and after_restart.is_duplicate
    kept = desk.transactions[lost.number]
    assert (kept.register_last_wh, kept.ended_told_at) == (140, at(300))
    assert any("transaction.ended_twice" in note and "late_wh=145" in note for note in desk.notes)


def test_close_by_rule_of_what_has_ended_meanwhile_does_nothing():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    desk.hear(stop(number))

    outcome = desk.books.close_by_rule(number, FREE, now_utc=at(900), is_cloud_connected=True)

    assert outcome.writes == ()


def test_transaction_of_which_nothing_was_heard_ends_as_it_began():
    desk = Desk()
    number = desk.hear(start(5, 100)).transaction.number

    desk.store(desk.books.close_by_rule(number, BOOTED, now_utc=at(900), is_cloud_connected=True))

    ended = desk.last()
    assert (ended.at, ended.register_wh, ended.stopped_reason) == (at(5), 100, "PowerLoss")
    assert ended.is_estimated


def test_late_start_of_an_earlier_transaction_does_not_close_a_later_one():
    desk = Desk()
    later = desk.hear(start(500)).transaction

    earlier = desk.hear(start(0)).transaction
    desk.hear(stop(earlier.number, 400))

    assert desk.told() == [STARTED, STARTED, ENDED]
    assert desk.books.running() == (later,)


@pytest.mark.parametrize("told", ["-1", "0", "424242", "", "x"])
def test_stop_under_a_foreign_number_ends_what_runs_with_its_token(told):
    desk = Desk()
    desk.hear(start(0, 0, 1, IdToken("OTHER")), "B")
    mine = desk.hear(start(0, 0, 2), "B").transaction

    outcome = desk.hear(stop(told), "B")

    assert outcome.transaction.number == mine.number
    assert desk.told(3) == [STARTED, ENDED]
    assert desk.told(2) == [STARTED]


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(stop("-1", -60), id="older than what runs"),
        pytest.param(stop("424242", id_token=IdToken("OTHER")), id="several could be meant"),
    ],
)
def test_stop_nobody_knows_is_noted_and_not_sent_upward(unknown):
    desk = Desk()
    desk.hear(start(0, 0, 1), "B")
    desk.hear(start(0, 0, 2, IdToken("CARD2")), "B")

    outcome = desk.hear(unknown, "B")

    assert outcome.transaction is None
    assert outcome.rows == ()
    assert any("transaction.unknown" in note for note in outcome.notes)
    assert len(desk.books.running()) == 2


def test_stop_nobody_knows_is_kept_once_for_a_person():
    desk = Desk()

    desk.hear(stop("-1", register_wh=77_000))
    desk.restart()
    desk.hear(stop("-1", register_wh=77_000))
    desk.hear(start(200))

    (aside,) = desk.asides
    assert (aside.code, aside.row.transaction, aside.row.lane) == (
        "UnknownTransaction",
        None,
        "station",
    )
    assert aside.row.event.register_wh == 77_000
    assert "77000.0 Wh" in aside.description or "77000 Wh" in aside.description
    assert desk.told() == [STARTED]


def test_repeated_stop_makes_no_second_row_even_when_all_is_delivered_and_forgotten():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    other = desk.hear(start(0, 0, 2), "B").transaction
    desk.hear(stop(number))

    again = desk.hear(stop(number))
    desk.restart(delivered=True)
    forgotten = desk.hear(stop(number))
    late = desk.hear(stop(number, 61), "B")

    assert again.is_duplicate
    assert forgotten.is_duplicate
    assert desk.told() == [STARTED, ENDED]
    assert late.rows == ()
    assert desk.books.running() == (other,)


def test_stop_is_believed_though_its_clock_was_behind():
    desk = Desk()
    number = desk.hear(start(100)).transaction.number

    desk.hear(stop(number, 40))

    assert desk.last().at == at(40)
    assert any("ended_before_start" in note for note in desk.notes)


@pytest.mark.parametrize("told", [None, "0", "-1", "424242"])
def test_meter_values_without_the_number_belong_to_what_runs_on_the_connector(told):
    desk = Desk()
    running = desk.hear(start()).transaction

    desk.hear(meters(told, 10, "12"))

    assert desk.told() == [STARTED, UPDATED]
    assert desk.rows[-1].transaction == running.number
    assert desk.books.open_on("A", 1).register_last_wh == 12


@pytest.mark.parametrize(
    ("context", "trigger"),
    [
        ("Sample.Periodic", "MeterValuePeriodic"),
        ("Sample.Clock", "MeterValueClock"),
        ("Trigger", "Trigger"),
    ],
)
def test_meter_values_say_why_they_were_sampled(context, trigger):
    desk = Desk()
    number = desk.hear(start()).transaction.number

    desk.hear(meters(number, 10, "12", context=context))

    assert desk.last().trigger_reason == trigger
    assert desk.last().at == at(10)


def test_meter_values_outside_a_transaction_stay_meter_values():
    desk = Desk()

    desk.hear(meters(None, 0, "12", evse=2), "B")

    assert desk.told(3) == ["meters"]
    assert desk.rows[0].event.evse_id == 3
    assert desk.rows[0].transaction is None


def test_main_meter_of_a_station_is_not_the_site_s():
    desk = Desk()
    desk.hear(start())

    outcome = desk.hear(meters(1, 10, "12", evse=0))

    assert outcome.rows == ()
    assert any("meters.kept_here" in note for note in outcome.notes)


def test_meter_values_after_the_end_are_kept_and_the_end_stays_the_last_event():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    desk.hear(stop(number))

    desk.hear(meters(number, 70, "30"))

    assert desk.told() == [STARTED, ENDED, "meters"]
    assert desk.transactions[number].register_last_wh == 25


def test_repeated_meter_values_are_one_row_also_after_a_restart():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    desk.hear(meters(number, 10, "12"))

    desk.hear(meters(number, 10, "12"))
    desk.restart(delivered=True)
    desk.hear(meters(number, 10, "12"))
    desk.hear(meters(number, 20, "12"))

    assert desk.told() == [STARTED, UPDATED, UPDATED]


def test_what_did_nothing_may_be_heard_again():
    desk = Desk()
    desk.hear(meters(None, 10, "12", evse=7))
    desk.restart()

    assert not desk.hear(meters(None, 10, "12", evse=7)).is_duplicate
    assert desk.rows == []


def test_other_values_at_the_same_instant_are_another_event():
    desk = Desk()
    desk.hear(meters(None, 10, "12"))
    desk.hear(meters(None, 10, "13"))

    assert desk.told() == ["meters", "meters"]


def test_older_event_told_again_is_known_after_a_restart_too():
    desk = Desk()
    for seconds in (10, 20, 10):
        desk.hear(meters(None, seconds, "12"))

    desk.restart()
    desk.hear(meters(None, 10, "12"))

    assert desk.told() == ["meters", "meters"]


def test_charging_state_of_a_status_is_news_of_the_transaction_once():
    desk = Desk()
    desk.hear(start())

    for state, seconds in [
        (ChargingState.CHARGING, 991),
        (ChargingState.CHARGING, 992),
        (ChargingState.SUSPENDED_EV, 993),
        (ChargingState.IDLE, 994),
        (None, 995),
    ]:
        desk.hear(status(state, seconds))

    states = [row.event.charging_state for row in desk.rows]
    assert states == [
        ChargingState.EV_CONNECTED,
        ChargingState.CHARGING,
        ChargingState.SUSPENDED_EV,
    ]
    assert desk.last().trigger_reason == "ChargingStateChanged"


def test_stale_status_told_after_a_reconnect_says_nothing_of_a_younger_transaction():
    desk = Desk()
    desk.hear(start(100))

    outcome = desk.hear(status(ChargingState.CHARGING, 50))

    assert outcome.rows == ()


def test_status_that_was_kept_through_an_outage_is_known_here_and_not_told_of_this_transaction():
    """MicroOcpp 1.6 after a reconnect: all statuses, then the Stop and the Start between them."""
    desk = Desk()
    number = desk.hear(start()).transaction.number

    outcome = desk.hear(status(ChargingState.CHARGING, 985))

    assert outcome.rows == ()
    assert desk.books.by_number(number).charging_state is ChargingState.CHARGING


def test_status_without_a_time_is_of_now():
    desk = Desk()
    desk.hear(start())

    desk.hear(status(ChargingState.CHARGING, None))

    assert desk.last().at == at(1000)


def registers(desk: Desk) -> list[str]:
    return [
        sample.value
        for row in desk.rows
        for value in row.event.meter_values
        for sample in value.samples
    ]


def test_register_that_begins_again_at_zero_is_billed_on_from_where_it_was():
    """MicroOcpp 1.6 after a restart: meterStart 43, then 6, meterStop 8."""
    desk = Desk()
    number = desk.hear(start(0, 43)).transaction.number
    desk.hear(meters(number, 2, "45"))

    desk.hear(meters(number, 12, "6"))
    desk.restart()
    desk.hear(stop(number, 14, 8))

    ended = desk.transactions[number]
    assert desk.last().register_wh == 53
    assert (ended.register_last_wh, ended.register_offset_wh) == (53, 45)
    assert [float(value) for value in registers(desk)] == [45, 51]
    assert any(
        "register.restarted" in note and "from_wh=45" in note and "to_wh=6" in note
        for note in desk.notes
    )


def test_register_that_jumps_back_bills_nothing_for_it():
    desk = Desk()
    number = desk.hear(start(0, 100_000)).transaction.number
    desk.hear(meters(number, 10, "100500"))

    desk.hear(meters(number, 20, "100200"))
    desk.hear(stop(number, 30, 100_300))

    assert desk.last().register_wh == 100_600
    assert any("register.fell" in note for note in desk.notes)


def test_values_that_a_station_kept_do_not_turn_the_register_back():
    desk = Desk()
    number = desk.hear(start(0, 1000)).transaction.number
    desk.hear(meters(number, 20, "1100"))

    desk.hear(meters(number, 10, "1050"))
    desk.hear(stop(number, 30, 1200))

    assert registers(desk) == ["1100", "1050"]
    assert desk.last().register_wh == 1200
    assert desk.notes == []


def test_signed_values_stay_as_the_meter_signed_them():
    desk = Desk()
    number = desk.hear(start(0, 1000)).transaction.number
    desk.hear(meters(number, 2, "1045"))

    desk.hear(meters(number, 12, "6", signed={"signedMeterData": "OCMF|…"}))

    assert registers(desk) == ["1045", "6"]
    assert desk.books.open_on("A", 1).register_last_wh == 1051


def test_stop_counts_in_wh_though_samples_are_kwh():
    """Solidstudio: samples "0.15003" kWh, meterStop 1234 Wh."""
    desk = Desk()
    number = desk.hear(start()).transaction.number

    desk.hear(meters(number, 15, "0.15003", unit="kWh"))
    assert desk.books.open_on("A", 1).register_last_wh == 150.03
    desk.hear(stop(number, 17, 1234))

    assert desk.last().register_wh == 1234


def test_offline_start_says_so():
    desk = Desk()

    desk.hear(start(), connected=False)

    assert desk.rows[0].is_offline
    assert desk.last().is_offline


def test_evse_that_the_site_file_does_not_name_is_refused():
    desk = Desk()

    outcome = desk.hear(start(0, 0, 7))

    assert outcome.is_refused
    assert outcome.writes == ()
    assert desk.books.running() == ()


# Stations with their own ids (2.0.1).


def test_station_ids_may_collide_between_stations():
    desk = Desk()

    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), "A", V201)
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), "B", V201)

    assert len({transaction.uuid for transaction in desk.books.running()}) == 2


def test_evse_is_named_once_and_the_register_may_be_missing_at_the_end():
    """MicroOcpp 2.0.1: Started without meter value, Ended with neither meter value nor reason."""
    desk = Desk()
    desk.hear(event(STARTED, 0, "CablePluggedIn", 0, evse_id=2, id_token=CARD), "B", V201)
    for number, value in enumerate(["5", "11", "33"], 1):
        sampled = (energy(2 * number, value),)
        desk.hear(
            event(UPDATED, 2 * number, "MeterValuePeriodic", number, meter_values=sampled),
            "B",
            V201,
        )
    desk.hear(event(ENDED, 14, "StopAuthorized", 4), "B", V201)

    assert desk.told(3) == [STARTED, UPDATED, UPDATED, UPDATED, ENDED]
    transaction = desk.transactions[1]
    assert (transaction.register_start_wh, transaction.register_last_wh) == (5, 33)
    assert {row.event.evse_id for row in desk.rows} == {3}
    assert {row.event.seq_no for row in desk.rows} == {0}


def test_events_with_the_same_seq_no_are_different_events():
    """Solidstudio 2.0.1: every TransactionEvent has seqNo 0."""
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)
    for seconds in (15, 30):
        desk.hear(event(UPDATED, seconds, "MeterValuePeriodic"), version=V201)
    desk.hear(event(UPDATED, 30, "ChargingStateChanged"), version=V201)

    assert desk.told() == [STARTED, UPDATED, UPDATED, UPDATED]


@pytest.mark.parametrize("event_type", [STARTED, UPDATED, ENDED])
def test_repeated_event_is_one_row_though_it_now_says_offline(event_type):
    desk = Desk()
    if event_type is not STARTED:
        desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)
    once = event(event_type, 5, "Authorized", 1, evse_id=1)
    desk.hear(once, version=V201)
    rows = len(desk.rows)

    outcome = desk.hear(replace(once, is_offline=True), version=V201)
    desk.restart(delivered=True)
    desk.hear(once, version=V201)

    assert outcome.is_duplicate
    assert outcome.transaction.number == 1
    assert len(desk.rows) == rows


def test_second_end_is_answered_and_not_told():
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)
    desk.hear(event(ENDED, 9, "StopAuthorized", 1), version=V201)

    outcome = desk.hear(event(ENDED, 10, "EVDeparted", 2), version=V201)

    assert outcome.is_duplicate
    assert desk.told() == [STARTED, ENDED]


@pytest.mark.parametrize(("event_type", "told"), [(UPDATED, UPDATED), (ENDED, ENDED)])
def test_lost_start_is_made_up_from_what_is_known(event_type, told):
    desk = Desk()
    begin_and_end = (energy(0, "0", "Transaction.Begin"), energy(60, "15", "Transaction.End"))

    desk.hear(
        event(event_type, 60, "StopAuthorized", 1, id_token=CARD, meter_values=begin_and_end),
        version=V201,
    )

    assert desk.told() == [STARTED, told]
    started = desk.rows[0].event
    assert (started.at, started.register_wh, started.id_token) == (at(0), 0, CARD)
    assert any("start_made_up" in note for note in desk.notes)


def test_register_at_the_start_may_be_told_at_the_end():
    """SAP 2.0.1: Ended carries the samples of Transaction.Begin and of Transaction.End."""
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)
    begin_and_end = (energy(0, "7", "Transaction.Begin"), energy(60, "15", "Transaction.End"))

    desk.hear(event(ENDED, 60, "StopAuthorized", 1, meter_values=begin_and_end), version=V201)

    ended = desk.transactions[1]
    assert (ended.register_start_wh, ended.register_last_wh) == (7, 15)


def test_start_that_comes_after_its_update_is_news_and_no_second_start():
    desk = Desk()
    desk.hear(event(UPDATED, 10, "MeterValuePeriodic", 1, evse_id=1), version=V201)

    desk.hear(event(STARTED, 0, "Authorized", 0, evse_id=1, id_token=CARD), version=V201)

    assert desk.told() == [STARTED, UPDATED, UPDATED]
    assert desk.books.open_on("A", 1).id_token == CARD


def test_update_of_nobody_knows_which_evse_is_noted():
    desk = Desk()

    outcome = desk.hear(event(UPDATED, 0, "MeterValuePeriodic"), "B", V201)

    assert outcome.rows == ()
    assert any("transaction.unknown" in note for note in outcome.notes)


def test_late_update_keeps_its_meter_values_and_the_end_stays_the_last_event():
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)
    desk.hear(event(ENDED, 60, "StopAuthorized", 2), version=V201)

    late = event(UPDATED, 30, "MeterValuePeriodic", 1, meter_values=(energy(30, "9"),))
    desk.hear(late, version=V201)

    assert desk.told() == [STARTED, ENDED, "meters"]
    assert desk.rows[-1].event.meter_values[0].at == at(30)


def test_station_that_uses_an_id_again_begins_a_new_transaction():
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)
    desk.hear(event(ENDED, 60, "StopAuthorized"), version=V201)

    desk.hear(event(STARTED, 90, "Authorized", evse_id=1), version=V201)
    desk.hear(event(ENDED, 99, "StopAuthorized"), version=V201)

    assert desk.told() == [STARTED, ENDED, STARTED, ENDED]
    assert len({row.transaction for row in desk.rows}) == 2


def test_stand_alone_meter_values_of_a_2_0_1_station_belong_to_what_runs():
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1), version=V201)

    desk.hear(meters(None, 5, "7"), version=V201)

    assert desk.told() == [STARTED, UPDATED]


def test_token_of_another_type_in_authorize_is_the_same_token():
    """SAP 2.0.1: Local in Authorize, ISO14443 in TransactionEvent."""
    assert IdToken("SAPTAG000", "Local").key == IdToken("saptag000", "ISO14443").key


# What the cloud says.


def accepted(desk: Desk, number: int, *, again: bool = False, cloud_number: int | None = 7):
    info = IdTokenInfo(AuthorizationStatus.ACCEPTED)
    return judged(desk, number, info, again=again, cloud_number=cloud_number)


def judged(desk, number, info, *, again=False, cloud_number=7):
    outcome = desk.books.cloud_answered_start(number, cloud_number, info, is_retransmission=again)
    desk.store(outcome)
    return outcome


def test_cloud_number_is_learnt_and_kept():
    desk = Desk()
    number = desk.hear(start()).transaction.number

    outcome = accepted(desk, number)
    desk.restart()

    assert outcome.stop is None
    assert desk.books.by_cloud_number(7).number == number
    assert desk.books.find("7") == desk.books.find(outcome.transaction.uuid)
    assert desk.books.running_on("A", 1).ids == {"7", outcome.transaction.uuid}
    assert desk.books.by_number(number).verdict is AuthorizationStatus.ACCEPTED


@pytest.mark.parametrize("cloud_number", [0, -1, -7, 1, 2**31 - 1])
def test_number_a_cloud_gives_twice_never_stops_another_car(cloud_number):
    """citrineos#172: transactionId is always 1."""
    desk = Desk()
    old = desk.hear(start(0, 0, 1), "B").transaction.number
    new = desk.hear(start(0, 0, 2), "B").transaction.number
    for number in (old, new):
        accepted(desk, number, cloud_number=cloud_number)

    assert desk.books.find(str(cloud_number)) is None, "whose it is, nobody can say"
    desk.hear(stop(new), "B")
    assert desk.books.find(str(cloud_number)).number == old


def test_number_a_cloud_gives_twice_means_the_newest_of_an_evse():
    desk = Desk()
    old = desk.hear(start(500, 0, 1), "B").transaction.number
    new = desk.hear(start(0, 0, 1), "B").transaction.number
    for number in (old, new):
        accepted(desk, number, cloud_number=1)

    assert desk.books.find("1").number == new


@pytest.mark.parametrize(
    ("status_word", "again", "must_stop"),
    [
        (AuthorizationStatus.INVALID, False, True),
        (AuthorizationStatus.BLOCKED, True, True),
        (AuthorizationStatus.CONCURRENT_TX, False, True),
        pytest.param(
            AuthorizationStatus.CONCURRENT_TX, True, False, id="c4.4 against its own first copy"
        ),
    ],
)
def test_refused_token_of_a_running_transaction_must_be_stopped(status_word, again, must_stop):
    desk = Desk()
    number = desk.hear(start()).transaction.number

    outcome = judged(desk, number, IdTokenInfo(status_word), again=again)

    assert (outcome.stop is not None) is must_stop
    assert [found.number for found in desk.books.refused("A")] == ([number] if must_stop else [])
    assert desk.books.refused("B") == ()


@pytest.mark.parametrize(
    ("policy", "taken_wh", "is_held", "must_stop"),
    [
        pytest.param(OnRefusal(), 0, True, True, id="it must stop, and takes nothing meanwhile"),
        pytest.param(OnRefusal(energy_wh=500), 0, True, True, id="energy is for who need not stop"),
        pytest.param(OnRefusal(must_stop=False), 0, True, False, id="no energy at all"),
        pytest.param(OnRefusal(False, 500), 499, False, False, id="E05.FR.03: some is left"),
        pytest.param(OnRefusal(False, 500), 500, True, False, id="E05.FR.02: it is spent"),
    ],
)
def test_refused_transaction_takes_what_the_cloud_allows_from_the_refusal_on(
    policy, taken_wh, is_held, must_stop
):
    desk = Desk()
    desk.books.on_refusal = policy
    number = desk.hear(start(0, 1000)).transaction.number
    desk.hear(meters(number, 10, "1200"))
    assert not desk.books.is_held("A", 1)
    refused = IdTokenInfo(AuthorizationStatus.BLOCKED)

    outcome = desk.books.cloud_answered_start(number, 7, refused, is_retransmission=False)
    desk.store(outcome)
    desk.hear(meters(number, 20, str(1200 + taken_wh)))
    desk.restart()
    desk.books.on_refusal = policy

    assert (outcome.stop is not None) is must_stop
    assert desk.books.is_held("A", 1) is is_held
    assert bool(desk.books.refused("A")) is must_stop


def test_energy_that_nobody_measures_is_not_given_after_a_refusal():
    desk = Desk()
    desk.books.on_refusal = OnRefusal(False, 500)
    number = desk.hear(event(STARTED, 0, "Authorized", evse_id=1, id_token=CARD), "A", V201)
    refused = IdTokenInfo(AuthorizationStatus.BLOCKED)

    desk.store(
        desk.books.cloud_answered_event(
            number.transaction.number, CARD, refused, is_retransmission=False
        )
    )

    assert desk.books.is_held("A", 1)


def test_stop_we_asked_for_is_deauthorized_upward():
    """1.6 §3.5.4: the station says Remote, the cloud must hear DeAuthorized."""
    desk = Desk()
    number = desk.hear(start()).transaction.number
    judged(desk, number, IdTokenInfo(AuthorizationStatus.INVALID))
    desk.restart()

    desk.hear(stop(number, stopped_reason="Remote"))

    assert (desk.last().stopped_reason, desk.last().trigger_reason) == (
        "DeAuthorized",
        "Deauthorized",
    )


def test_stop_we_asked_a_2_0_1_station_for_is_deauthorized_though_it_names_no_reason():
    desk = Desk()
    desk.hear(event(STARTED, 0, "Authorized", evse_id=1, id_token=CARD), version=V201)
    judged(desk, 1, IdTokenInfo(AuthorizationStatus.BLOCKED))

    desk.hear(event(ENDED, 9, "RemoteStop", 1), version=V201)

    assert desk.last().stopped_reason == "DeAuthorized"


def test_stop_the_cloud_asked_for_stays_remote():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    accepted(desk, number)

    desk.hear(stop(number, stopped_reason="Remote"))

    assert desk.last().stopped_reason == "Remote"


@pytest.mark.parametrize(
    ("is_asked", "status", "told"),
    [
        pytest.param(False, AuthorizationStatus.ACCEPTED, "Local", id="1.6 §6.49: omitted"),
        pytest.param(True, AuthorizationStatus.ACCEPTED, "Remote", id="it was asked to"),
        pytest.param(True, AuthorizationStatus.INVALID, "DeAuthorized", id="and its token refused"),
    ],
)
def test_a_stop_without_a_reason_has_that_for_which_it_was_asked(is_asked, status, told):
    desk = Desk()
    number = desk.hear(start()).transaction.number
    judged(desk, number, IdTokenInfo(status))
    if is_asked:
        desk.books.remote.stop_asked(number)

    ended = desk.hear(stop(number, stopped_reason=None)).transaction

    assert (ended.stopped_reason, desk.last().stopped_reason) == (told, told)
    assert desk.books.remote.stops == frozenset()


def test_refusal_after_the_end_stops_nothing():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    desk.hear(stop(number))

    assert judged(desk, number, IdTokenInfo(AuthorizationStatus.INVALID)).stop is None


def test_refusal_of_another_token_than_the_transaction_s_own_stops_nothing():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    invalid = IdTokenInfo(AuthorizationStatus.INVALID)

    other = desk.books.cloud_answered_event(
        number, IdToken("OTHER"), invalid, is_retransmission=False
    )
    own = desk.books.cloud_answered_event(
        number, IdToken("card1", "Local"), invalid, is_retransmission=False
    )

    assert other.stop is None
    assert own.stop is not None


def test_seq_no_given_while_a_commit_was_under_way_is_not_taken_back():
    desk = Desk()
    number = desk.hear(start()).transaction.number
    outcome = desk.books.apply(
        "A", V16, meters(number, 10, "12"), now_utc=at(10), is_cloud_connected=True
    )

    desk.books.stored([MarkSent((1,), "m", b"{}", V201, number, 1)])
    desk.books.accept(outcome)

    assert desk.books.by_number(number).next_seq_no == 1


@pytest.mark.parametrize("version", [V16, V201])
def test_started_after_a_remote_start_carries_its_id(version):
    desk = Desk()
    desk.books.remote.start_asked("A", None, 77, CARD, now_utc=at(990))
    begin = start() if version == V16 else event(STARTED, 0, "CablePluggedIn", evse_id=1)

    outcome = desk.hear(begin, version=version)

    assert outcome.is_remote
    assert outcome.transaction.remote_start_id == 77
    assert (desk.last().trigger_reason, desk.last().remote_start_id) == ("RemoteStart", 77)
    assert not desk.books.remote.is_token_expected("A", CARD, at(991))


def test_F01_FR_25_remote_start_of_a_car_already_plugged_in_is_told_in_its_next_event():
    desk = Desk()
    desk.hear(event(STARTED, 0, "CablePluggedIn", evse_id=1), version=V201)
    desk.books.remote.start_asked("A", 1, 77, CARD, now_utc=at(990))

    told = event(UPDATED, 9, "RemoteStart", 1, id_token=CARD, remote_start_id=77)
    outcome = desk.hear(told, version=V201)

    assert outcome.is_remote
    assert outcome.transaction.remote_start_id == 77
    assert desk.last().remote_start_id == 77
    assert not desk.books.remote.is_token_expected("A", CARD, at(991))


def test_remote_start_the_station_refused_is_not_expected():
    desk = Desk()
    desk.books.remote.start_asked("A", 1, 77, CARD, now_utc=at(990))

    desk.books.remote.start_refused("A", 1)

    assert not desk.books.remote.is_token_expected("A", CARD, at(991))
    assert not desk.hear(start()).is_remote


@pytest.mark.parametrize(
    ("asked_at", "token"),
    [
        pytest.param(at(900), CARD, id="too long ago"),
        pytest.param(at(990), IdToken("APP1"), id="another token"),
    ],
)
def test_other_start_is_not_taken_for_the_remote_one(asked_at, token):
    desk = Desk()
    desk.books.remote.start_asked("A", 1, 77, token, now_utc=asked_at)

    outcome = desk.hear(start())

    assert not outcome.is_remote
    assert desk.last().remote_start_id is None


def test_security_event_names_its_station_and_fits():
    desk = Desk()

    outcome = desk.books.security_event(
        "A",
        SecurityEventOccurred("TamperDetectionActivated", at(0), "x" * 255),
        now_utc=at(0),
        is_cloud_connected=False,
    )

    (row,) = outcome.rows
    assert row.lane == "station"
    assert row.is_offline
    assert row.event.tech_info.startswith("A: xxx")
    assert len(row.event.tech_info) == 255


def security(seconds: float, tech_info: str | None = "port 22") -> SecurityEventOccurred:
    return SecurityEventOccurred("TamperDetectionActivated", at(seconds), tech_info)


def tell(desk: Desk, occurred: SecurityEventOccurred, station_id: str, seconds: float) -> None:
    desk.store(
        desk.books.security_event(
            station_id, occurred, now_utc=at(seconds), is_cloud_connected=True
        )
    )


def test_storm_of_one_security_event_is_told_once_a_minute_and_counted():
    desk = Desk()

    for seconds in range(100):
        tell(desk, security(seconds), "A", seconds)
    tell(desk, security(0), "B", 100)
    tell(desk, security(100, "port 23"), "A", 100)

    assert [row.event.tech_info for row in desk.rows] == [
        "A: port 22",
        "A: (59 more of these) port 22",
        "B: port 22",
        "A: port 23",
    ]


def test_security_event_repeated_for_want_of_our_answer_is_one():
    desk = Desk()

    tell(desk, security(0), "A", 0)
    tell(desk, security(0), "A", 3600)

    assert len(desk.rows) == 1


def test_security_event_that_could_not_be_stored_is_not_taken_for_a_storm():
    desk = Desk()
    desk.books.security_event("A", security(0), now_utc=at(0), is_cloud_connected=True)

    tell(desk, security(0), "A", 1)

    assert len(desk.rows) == 1


def test_delivered_transactions_are_found_for_a_while_and_running_ones_for_ever(monkeypatch):
    monkeypatch.setattr("gateway.transaction_table.REMEMBERED", 2)
    desk = Desk()
    for seconds in range(0, 50, 10):
        number = desk.hear(start(seconds)).transaction.number
        desk.hear(stop(number, seconds + 5))
    running = desk.hear(start(99)).transaction.number

    for number in range(1, running + 1):
        desk.books.delivered(number)

    known = [number for number in range(1, running + 1) if desk.books.by_number(number)]
    assert known == [4, 5, 6]
    assert desk.books.by_uuid(desk.transactions[1].uuid) is None


def test_a_2_0_1_transaction_id_is_the_same_in_capitals():
    desk = Desk()
    begun = desk.hear(
        event(STARTED, 0, "CablePluggedIn", transaction_id="tx-a", evse_id=1), version=V201
    )
    more = desk.hear(event(UPDATED, 5, "Trigger", transaction_id="TX-A", evse_id=1), version=V201)

    assert more.transaction.number == begun.transaction.number
    assert desk.books.find(begun.transaction.uuid.upper()) == more.transaction
