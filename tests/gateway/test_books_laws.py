"""Whatever stations do, and however often the power goes: the laws of the books."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events import (
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    TransactionChanged,
)
from gateway.kept import Kept
from gateway.slots import SlotTable
from gateway.transactions import TransactionBooks
from gateway.writes import Enqueue, SaveSetting, SaveTransaction
from site_config.model import Site

T0 = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
STARTED, UPDATED, ENDED = EventType.STARTED, EventType.UPDATED, EventType.ENDED
SITE = Site.model_validate(
    {
        "site": {"id": "s", "name": "S"},
        "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "S"},
        "circuits": {"grid": {"rating_a": 100}},
        "stations": {
            name: {"circuit": "grid", "safe_current_a": 6, "evses": {1: {}, 2: {}}} for name in "AB"
        },
    }
)


class Disk:
    """What survives; a commit is all or nothing."""

    def __init__(self) -> None:
        self.transactions = {}
        self.settings = {}
        self.rows = []
        self.next_row_id = 1

    def commit(self, writes) -> None:
        for write in writes:
            match write:
                case SaveTransaction(transaction):
                    self.transactions[transaction.number] = transaction
                case SaveSetting(key):
                    self.settings[key] = write
                case Enqueue(row):
                    self.rows.append(row)
                    self.next_row_id = row.id + 1

    def books(self) -> TransactionBooks:
        kept = Kept(
            running=tuple(self.transactions.values()),
            next_transaction_number=max(self.transactions, default=0) + 1,
            next_row_id=self.next_row_id,
            settings=tuple(self.settings.values()),
        )
        return TransactionBooks(SlotTable(SITE), kept, iter(map(str, range(10**6))).__next__)


instants = st.integers(0, 50).map(lambda seconds: T0 + timedelta(seconds=seconds))
energies = st.integers(0, 10**6)
values = st.builds(
    lambda at, energy: (MeterValue(at, (SampledValue(str(energy)),)),), instants, energies
)
tokens = st.sampled_from([IdToken("CARD1"), IdToken("CARD2")])
evses = st.sampled_from([1, 2])
any_numbers = st.sampled_from(["-1", "0", "1", "2", "3", "4", "99"])
ids = st.sampled_from(["x", "y", "z"])

v16_events = st.one_of(
    st.builds(
        lambda at, evse, token, energy: TransactionChanged(
            STARTED,
            at,
            None,
            "Authorized",
            0,
            evse_id=evse,
            connector_id=1,
            id_token=token,
            register_wh=energy,
        ),
        instants,
        evses,
        tokens,
        energies,
    ),
    st.builds(
        lambda at, number, token, energy: TransactionChanged(
            ENDED, at, number, "StopAuthorized", 0, id_token=token, register_wh=energy
        ),
        instants,
        any_numbers,
        st.none() | tokens,
        energies,
    ),
    st.builds(
        lambda evse, value, number: MetersSampled(evse, 1, value, number),
        st.integers(0, 2),
        values,
        st.none() | any_numbers,
    ),
)
v201_events = st.one_of(
    st.builds(
        lambda kind, at, name, evse, value, token: TransactionChanged(
            kind,
            at,
            name,
            "Trigger",
            0,
            evse_id=evse,
            meter_values=value,
            id_token=token,
        ),
        st.sampled_from(EventType),
        instants,
        ids,
        st.none() | evses,
        st.just(()) | values,
        st.none() | tokens,
    ),
    st.builds(lambda evse, value: MetersSampled(evse, 1, value), evses, values),
)
steps = st.lists(
    st.tuples(
        st.tuples(st.just("A"), st.just("ocpp1.6"), v16_events)
        | st.tuples(st.just("B"), st.just("ocpp2.0.1"), v201_events),
        st.sampled_from(["ok", "ok", "ok", "twice", "disk full", "power cut", "answer lost"]),
    ),
    max_size=30,
)


def play(told) -> Disk:
    disk = Disk()
    books = disk.books()

    def hear(station_id, version, event, *, is_stored=True):
        outcome = books.apply(station_id, version, event, now_utc=T0, is_cloud_connected=True)
        if is_stored:
            disk.commit(outcome.writes)
            books.accept(outcome)
        return outcome

    for step, fate in told:
        if fate == "disk full":
            hear(*step, is_stored=False)
        first = hear(*step)
        if fate == "power cut":
            books = disk.books()
        if fate in {"twice", "power cut", "answer lost"}:
            rows = len(disk.rows)
            again = hear(*step)
            assert len(disk.rows) == rows, "a repeated event made a row"
            if first.transaction is not None and again.transaction is not None:
                assert again.transaction.number == first.transaction.number
    return disk


@settings(max_examples=150, deadline=None)
@given(steps)
def test_each_transaction_is_one_started_first_and_at_most_one_ended_last(told):
    disk = play(told)

    by_transaction: dict[int, list[EventType]] = {}
    for row in disk.rows:
        if row.transaction is not None:
            by_transaction.setdefault(row.transaction, []).append(row.event.event_type)
    assert by_transaction.keys() == disk.transactions.keys()
    for number, kinds in by_transaction.items():
        is_ended = disk.transactions[number].ended_at is not None
        body = kinds[1:-1] if is_ended else kinds[1:]
        assert kinds[0] is STARTED
        assert set(body) <= {UPDATED}
        assert (kinds[-1] is ENDED) is is_ended


@settings(max_examples=100, deadline=None)
@given(steps)
def test_numbers_row_ids_and_lanes_are_kept_in_order_and_never_shared(told):
    disk = play(told)

    ids = [row.id for row in disk.rows]
    assert ids == sorted(set(ids))
    for number, transaction in disk.transactions.items():
        lanes = {row.lane for row in disk.rows if row.transaction == number}
        assert lanes == {f"evse/{transaction.cloud_evse}"}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(energies, st.lists(st.integers(0, 500), max_size=4)), max_size=6),
    st.sampled_from(["ocpp1.6", "ocpp2.0.1"]),
)
def test_energies_upward_are_the_stations_own_to_the_watt_hour(transactions, version):
    disk = Disk()
    books = disk.books()
    at = T0
    expected = []
    for name, (begin_wh, steps_wh) in enumerate(transactions):
        register = begin_wh
        template = TransactionChanged(
            STARTED, at, str(name), "Authorized", 0, evse_id=1, id_token=IdToken("C")
        )
        if version == "ocpp1.6":
            template = replace(template, transaction_id=None, register_wh=begin_wh)
        else:
            sampled = MeterValue(at, (SampledValue(str(begin_wh), context="Transaction.Begin"),))
            template = replace(template, meter_values=(sampled,))
        words = [template]
        for step_wh in steps_wh:
            register += step_wh
            at += timedelta(seconds=10)
            sampled = MeterValue(at, (SampledValue(f"{register / 1000:.3f}", unit="kWh"),))
            words.append(MetersSampled(1, 1, (sampled,)))
        at += timedelta(seconds=10)
        ended = TransactionChanged(ENDED, at, str(name), "StopAuthorized", 0, evse_id=1)
        number = len(disk.transactions) + 1
        if version == "ocpp1.6":
            ended = replace(ended, transaction_id=str(number), register_wh=register)
        words.append(ended)
        at += timedelta(seconds=10)
        expected.append((begin_wh, register))
        for word in words:
            outcome = books.apply("A", version, word, now_utc=at, is_cloud_connected=True)
            disk.commit(outcome.writes)
            books.accept(outcome)

    told = [
        (found.register_start_wh, found.register_last_wh) for found in disk.transactions.values()
    ]
    assert told == expected
