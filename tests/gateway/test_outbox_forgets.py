"""Rows that are given up for want of room leave for nobody, and hold up nobody."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.batches import Delivery
from gateway.events import MetersSampled, MeterValue, SampledValue
from gateway.outbox import Outbox
from gateway.records import OutboxRow

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def row(id_, lane):
    values = (MeterValue(NOON, (SampledValue(str(id_)),)),)
    return OutboxRow(id_, f"evse/{lane}", MetersSampled(lane, 1, values), enqueued_at=NOON)


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(1, 60)), st.booleans()), max_size=8),
)
def test_what_is_forgotten_never_leaves_and_the_rest_leaves_in_order(lanes, turns):
    """Also when the store did not delete it after all."""
    outbox = Outbox(Delivery(lane_rows=4, held_rows=10))
    shelf = {n: row(n, lane) for n, lane in enumerate(lanes, 1)}
    for one in shelf.values():
        outbox.enqueued(one)
    delivered, forgotten = [], set()

    def deliver(count):
        for _ in range(count):
            for ask in outbox.needs_refill():
                behind = [n for n in sorted(shelf) if n > ask.after_id]
                rows = [shelf[n] for n in behind if shelf[n].lane == ask.lane]
                outbox.refill(ask, rows[: ask.limit])
            if (batch := outbox.next_batch(0.0, "ocpp2.0.1")) is None:
                return
            delivered.extend(batch.rows)
            for row_id in batch.row_ids:
                del shelf[row_id]
            outbox.confirmed(batch)

    for count, chosen, is_deleted in turns:
        deliver(count)
        for lane in ("evse/1", "evse/2", "evse/3"):
            going = outbox.forget(
                lane, [n for n in sorted(chosen) if n in shelf and shelf[n].lane == lane]
            )
            if going and is_deleted:
                forgotten.update(going)
                for row_id in going:
                    del shelf[row_id]
            elif going:
                outbox.kept_after_all(lane, going)
    deliver(1000)

    for lane in {one.lane for one in delivered}:
        ids = [one.id for one in delivered if one.lane == lane]
        assert ids == sorted(ids)
    assert {one.id for one in delivered} == set(range(1, len(lanes) + 1)) - forgotten
    assert outbox.depth().pending == 0
