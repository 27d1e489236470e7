"""What became of a row is known after it is gone from the outbox, and bounded."""

import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta

import pytest

from gateway.adapters import store_file, store_journeys
from gateway.adapters.store import open_store
from gateway.events import EventType, MetersSampled, MeterValue, SampledValue, TransactionChanged
from gateway.journey import StepState
from gateway.records import OutboxRow, QuarantineEdit, Transaction
from gateway.writes import (
    Confirm,
    CountAttempt,
    EditQuarantined,
    Enqueue,
    ForgetJourneys,
    MarkSent,
    Quarantine,
    Release,
    SaveTransaction,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def saved(number=7):
    return SaveTransaction(Transaction(number, f"u-{number}", "CP-01", 1, 1, 3, NOON, "7"))


def sampled(row_id, **fields):
    event = MetersSampled(3, 1, (MeterValue(at(row_id), (SampledValue("1"),)),))
    return Enqueue(OutboxRow(row_id, "evse/3", event, 7, at(row_id), **fields))


def started(row_id):
    event = TransactionChanged(EventType.STARTED, at(-1), None, "Authorized", 0, evse_id=3)
    return Enqueue(
        OutboxRow(row_id, "evse/3", event, 7, NOON, is_offline=True, station_message_id="station-1")
    )


@asynccontextmanager
async def opened(path):
    store = await open_store(path)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path / "gateway.db") as store:
        yield store


async def steps(store, number=7):
    return (await store.journey(number)).steps


async def test_a_row_is_followed_from_the_stations_message_to_the_clouds_answer(store):
    await store.commit([saved(), started(1)])
    (waiting,) = await steps(store)
    await store.commit([MarkSent((1,), "cloud-1", b"{}", "ocpp1.6", 7, 1, at=at(2))])
    (sent,) = await steps(store)
    await store.commit([CountAttempt(1, 1), Confirm((1,), at(3))])

    (confirmed,) = await steps(store)

    assert (waiting.state, waiting.kind, waiting.occurred_at) == ("waiting", "Started", at(-1))
    assert (waiting.station_message_id, waiting.received_at) == ("station-1", NOON)
    assert (sent.state, sent.message_id, sent.sent_at) == ("sent", "cloud-1", at(2))
    assert (confirmed.state, confirmed.settled_at) == (StepState.CONFIRMED, at(3))
    assert (confirmed.message_id, confirmed.sent_at) == ("cloud-1", at(2))
    assert (confirmed.station_message_id, confirmed.attempts) == ("station-1", 1)
    assert confirmed.is_offline
    assert await store.read_lane("evse/3", 0, 9) == []


async def test_rows_that_travelled_together_tell_with_which(store):
    await store.commit([saved(), *(sampled(n, station_message_id=f"s-{n}") for n in (1, 2, 3))])
    await store.commit([MarkSent((1, 2, 3), "cloud-1", b"{}", "ocpp1.6", 7, 0, at=at(9))])
    await store.commit([Confirm((1, 2, 3), at(10))])

    found = await steps(store)

    assert [step.sent_with for step in found] == [None, 1, 1]
    assert {step.message_id for step in found} == {"cloud-1"}
    assert {step.sent_at for step in found} == {at(9)}
    assert [step.station_message_id for step in found] == ["s-1", "s-2", "s-3"]


async def test_confirming_twice_changes_nothing(store):
    await store.commit([saved(), sampled(1), Confirm((1,), at(1))])
    await store.commit([Confirm((1,), at(2))])

    assert [step.settled_at for step in await steps(store)] == [at(1)]


async def test_quarantine_and_what_a_person_decides_are_part_of_the_way(store):
    await store.commit([saved(), sampled(1), sampled(2)])
    await store.commit([Quarantine(n, at(5), "FormatViolation", "why") for n in (1, 2)])
    (first, _) = await steps(store)
    await store.commit([Release(1, is_retried=False, at=at(6), by="tablet")])
    await store.commit([Release(2, is_retried=True, at=at(6), by="tablet")])

    given_up, again = await steps(store)

    assert (first.state, first.settled_at) == ("quarantined", at(5))
    assert first.note == "FormatViolation why"
    assert (given_up.state, given_up.note) == ("discarded", "by tablet: FormatViolation")
    assert given_up.settled_at == at(6)
    assert (again.state, again.kind, again.occurred_at) == ("waiting", "MeterValues", at(2))


async def test_the_newest_are_kept_and_those_that_come_make_the_old_ones_go(store, monkeypatch):
    monkeypatch.setattr(store_journeys, "KEPT_ROWS", 10)
    monkeypatch.setattr(store_journeys, "FORGOTTEN_EVERY", 5)
    await store.commit([saved(), *(sampled(n) for n in range(1, 41))])
    for n in range(1, 41):
        await store.commit([Confirm((n,), at(n))])

    assert [step.row_id for step in await steps(store)] == list(range(31, 41))


async def test_what_was_settled_long_ago_is_forgotten_some_at_a_time(store, monkeypatch):
    monkeypatch.setattr(store_journeys, "FORGOTTEN_AT_ONCE", 3)
    await store.commit([saved(), *(sampled(n) for n in range(1, 11))])
    await store.commit([Confirm((n,), at(n)) for n in range(1, 11)])

    await store.commit([ForgetJourneys(at(6))])
    after_one = [step.row_id for step in await steps(store)]
    await store.commit([ForgetJourneys(at(6))])

    assert after_one == list(range(4, 11))
    assert [step.row_id for step in await steps(store)] == list(range(6, 11))


async def test_there_is_no_journey_of_a_transaction_that_never_was(store):
    assert await store.journey(99) is None


async def test_the_journey_outlives_a_restart(tmp_path):
    path = tmp_path / "gateway.db"
    async with opened(path) as store:
        await store.commit([saved(), started(1), Confirm((1,), at(1))])

    async with opened(path) as store:
        assert [step.state for step in await steps(store)] == ["confirmed"]


def test_a_journey_is_found_without_reading_the_whole_outbox():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        store_file.prepare(connection)
        query = f"EXPLAIN QUERY PLAN {store_journeys._STEPS}"
        plan = [row[3] for row in connection.execute(query, (7, "evse/3", "site", 9))]

    assert any("outbox USING INDEX outbox_by_lane" in line for line in plan), plan
    assert any("journeys USING INDEX journeys_by_transaction" in line for line in plan), plan


async def test_an_edit_changes_the_row_and_keeps_what_it_said_with_who_changed_it(store):
    event = sampled(1).row.event
    mended = MetersSampled(3, 1, (MeterValue(at(1), (SampledValue("2"),)),))
    await store.commit([saved(), sampled(1), Quarantine(1, at(2), "FormatViolation", "")])

    await store.commit([EditQuarantined(1, mended, "tablet", at(3), "typing error")])
    await store.commit([EditQuarantined(99, mended, "tablet", at(3), "there is none")])

    (found,) = await store.quarantined()
    assert found.row.event == mended
    assert await store.quarantine_edits(1) == [
        QuarantineEdit(1, at(3), "tablet", "typing error", event, mended)
    ]
    assert await store.quarantine_edits(99) == []
    await store.commit([Release(1, is_retried=True)])
    assert [row.event for row in await store.read_lane("evse/3", 0, 9)] == [mended]
    assert len(await store.quarantine_edits(1)) == 1
