"""Order per lane is kept, nothing is lost or doubled, one CALL is unanswered at any time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.batches import (
    PERMANENT_ERRORS,
    TOO_BIG,
    Batch,
    Delivery,
    estimated_bytes,
    may_be_shortened,
    may_merge,
    shortened,
)
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
from gateway.lanes import LaneAsk, lane_of
from gateway.outbox import Depth, Outbox
from gateway.records import LaneBacklog, OutboxRow
from gateway.writes import Confirm, CountAttempt, MarkSent, Quarantine, SaveSetting

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
V16, V201 = "ocpp1.6", "ocpp2.0.1"


def changed(event_type, n=0, transaction="t", **fields):
    at = NOON + timedelta(seconds=n)
    return TransactionChanged(
        event_type, at, transaction, fields.pop("why", "CablePlugged"), 0, **fields
    )


def sample(n=0, transaction="t", **fields):
    values = (MeterValue(NOON + timedelta(seconds=n), (SampledValue(str(n)),)),)
    fields = {"meter_values": values, "why": "MeterValuePeriodic", **fields}
    return changed(EventType.UPDATED, n, transaction, **fields)


def row(id_, lane="evse/1", event=None, **fields):
    fields = {"transaction": 1, "enqueued_at": NOON + timedelta(seconds=id_), **fields}
    return OutboxRow(id_, lane, event or sample(id_), **fields)


def outbox_with(*rows, delivery=None):
    outbox = Outbox(delivery)
    for each in rows:
        outbox.enqueued(each)
    return outbox


def sent_order(outbox, version=V201, now=0.0):
    """Confirm everything that leaves; return the ids call by call."""
    calls = []
    while (batch := outbox.next_batch(now, version)) is not None:
        calls.append(batch.row_ids)
        outbox.confirmed(batch)
    return calls


def refuse(outbox, batch, code="InternalError", now=0.0):
    return outbox.refused(batch, code, "no", now=now, at=NOON)


ALONE = Delivery(merge_from=10**9)
TOGETHER = Delivery(merge_from=2)


def test_an_empty_outbox_has_nothing_to_send():
    assert Outbox().next_batch(0.0, V201) is None
    assert Outbox().depth() == Depth(0, 0, None)


def test_a_lane_is_delivered_in_order_of_acceptance():
    outbox = outbox_with(row(1), row(2), row(3))

    assert sent_order(outbox) == [(1,), (2,), (3,)]


def test_one_call_is_unanswered_at_any_time():
    outbox = outbox_with(row(1), row(2, "evse/2"))
    batch = outbox.next_batch(0.0, V201)

    assert outbox.next_batch(0.0, V201) is None
    assert outbox.confirmed(batch) == [Confirm((1,))]
    assert outbox.next_batch(0.0, V201).row_ids == (2,)


def test_lanes_take_turns():
    outbox = outbox_with(
        row(1), row(2), row(3), row(4, "evse/2"), row(5, "evse/3"), row(6, "evse/2")
    )

    assert sent_order(outbox) == [(1,), (4,), (5,), (2,), (6,), (3,)]


def test_an_ended_in_front_goes_before_the_turns_but_never_before_its_own_lane():
    ended = changed(EventType.ENDED)
    outbox = outbox_with(
        row(1), row(2), row(3, "evse/2"), row(4, "evse/2", ended), row(5, "evse/3", ended)
    )

    assert sent_order(outbox) == [(5,), (1,), (3,), (4,), (2,)]


def test_a_strict_site_has_one_lane():
    assert {lane_of(n, is_strict=True) for n in (1, 2, None)} == {"site"}
    assert [lane_of(n) for n in (1, 2, None)] == ["evse/1", "evse/2", "station"]


def strict(id_, **fields):
    return row(id_, lane_of(None, is_strict=True), **fields)


def test_at_a_strict_site_a_failing_row_holds_up_all_others():
    outbox = Outbox(ALONE)
    disk = [strict(1), strict(2, transaction=2), strict(3, transaction=3)]
    for each in disk:
        outbox.enqueued(each)
    refuse(outbox, outbox.next_batch(0.0, V201))
    early = outbox.next_batch(1.0, V201)
    outbox.confirmed(outbox.next_batch(60.0, V201))
    refill(outbox, disk)

    assert early is None
    assert sent_order(outbox, now=60.0) == [(2,), (3,)]


@pytest.mark.parametrize(("before", "after"), [("evse/1", "site"), ("site", "evse/1")])
def test_what_was_accepted_before_the_order_changed_leaves_before_anything_after(before, after):
    outbox = Outbox(ALONE)
    disk = [row(1, before), row(2, before)]
    outbox.restore([LaneBacklog(before, 2, NOON)], quarantined=0, next_row_id=3)
    outbox.enqueued(row(3, after))
    outbox.enqueued(row(4, after))
    refill(outbox, disk)
    outbox.enqueued(row(5, before))
    first = outbox.next_batch(0.0, V201)
    outbox.link_lost()
    order = sent_order(outbox)

    assert first.row_ids == (1,)
    assert order == [(1,), (2,), (3,), (4,), (5,)]


def test_a_failing_row_of_the_former_order_holds_up_what_came_after_the_change():
    outbox = Outbox(ALONE)
    outbox.restore([LaneBacklog("evse/1", 1, NOON)], quarantined=0, next_row_id=2)
    outbox.enqueued(strict(2))
    refill(outbox, [row(1)])
    refuse(outbox, outbox.next_batch(0.0, V201))

    assert outbox.next_batch(1.0, V201) is None
    assert sent_order(outbox, now=60.0) == [(1,), (2,)]


def test_what_cannot_be_said_yet_is_looked_at_again_when_its_lane_gets_another_row():
    outbox = outbox_with(row(1), delivery=ALONE)
    outbox.postponed(outbox.next_batch(0.0, V201), until=5.0)
    quiet = outbox.next_batch(1.0, V201)
    outbox.enqueued(row(2))
    again = outbox.next_batch(1.0, V201)
    refuse(outbox, again, now=1.0)

    assert quiet is None
    assert again.row_ids == (1,)
    assert outbox.next_batch(5.0, V201) is None, "the former wait cuts no retry short"
    assert outbox.due_at() == 61.0


def test_what_was_sent_before_is_repeated_byte_by_byte():
    outbox = outbox_with(row(1))
    first = outbox.next_batch(0.0, V201)
    mark = outbox.mark_sent(first, "m-1", b'{"n":1}', V201, 5)
    outbox.link_lost()
    second = outbox.next_batch(0.0, V201)

    assert mark == MarkSent((1,), "m-1", b'{"n":1}', V201, 1, 5)
    assert (first.sent, first.is_retransmission) == (None, False)
    assert (second.sent, second.is_retransmission) == (b'{"n":1}', True)


def test_several_in_flight_when_the_link_is_lost_are_repeated_together_and_first():
    outbox = outbox_with(row(1), row(2), row(3, "evse/2"), delivery=TOGETHER)
    first = outbox.next_batch(0.0, V201)
    outbox.mark_sent(first, "m-1", b"[]", V201)
    outbox.enqueued(row(4))
    outbox.link_lost()
    second = outbox.next_batch(0.0, V201)

    assert (second.sent, second.row_ids) == (b"[]", (1, 2))
    outbox.confirmed(second)
    assert sent_order(outbox) == [(3,), (4,)]


def test_a_cloud_of_another_version_gets_it_encoded_anew_as_a_retransmission():
    outbox = outbox_with(row(1))
    outbox.mark_sent(outbox.next_batch(0.0, V201), "m-1", b"{}", V201)
    outbox.link_lost()
    batch = outbox.next_batch(0.0, V16)

    assert (batch.sent, batch.is_retransmission) == (None, True)


def test_a_restart_repeats_the_same_bytes_with_the_same_rows():
    outbox = Outbox(TOGETHER)
    outbox.restore([LaneBacklog("evse/1", 4, NOON)], quarantined=0, next_row_id=5)
    head = row(1, message_id="m-1", sent=b"{}", sent_version=V201, sent_with=(2, 3))
    [ask] = outbox.needs_refill()
    outbox.refill(ask, [head, row(2), row(3), row(4)])
    batch = outbox.next_batch(0.0, V201)

    assert (batch.sent, batch.row_ids) == (b"{}", (1, 2, 3))
    assert outbox.confirmed(batch) == [Confirm((1, 2, 3))]
    assert sent_order(outbox) == [(4,)]


@pytest.mark.parametrize("code", sorted(PERMANENT_ERRORS))
def test_a_permanent_error_quarantines_at_once_and_the_lane_goes_on(code):
    outbox = outbox_with(row(1), row(2))
    writes = refuse(outbox, outbox.next_batch(0.0, V201), code)

    assert writes == [Quarantine(1, NOON, code, "no")]
    assert outbox.depth()[:2] == (1, 1)
    assert sent_order(outbox) == [(2,)]


@pytest.mark.parametrize("code", ["InternalError", "GenericError", "SecurityError", "Whatever"])
def test_a_transient_error_parks_the_lane_for_longer_each_time_then_quarantines(code):
    outbox = outbox_with(row(1), row(2), delivery=Delivery(attempts=3, retry_interval_s=60))

    assert refuse(outbox, outbox.next_batch(0.0, V201), code, now=0.0) == [CountAttempt(1, 1)]
    assert outbox.next_batch(59.9, V201) is None
    assert outbox.due_at() == 60.0
    assert refuse(outbox, outbox.next_batch(60.0, V201), code, now=60.0) == [CountAttempt(1, 2)]
    assert outbox.next_batch(179.9, V201) is None
    final = outbox.next_batch(180.0, V201)
    assert refuse(outbox, final, code, now=180.0) == [Quarantine(1, NOON, code, "no")]
    assert outbox.due_at() is None
    refill(outbox, [row(2)])
    assert outbox.next_batch(180.0, V201).row_ids == (2,)


def test_a_parked_lane_holds_up_no_other():
    outbox = outbox_with(row(1), row(2), row(3, "evse/2"), row(4, "evse/2"))
    refuse(outbox, outbox.next_batch(0.0, V201))

    assert sent_order(outbox, now=1.0) == [(3,), (4,)]
    assert outbox.depth().pending == 2


def silence(outbox, now):
    """Nothing is said to the row that is next; return what it costs."""
    batch = outbox.next_batch(now, V201)
    return batch.row_ids[0], outbox.unanswered(batch, now=now, at=NOON)


def answer(outbox, lane, n, now=0.0):
    outbox.enqueued(row(n, lane))
    outbox.confirmed(outbox.next_batch(now, V201))


def test_silence_of_a_cloud_that_answers_others_counts_as_an_attempt():
    outbox = outbox_with(row(1, "evse/2"), row(2), delivery=Delivery(attempts=2))
    outbox.confirmed(outbox.next_batch(0.0, V201))
    costs = [silence(outbox, now=0.0)]
    answer(outbox, "evse/2", 3, now=30.0)
    costs.append(silence(outbox, now=60.0))

    assert costs == [(2, [CountAttempt(2, 1)]), (2, [Quarantine(2, NOON, "no-answer", "")])]


def test_a_cloud_that_answers_nobody_puts_nothing_into_quarantine():
    lanes = [f"evse/{n}" for n in range(4)]
    disk = [row(n, lanes[n % 4]) for n in range(1, 41)]
    outbox = outbox_with(*disk, delivery=replace(ALONE, attempts=2))
    costs = []
    for minute in range(24 * 60):
        refill(outbox, disk)
        if (batch := outbox.next_batch(minute * 60.0, V201)) is not None:
            costs += outbox.unanswered(batch, now=minute * 60.0, at=NOON)

    assert costs == []
    assert outbox.depth()[:2] == (40, 0)


def test_waits_grow_while_the_cloud_is_silent():
    outbox = outbox_with(row(1), delivery=ALONE)
    waits, now = [], 0.0
    for _ in range(12):
        silence(outbox, now)
        waits.append(outbox.due_at() - now)
        now = outbox.due_at()

    assert waits == [60.0 * n for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 1)]


def test_where_nobody_else_could_be_answered_silence_counts_after_an_hour():
    outbox = outbox_with(row(1), row(2), delivery=replace(ALONE, attempts=2))
    costs = [silence(outbox, now) for now in (0.0, 1800.0, 3600.0, 4000.0)]

    assert costs == [
        (1, []),
        (1, []),
        (1, [CountAttempt(1, 1)]),
        (1, [Quarantine(1, NOON, "no-answer", "")]),
    ]


def test_a_lost_link_counts_no_attempt():
    outbox = outbox_with(row(1), delivery=Delivery(attempts=2))
    for n in range(10):
        outbox.next_batch(10.0 * n, V201)
        outbox.link_lost(10.0 * n)

    assert refuse(outbox, outbox.next_batch(100.0, V201)) == [CountAttempt(1, 1)]


def test_a_row_over_which_the_link_is_lost_again_and_again_lets_others_go_first():
    outbox = outbox_with(row(1), row(2, "evse/2"))
    tried = []
    for _ in range(3):
        tried.append(outbox.next_batch(0.0, V201).row_ids)
        outbox.link_lost(0.0)

    assert tried == [(1,), (1,), (2,)]
    assert outbox.due_at() == 10.0


def test_attempts_survive_a_restart():
    outbox = outbox_with(row(1, attempts=2), delivery=Delivery(attempts=3))

    assert refuse(outbox, outbox.next_batch(0.0, V201)) == [
        Quarantine(1, NOON, "InternalError", "no")
    ]


def test_an_answer_that_comes_after_the_link_was_lost_changes_nothing():
    outbox = outbox_with(row(1))
    batch = outbox.next_batch(0.0, V201)
    outbox.link_lost()

    assert outbox.confirmed(batch) == refuse(outbox, batch) == []
    assert sent_order(outbox) == [(1,)]


def test_E11_FR_07_what_waits_when_the_link_is_lost_is_offline():
    outbox = outbox_with(row(1), row(2, "evse/2"))
    before = outbox.next_batch(0.0, V201)
    outbox.link_lost()
    outbox.enqueued(row(3, "evse/3"))
    batches = [outbox.next_batch(0.0, V201)]
    for _ in range(2):
        outbox.confirmed(batches[-1])
        batches.append(outbox.next_batch(0.0, V201))

    assert (before.is_offline, before.event.is_offline) == (False, False)
    assert {b.row_ids: (b.is_offline, b.event.is_offline) for b in batches} == {
        (1,): (True, True),
        (2,): (True, True),
        (3,): (False, False),
    }


@pytest.mark.parametrize(
    "offline",
    [
        pytest.param(row(1, is_offline=True), id="the cloud was away"),
        pytest.param(row(1, event=sample(is_offline=True)), id="the station was"),
    ],
)
def test_what_occurred_offline_is_told_as_such(offline):
    batch = outbox_with(offline).next_batch(0.0, V201)

    assert (batch.is_offline, batch.event.is_offline) == (True, True)


def test_everything_found_at_start_was_queued_while_nobody_was_connected():
    outbox = Outbox()
    outbox.restore([LaneBacklog("evse/1", 1, NOON)], quarantined=0, next_row_id=2)
    refill(outbox, [row(1)])

    assert outbox.next_batch(0.0, V201).is_offline


def test_a_row_retried_by_a_person_takes_its_old_place():
    outbox = outbox_with(row(1), row(2), row(3))
    refuse(outbox, outbox.next_batch(0.0, V201), "FormatViolation")
    in_flight = outbox.next_batch(0.0, V201)
    outbox.released(
        row(1, attempts=3, message_id="m", sent=b"{}", sent_version=V201), is_retried=True
    )
    outbox.link_lost()
    batch = outbox.next_batch(0.0, V201)

    assert in_flight.row_ids == (2,)
    assert (batch.row_ids, batch.sent, batch.rows[0].attempts) == ((1,), None, 0)
    outbox.confirmed(batch)
    assert sent_order(outbox) == [(2,), (3,)]
    assert outbox.depth() == Depth(0, 0, None)


def test_a_discarded_row_only_lowers_the_count():
    outbox = outbox_with(row(1))
    refuse(outbox, outbox.next_batch(0.0, V201), "FormatViolation")
    outbox.released(row(1), is_retried=False)

    assert outbox.depth() == Depth(0, 0, None)


def test_depth_tells_since_when_the_oldest_row_waits():
    outbox = outbox_with(row(1), row(2), row(3, "evse/2"))
    outbox.next_batch(0.0, V201)

    assert outbox.depth() == Depth(3, 0, NOON + timedelta(seconds=1))


# Coalescing


def test_when_behind_meter_values_of_a_transaction_travel_together_in_order():
    outbox = outbox_with(row(1), row(2), row(3), delivery=TOGETHER)
    batch = outbox.next_batch(0.0, V201)

    assert batch.row_ids == (1, 2, 3)
    assert [mv.samples[0].value for mv in batch.event.meter_values] == ["1", "2", "3"]
    assert batch.event.at == NOON + timedelta(seconds=3)
    assert outbox.confirmed(batch) == [Confirm((1, 2, 3))]
    assert outbox.depth().pending == 0


def test_when_not_behind_every_row_travels_alone():
    assert sent_order(outbox_with(row(1), row(2), delivery=Delivery(merge_from=3))) == [(1,), (2,)]


def test_only_neighbours_travel_together():
    started = changed(EventType.STARTED)
    outbox = outbox_with(
        row(1, event=started), row(2), row(3), row(4, event=started), row(5), delivery=TOGETHER
    )

    assert sent_order(outbox) == [(1,), (2, 3), (4,), (5,)]


def test_offline_and_online_values_do_not_mix():
    outbox = outbox_with(row(1), row(2), delivery=TOGETHER)
    outbox.link_lost()
    outbox.enqueued(row(3))
    outbox.enqueued(row(4))

    assert sent_order(outbox) == [(1, 2), (3, 4)]


def test_what_may_have_left_before_does_not_join_others():
    outbox = outbox_with(row(1), row(2, message_id="m-1"), row(3), delivery=TOGETHER)

    assert sent_order(outbox) == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("delivery", "sizes"),
    [
        pytest.param(replace(TOGETHER, merge_meter_values=4), [4, 4, 2], id="by number"),
        pytest.param(
            replace(TOGETHER, merge_bytes=3 * estimated_bytes(sample(1))),
            [3, 3, 3, 1],
            id="by size",
        ),
        pytest.param(replace(TOGETHER, merge_bytes=1), [1] * 10, id="one is never too large"),
    ],
)
def test_a_message_of_several_is_bounded(delivery, sizes):
    outbox = outbox_with(*(row(n, event=sample(1)) for n in range(1, 11)), delivery=delivery)

    assert [len(ids) for ids in sent_order(outbox)] == sizes


def test_when_several_are_refused_together_each_is_tried_alone_and_only_the_culprit_suffers():
    outbox = outbox_with(row(1), row(2), row(3), row(4), delivery=TOGETHER)
    batch = outbox.next_batch(0.0, V201)
    outbox.mark_sent(batch, "m-1", b"[]", V201)

    [learnt] = refuse(outbox, batch, "FormatViolation")
    first = outbox.next_batch(0.0, V201)
    assert (first.row_ids, first.sent) == ((1,), None)
    outbox.confirmed(first)
    second = outbox.next_batch(0.0, V201)
    [quarantine, forgotten] = refuse(outbox, second, "FormatViolation")
    assert quarantine == Quarantine(2, NOON, "FormatViolation", "no")
    assert isinstance(learnt, SaveSetting), "perhaps they were too long together"
    assert "values" not in forgotten.value, "they were not"
    outbox.enqueued(row(5))
    outbox.enqueued(row(6))
    assert sent_order(outbox) == [(3,), (4,), (5, 6)]


def test_several_that_stay_unanswered_are_tried_alone_before_any_is_given_up():
    outbox = outbox_with(row(1, attempts=2), row(2), delivery=TOGETHER)
    outbox._answers = 1
    batch = outbox.next_batch(0.0, V201)

    assert outbox.unanswered(batch, now=0.0, at=NOON)[0] == CountAttempt(1, 0)
    assert outbox.next_batch(0.0, V201).row_ids == (1,)


def test_what_is_refused_together_travels_in_ever_smaller_messages():
    outbox = outbox_with(*(row(n) for n in range(1, 40)), delivery=replace(TOGETHER, lane_rows=40))
    sizes = []
    while (batch := outbox.next_batch(0.0, V201)) is not None:
        sizes.append(len(batch.rows))
        if len(batch.rows) > 4:
            refuse(outbox, batch, TOO_BIG)
        else:
            outbox.confirmed(batch)

    assert sizes[:21] == [20, *[1] * 20], "those that were refused leave alone"
    assert [size for size in sizes if size > 1] == [20, 9, 4, 4, 2]


def test_the_end_of_a_transaction_that_is_too_long_leaves_without_its_intermediate_values():
    values = tuple(MeterValue(NOON, (SampledValue(str(n)),)) for n in range(9))
    end = changed(EventType.ENDED, meter_values=values)
    outbox = outbox_with(row(1, event=end))
    first = outbox.next_batch(0.0, V16)
    cost = refuse(outbox, first, TOO_BIG)
    second = outbox.next_batch(0.0, V16)
    given_up = refuse(outbox, second, TOO_BIG)

    assert cost == []
    assert second.event.meter_values == (values[0], values[-1])
    assert given_up == [Quarantine(1, NOON, TOO_BIG, "no")]
    assert second.rows[0].event == end, "in quarantine it is whole"


@pytest.mark.parametrize(
    ("samples", "kept"),
    [
        pytest.param(["", "", ""], [0, 2], id="first and last"),
        pytest.param(
            ["", "Transaction.Begin", "", "Transaction.End", ""], [0, 1, 3, 4], id="edges"
        ),
        pytest.param(["", "", "signed", ""], [0, 2, 3], id="signed"),
        pytest.param(["", ""], [0, 1], id="nothing between"),
    ],
)
def test_what_is_never_left_out(samples, kept):
    values = tuple(
        MeterValue(
            NOON,
            (
                SampledValue(
                    str(n),
                    context=word if "." in word else "Sample.Periodic",
                    signed={"x": 1} if word == "signed" else None,
                ),
            ),
        )
        for n, word in enumerate(samples)
    )
    event = changed(EventType.ENDED, meter_values=values)

    assert shortened(event).meter_values == tuple(values[n] for n in kept)
    assert may_be_shortened(event) is (len(kept) < len(values))


METERS = MetersSampled(1, 1, (MeterValue(NOON, (SampledValue("1"),)),))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(row(1), row(2), True, id="samples of one transaction"),
        pytest.param(row(1, event=METERS), row(2, event=METERS), True, id="MeterValues"),
        pytest.param(row(1), row(2, transaction=2), False, id="another transaction"),
        pytest.param(row(1), row(2, event=METERS), False, id="different messages"),
        pytest.param(
            row(1, event=METERS), row(2, event=replace(METERS, evse_id=2)), False, id="other EVSE"
        ),
        pytest.param(
            row(1), row(2, event=sample(why="MeterValueClock")), False, id="other trigger"
        ),
        pytest.param(row(1), row(2, event=sample(why="Deauthorized")), False, id="no sample"),
        pytest.param(row(1), row(2, event=sample(id_token=IdToken("x"))), False, id="a token"),
        pytest.param(row(1), row(2, event=sample(meter_values=())), False, id="no values"),
        pytest.param(
            row(1), row(2, event=sample(charging_state=ChargingState.IDLE)), False, id="news"
        ),
        pytest.param(row(1), row(2, event=changed(EventType.ENDED)), False, id="the end"),
        pytest.param(
            row(1, event=SecurityEventOccurred("x", NOON)),
            row(2, event=SecurityEventOccurred("x", NOON)),
            False,
            id="security events",
        ),
    ],
)
def test_only_values_may_be_merged(first, second, expected):
    assert may_merge(first, second) is expected


# Rows that are not in memory


def disk_of(*rows):
    return sorted(rows, key=lambda r: r.id)


def refill(outbox, disk):
    for ask in outbox.needs_refill():
        found = [r for r in disk if r.lane == ask.lane and r.id > ask.after_id]
        outbox.refill(ask, found[: ask.limit])


def test_a_backlog_of_any_length_is_held_in_a_few_rows():
    delivery = replace(ALONE, lane_rows=4, held_rows=10)
    disk = disk_of(*(row(n, f"evse/{n % 5}") for n in range(1, 501)))
    outbox = outbox_with(*disk, delivery=delivery)
    sent, most_held = [], 0
    while True:
        refill(outbox, disk)
        most_held = max(most_held, outbox._waits.held)
        if (batch := outbox.next_batch(0.0, V201)) is None:
            break
        outbox.confirmed(batch)
        sent += batch.row_ids
        disk = [r for r in disk if r.id not in batch.row_ids]

    assert most_held <= 14
    assert sorted(sent) == list(range(1, 501))
    for lane in range(5):
        assert [n for n in sent if n % 5 == lane] == sorted(n for n in sent if n % 5 == lane)


def test_a_row_read_before_it_was_announced_is_not_sent_twice():
    outbox = Outbox(ALONE)
    outbox.restore([LaneBacklog("evse/1", 1, NOON)], quarantined=0, next_row_id=2)
    [ask] = outbox.needs_refill()
    outbox.refill(ask, [row(1), row(2)])
    before = sent_order(outbox)
    outbox.enqueued(row(2))

    assert before + sent_order(outbox) == [(1,), (2,)]
    assert outbox.depth() == Depth(0, 0, None)


def test_rows_announced_while_the_store_was_read_are_counted_once():
    outbox = Outbox(ALONE)
    outbox.restore([LaneBacklog("evse/1", 1, NOON)], quarantined=0, next_row_id=2)
    [ask] = outbox.needs_refill()
    outbox.enqueued(row(2))
    outbox.enqueued(row(3))
    outbox.refill(ask, [row(1), row(2)])

    assert outbox.depth().pending == 3


@pytest.mark.parametrize("is_counted", [True, False], ids=["counted already", "not yet"])
def test_a_row_announced_while_all_are_counted_anew_is_neither_forgotten_nor_overtaken(is_counted):
    outbox = Outbox(ALONE)
    outbox.restore([], quarantined=0, next_row_id=1)
    disk = [row(1), row(2)]
    counted = [LaneBacklog("evse/1", 1, NOON)] if is_counted else []

    outbox.restoring()
    outbox.enqueued(disk[0])
    outbox.restore(counted, quarantined=0)
    outbox.enqueued(disk[1])
    refill(outbox, disk)

    assert outbox.depth().pending == 2
    assert sent_order(outbox) == [(1,), (2,)]


def test_nothing_overtakes_what_the_store_could_not_read_and_it_leaves_when_it_can():
    outbox = Outbox(ALONE)
    outbox.restore([LaneBacklog("evse/1", 2, NOON)], quarantined=0, next_row_id=3)
    [ask] = outbox.needs_refill()
    outbox.unreadable(ask)
    outbox.enqueued(row(3))
    outbox.enqueued(row(4, "evse/2"))
    meanwhile = sent_order(outbox)

    outbox.restoring()
    outbox.restore([LaneBacklog("evse/1", 3, NOON)], quarantined=0)
    refill(outbox, [row(1), row(2), row(3)])

    assert meanwhile == [(4,)]
    assert sent_order(outbox) == [(1,), (2,), (3,)]


def test_what_is_held_is_as_the_store_should_have_it():
    outbox = outbox_with(row(1), row(2), delivery=ALONE)
    batch = outbox.next_batch(0.0, V201)
    outbox.mark_sent(batch, "m-1", b"[]", V201)

    first, second = outbox.held()

    assert (first.id, first.message_id, first.sent, first.sent_version) == (1, "m-1", b"[]", V201)
    assert second == row(2)


def test_a_count_that_was_wrong_heals_when_the_store_is_read():
    outbox = Outbox()
    outbox.restore([LaneBacklog("evse/1", 9, NOON)], quarantined=0, next_row_id=10)
    [ask] = outbox.needs_refill()
    outbox.refill(ask, [row(3)])

    assert outbox.depth().pending == 1
    assert outbox.needs_refill() == []


def test_parked_lanes_leave_the_memory_to_the_others():
    delivery = replace(ALONE, lane_rows=4, held_rows=4)
    rows = [row(n) for n in range(1, 5)]
    outbox = outbox_with(*rows, row(5, "evse/2"), delivery=delivery)
    refuse(outbox, outbox.next_batch(0.0, V201))

    assert outbox.needs_refill() == [LaneAsk("evse/2", 0, 4)]


def test_an_answer_read_before_the_lane_was_parked_leaves_no_gap():
    disk = [row(n) for n in range(1, 16)]
    outbox = outbox_with(*disk, delivery=replace(ALONE, lane_rows=8))
    for _ in range(5):
        outbox.confirmed(outbox.next_batch(0.0, V201))
    [ask] = outbox.needs_refill()
    refuse(outbox, outbox.next_batch(0.0, V201))
    outbox.refill(ask, [r for r in disk if r.id > ask.after_id][: ask.limit])
    sent = []
    while (batch := outbox.next_batch(100.0, V201)) is not None:
        sent += batch.row_ids
        outbox.confirmed(batch)
        refill(outbox, disk)

    assert sent == list(range(6, 16))


def test_a_row_retried_while_the_store_is_read_is_not_passed_over():
    outbox = Outbox(ALONE)
    outbox.restore([LaneBacklog("evse/1", 1, NOON)], quarantined=1, next_row_id=3)
    [ask] = outbox.needs_refill()
    outbox.released(row(1), is_retried=True)
    outbox.refill(ask, [row(2)])
    refill(outbox, [row(1), row(2)])

    assert sent_order(outbox) == [(1,), (2,)]


def test_the_time_left_is_told_while_it_drains_and_not_when_the_cloud_is_away():
    outbox = outbox_with(*(row(n) for n in range(1, 41)), delivery=ALONE)
    before = outbox.drain_estimate()
    for second in range(20):
        outbox.confirmed(outbox.next_batch(float(second), V201))
    draining = outbox.drain_estimate()
    outbox.link_lost()

    assert (before, outbox.drain_estimate()) == (None, None)
    assert draining == pytest.approx(20, rel=0.1)
    assert Outbox().drain_estimate() == 0


LANES = ("evse/1", "evse/2", "station")


class OutboxMachine(RuleBasedStateMachine):
    """The outbox beside a model: a disk, and the books of a cloud that may do anything."""

    def __init__(self):
        super().__init__()
        self.delivery = Delivery(
            attempts=2, retry_interval_s=10, merge_from=4, lane_rows=4, held_rows=6
        )
        self.outbox = Outbox(self.delivery)
        self.disk = {}
        self.quarantine = {}
        self.delivered = []
        self.now = 0.0
        self.next_id = 1
        self.asks = []
        self.batch: Batch | None = None
        self.payloads = {}
        self.untold = set()
        """Heads that the cloud has said it did not take."""

    def commit(self, writes):
        for write in writes:
            match write:
                case Confirm(row_ids):
                    for id_ in row_ids:
                        del self.disk[id_]
                case CountAttempt(id_, attempts):
                    self.disk[id_] = replace(self.disk[id_], attempts=attempts)
                case Quarantine(id_):
                    self.quarantine[id_] = self.disk.pop(id_)
                case MarkSent((head, *others), message_id, sent, version):
                    self.disk[head] = replace(
                        self.disk[head],
                        message_id=message_id,
                        sent=sent,
                        sent_version=version,
                        sent_with=tuple(others),
                    )

    @rule(lane=st.sampled_from(LANES), kind=st.sampled_from(["sample", "sample", "start", "end"]))
    def enqueue(self, lane, kind):
        event = {
            "sample": sample(self.next_id, lane),
            "start": changed(EventType.STARTED, self.next_id, lane),
            "end": changed(EventType.ENDED, self.next_id, lane),
        }[kind]
        new = row(self.next_id, lane, event)
        self.next_id += 1
        self.disk[new.id] = new
        self.outbox.enqueued(new)

    @precondition(lambda self: not self.asks)
    @rule()
    def ask(self):
        for ask in self.outbox.needs_refill():
            found = [r for _, r in sorted(self.disk.items()) if r.lane == ask.lane]
            page = [r for r in found if r.id > ask.after_id][: ask.limit]
            self.asks.append((ask, page))

    @precondition(lambda self: self.asks)
    @rule()
    def answer_asks(self):
        for ask, page in self.asks:
            self.outbox.refill(ask, page)
        self.asks = []

    @precondition(lambda self: not self.asks)
    @rule(version=st.sampled_from([V201, V201, V16]))
    def send(self, version):
        batch = self.outbox.next_batch(self.now, version)
        if self.batch is not None:
            assert batch is None
            return
        if batch is None:
            return
        self.batch = batch
        waiting = [id_ for id_, r in sorted(self.disk.items()) if r.lane == batch.lane]
        assert list(batch.row_ids) == waiting[: len(batch.row_ids)]
        head = batch.row_ids[0]
        if batch.sent is not None:
            assert self.payloads[head] == (batch.sent, batch.row_ids, version)
        if head not in self.untold:
            assert batch.is_retransmission == (self.disk[head].message_id is not None)
        payload = batch.sent or repr((batch.row_ids, version)).encode()
        self.payloads[head] = (payload, batch.row_ids, version)
        self.commit([self.outbox.mark_sent(batch, f"m-{self.next_id}", payload, version)])

    @precondition(lambda self: self.batch is not None)
    @rule()
    def confirm(self):
        self.delivered += self.batch.row_ids
        self.commit(self.outbox.confirmed(self.batch))
        self.batch = None

    @precondition(lambda self: self.batch is not None)
    @rule(code=st.sampled_from(["FormatViolation", "InternalError"]))
    def refuse(self, code):
        if code in PERMANENT_ERRORS:
            self.untold.add(self.batch.row_ids[0])
        self.commit(self.outbox.refused(self.batch, code, "", now=self.now, at=NOON))
        self.batch = None

    @rule()
    def lose_link(self):
        self.outbox.link_lost()
        self.batch = None

    @rule()
    def wait(self):
        self.now += 10

    @precondition(lambda self: self.quarantine)
    @rule(is_retried=st.booleans())
    def release(self, is_retried):
        id_ = min(self.quarantine)
        back = self.quarantine.pop(id_)
        if is_retried:
            back = replace(back, attempts=0, sent=None, sent_version=None, sent_with=())
            self.disk[id_] = back
        self.outbox.released(back, is_retried=is_retried)
        # A row in the middle of others that were sent together is the next in line.
        self.payloads.pop(id_, None)

    @precondition(lambda self: not self.asks)
    @rule()
    def restart(self):
        lanes = sorted({r.lane for r in self.disk.values()})
        self.outbox = Outbox(self.delivery)
        self.outbox.restore(
            [
                LaneBacklog(lane, sum(r.lane == lane for r in self.disk.values()), NOON)
                for lane in lanes
            ],
            quarantined=len(self.quarantine),
            next_row_id=self.next_id,
        )
        self.batch = None

    @invariant()
    def nothing_is_lost_or_doubled(self):
        assert self.outbox.depth()[:2] == (len(self.disk), len(self.quarantine))
        assert len(self.delivered) == len(set(self.delivered))
        assert not set(self.delivered) & (set(self.disk) | set(self.quarantine))

    def teardown(self):
        """A cloud that answers at last gets everything, lane by lane in order."""
        self.answer_asks()
        if self.batch is not None:
            self.confirm()
        expected = {
            lane: [i for i, r in sorted(self.disk.items()) if r.lane == lane] for lane in LANES
        }
        before = len(self.delivered)
        for _ in range(5 * len(self.disk) + 20):
            self.wait()
            self.ask()
            self.answer_asks()
            self.send(V201)
            if self.batch is not None:
                self.confirm()
        assert self.disk == {}
        rest = self.delivered[before:]
        for lane in LANES:
            assert [i for i in rest if i in set(expected[lane])] == expected[lane]


TestOutboxAgainstItsModel = OutboxMachine.TestCase
TestOutboxAgainstItsModel.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
