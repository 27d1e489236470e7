"""Which meter values go, in the specification's order, and which never do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import (
    ChargingState,
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.records import OutboxRow
from gateway.thinning import LaneThinning, may_go

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLAIN = SampledValue("16.0", "Current.Import", "L1", unit="A")
SIGNED = PLAIN._replace(signed={"signedMeterData": "AQID"})


def values(*samples):
    return (MeterValue(NOON, samples or (PLAIN,)),)


def sampled(**changes):
    event = TransactionChanged(
        EventType.UPDATED, NOON, "uuid", "MeterValuePeriodic", 0, 1, 1, meter_values=values()
    )
    return replace(event, **changes)


def row(id_, event=None, transaction=7, **fields):
    return OutboxRow(id_, "evse/1", event or sampled(), transaction, NOON, **fields)


def thinned(rows, **kwargs):
    return LaneThinning(**kwargs).take(rows)


STARTED = sampled(event_type=EventType.STARTED, trigger_reason="Authorized")
ENDED = sampled(event_type=EventType.ENDED, trigger_reason="EVDeparted")
NEVER = {
    "the start": STARTED,
    "the end": ENDED,
    "a change of state": sampled(
        trigger_reason="ChargingStateChanged", charging_state=ChargingState.CHARGING
    ),
    "a token": sampled(id_token=IdToken("A", "ISO14443")),
    "what was asked for": sampled(trigger_reason="Trigger"),
    "a signed value": sampled(meter_values=values(PLAIN, SIGNED)),
    "a value at the begin": sampled(
        meter_values=values(PLAIN._replace(context="Transaction.Begin"))
    ),
    "a value at an interruption": sampled(
        meter_values=values(PLAIN._replace(context="Interruption.End"))
    ),
    "a signed value outside a transaction": MetersSampled(1, 1, values(SIGNED), None),
    "a security event": SecurityEventOccurred("StartupOfTheDevice", NOON),
}


def test_E04_FR_08_of_the_intermediate_samples_the_1st_3rd_5th_go():
    rows = [row(1, STARTED), *(row(n) for n in range(2, 10)), row(10, ENDED)]

    #  2 is the first, 9 the last; between them 3 is the 1st, 5 the 3rd, 7 the 5th
    assert thinned(rows) == [3, 5, 7]


@pytest.mark.parametrize("event", NEVER.values(), ids=NEVER)
def test_never_goes(event):
    rows = [row(1), row(2), row(3), *(row(n, event) for n in range(4, 10)), row(10), row(11)]

    assert not may_go(rows[4])
    assert not set(thinned(rows)) & set(range(4, 10))


def test_samples_outside_transactions_are_thinned_too():
    rows = [row(n, MetersSampled(1, 1, values(), None), None) for n in range(1, 8)]

    assert thinned(rows) == [2, 4, 6]


def test_what_may_have_left_stays_with_all_it_carried():
    sent = {"message_id": "m", "sent": b"[]", "sent_version": "ocpp1.6", "sent_with": (4, 5, 6)}
    rows = [row(1), row(2, **sent), *(row(n) for n in range(3, 13))]

    gone = thinned(rows)

    assert not {2, 4, 5, 6} & set(gone)
    assert gone


def test_pressure_of_age_spares_what_is_young():
    rows = [replace(row(n), enqueued_at=NOON + timedelta(days=n)) for n in range(1, 20)]

    gone = thinned(rows, waiting_since_before=NOON + timedelta(days=10))

    assert gone == [2, 4, 6, 8]


KINDS = st.sampled_from([None, None, None, STARTED, ENDED, NEVER["a signed value"]])
LANES = st.lists(st.tuples(st.integers(1, 3), KINDS), max_size=60).map(
    lambda lane: [row(n, event, transaction) for n, (transaction, event) in enumerate(lane, 1)]
)


@given(LANES)
def test_first_and_last_sample_of_every_transaction_stay_and_half_of_the_rest_goes(lane):
    gone = set(thinned(lane))

    for transaction in {one.transaction for one in lane}:
        samples = [one.id for one in lane if one.transaction == transaction and may_go(one)]
        between = samples[1:-1]
        assert gone & set(samples) == set(between[::2])
    assert gone <= {one.id for one in lane if may_go(one)}


@given(LANES, st.lists(st.integers(1, 20), min_size=1))
def test_pages_of_any_size_give_the_same(lane, sizes):
    thinning, rest, gone = LaneThinning(), list(lane), []
    while rest:
        for size in sizes:
            gone += thinning.take(rest[:size])
            rest = rest[size:]

    assert gone == thinned(lane)


@given(LANES)
def test_repeated_it_ends_with_what_is_billed_and_two_samples_of_each_transaction(lane):
    left = lane
    while gone := set(thinned(left)):
        left = [one for one in left if one.id not in gone]

    for transaction in {one.transaction for one in lane}:
        samples = [one.id for one in lane if one.transaction == transaction and may_go(one)]
        kept = [one.id for one in left if one.transaction == transaction and may_go(one)]
        assert kept == samples[:1] + samples[1:][-1:]
    assert [one for one in left if not may_go(one)] == [one for one in lane if not may_go(one)]
