"""Which meter values the cloud gets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events import (
    ChargingState,
    EventType,
    IdToken,
    MetersSampled,
    MeterValue,
    SampledValue,
    TransactionChanged,
)
from gateway.records import OutboxRow
from gateway.sampling import Sampling
from gateway.writes import Enqueue, SaveSetting

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def values(at_s=0.0, context="Sample.Periodic"):
    at = NOON + timedelta(seconds=at_s)
    return (MeterValue(at, (SampledValue("1", context=context),)),)


def sample(at_s=0.0, context="Sample.Periodic", trigger="MeterValuePeriodic"):
    return TransactionChanged(
        EventType.UPDATED,
        NOON + timedelta(seconds=at_s),
        None,
        trigger,
        0,
        meter_values=values(at_s, context),
    )


def enqueue(event, transaction=1, lane="evse/1"):
    return Enqueue(OutboxRow(1, lane, event, transaction))


def sampling(interval_s=60):
    thin = Sampling()
    thin.interval_s = interval_s
    return thin


def tell(thin, *writes):
    """Return what of these writes is kept, once it is stored."""
    kept = thin.thinned(writes)
    thin.stored(kept)
    return list(kept)


def told_at(thin, seconds):
    return [at_s for at_s in seconds if tell(thin, enqueue(sample(at_s)))]


def test_until_the_cloud_has_set_an_interval_it_gets_everything():
    assert told_at(sampling(0), range(0, 60, 10)) == list(range(0, 60, 10))


def test_samples_come_an_interval_apart_and_may_be_a_little_early():
    assert told_at(sampling(60), range(0, 200, 10)) == [0, 60, 120, 180]
    assert told_at(sampling(60), [0, 53, 54, 107, 108]) == [0, 54, 108]


STATE_CHANGED = replace(sample(10), charging_state=ChargingState.SUSPENDED_EV)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(sample(10, "Transaction.End", "MeterValuePeriodic"), id="the end"),
        pytest.param(sample(10, "Sample.Clock", "MeterValueClock"), id="clock-aligned"),
        pytest.param(sample(10, "Trigger", "Trigger"), id="triggered"),
        pytest.param(STATE_CHANGED, id="another charging state"),
        pytest.param(replace(sample(10), id_token=IdToken("A")), id="a token"),
        pytest.param(replace(sample(10), remote_start_id=7), id="a remote start"),
        pytest.param(replace(sample(10), event_type=EventType.ENDED), id="the Ended"),
        pytest.param(replace(sample(10), event_type=EventType.STARTED), id="the Started"),
        pytest.param(MetersSampled(1, 1, values(10)), id="outside of a transaction"),
        pytest.param(sample(-10), id="a clock that was set back"),
    ],
)
def test_what_tells_more_than_a_sample_is_never_thinned(event):
    thin = sampling()
    tell(thin, enqueue(sample(0)))

    assert tell(thin, enqueue(event)) == [enqueue(event)]


def test_each_evse_and_each_transaction_has_its_own_interval():
    thin = sampling()
    tell(thin, enqueue(sample(0)))

    assert tell(thin, enqueue(sample(10), lane="evse/2"))
    assert tell(thin, enqueue(sample(20), transaction=2))
    assert not tell(thin, enqueue(sample(30), transaction=2))


def test_what_was_not_stored_was_not_told():
    thin = sampling()

    thin.thinned([enqueue(sample(0))])  # the disk failed: the station says it again

    assert tell(thin, enqueue(sample(0)))


def test_everything_beside_the_row_is_stored():
    thin = sampling()
    tell(thin, enqueue(sample(0)))
    beside = SaveSetting("a", "b")

    assert tell(thin, beside, enqueue(sample(10))) == [beside]


@settings(max_examples=50, deadline=None)
@given(
    interval_s=st.integers(1, 120),
    gaps=st.lists(st.integers(1, 30), min_size=1, max_size=60),
)
def test_the_cloud_never_waits_longer_than_the_interval_and_a_sample(interval_s, gaps):
    at, seconds = 0, [0]
    for gap in gaps:
        at += gap
        seconds.append(at)

    told = told_at(sampling(interval_s), seconds)

    assert told[0] == 0
    assert all(
        0.9 * interval_s <= later - earlier <= interval_s + 30 for earlier, later in pairwise(told)
    )
    assert seconds[-1] - told[-1] < interval_s
