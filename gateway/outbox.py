"""Which CALL leaves for the cloud next, and what becomes of its rows when it is answered. Pure.

1. One CALL is unanswered at any time (OCPP-J 1.6 §4.1.1, 2.0.1 Part 4 §4.1.1).
2. What may have left before leaves again byte by byte, under a new message id (1.6, 2.0.1).
3. A row is forgotten when the cloud has confirmed it, and never otherwise: what it will not
   take goes to quarantine (1.6 §3.7.1, E13.FR.04: "discard"; we keep it).
4. Attempts count only when the cloud answered with an error, or was silent to this row while it
   answered others.

Whose turn it is, and which rows are in memory: `waiting_rows`. `now` is monotonic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from gateway.batches import (
    NO_ANSWER,
    PERMANENT_ERRORS,
    SIZE_ERRORS,
    Batch,
    Delivery,
    batch_from,
    estimated_bytes,
    may_be_shortened,
    meter_values_in,
)
from gateway.lanes import Lane, LaneAsk
from gateway.merge_bound import MergeBound
from gateway.pace import DrainRate
from gateway.records import LaneBacklog, OutboxRow
from gateway.waiting_rows import WaitingRows
from gateway.writes import Confirm, CountAttempt, Enqueue, MarkSent, Quarantine, SetAside, Write

SILENT_ALONE_S = 3600.0
"""So long the first row of all that waits is taken for innocent of the cloud's silence."""
MOST_WAITS = 10
"""Retry intervals between two attempts at most, while the cloud stays silent."""
LOST_AGAIN_WAIT_S = 10.0


class Depth(NamedTuple):
    pending: int
    quarantined: int
    oldest_at: datetime | None
    """When the row that has waited longest was enqueued; None: nothing waits."""


class Outbox:
    """The order of delivery. Rows are announced with `enqueued` once they are committed.

    Whoever sends: reads what `needs_refill` asks for, takes `next_batch`, encodes it, commits
    what `mark_sent` returns (together with what `confirmed` returned for the batch before), and
    only then lets the CALL leave. After a commit that failed, `restore`.
    """

    def __init__(self, delivery: Delivery | None = None, bound: MergeBound | None = None) -> None:
        self._waits = WaitingRows(delivery or Delivery())
        self._bound = bound or MergeBound()
        self.quarantined = 0
        self._in_flight: Batch | None = None
        self._head: OutboxRow | None = None
        """The first row in flight, with the marks it has got since."""
        self._offline_through = 0
        self._rate = DrainRate()
        self._shortened: set[int] = set()
        """Rows that are too long for the cloud as they are."""
        self._answers = 0
        """How often the cloud has answered a message, whatever it said."""
        self._answers_at_silence = 0

    @property
    def delivery(self) -> Delivery:
        return self._waits.delivery

    @delivery.setter
    def delivery(self, delivery: Delivery) -> None:
        self._waits.delivery = delivery

    def restoring(self) -> None:
        """Rows that are announced from here on may not be among what `restore` is told."""
        self._waits.restoring()

    def restore(
        self,
        backlogs: Iterable[LaneBacklog],
        *,
        quarantined: int,
        next_row_id: int | None = None,
    ) -> None:
        """Start, or start again after the store failed, from what the store holds.

        Args:
            next_row_id: of the store, at the start of the program; None: it has run all the time.
        """
        self.quarantined = quarantined
        self._in_flight = self._head = None
        if next_row_id is not None:
            # Nobody was connected while nobody ran.
            self._offline_through = next_row_id - 1
        self._waits.restore(backlogs, self._offline_through)

    def held(self) -> tuple[OutboxRow, ...]:
        """Return every row in memory, as the store should have it."""
        in_flight: tuple[OutboxRow, ...] = ()
        if self._in_flight is not None and self._head is not None:
            in_flight = (self._head, *self._in_flight.rows[1:])
        lanes = self._waits.lanes.values()
        return in_flight + tuple(row for lane in lanes for row in lane.window)

    def committed(self, writes: Iterable[Write]) -> None:
        """Take note of the rows among what is on disk now, in the order of commits."""
        for write in writes:
            if isinstance(write, Enqueue):
                self.enqueued(write.row)
            elif isinstance(write, SetAside):
                self.quarantined += 1

    def enqueued(self, row: OutboxRow) -> None:
        """Take note of a row that has been committed, at once and in the order of commits."""
        self._rate.left(-1)
        self._waits.enqueued(row)

    def released(self, row: OutboxRow, *, is_retried: bool) -> None:
        """Take note that a person's decision on a quarantined row has been committed."""
        self.quarantined -= 1
        if is_retried:
            fresh = replace(row, attempts=0, sent=None, sent_version=None, sent_with=())
            self._waits.released(fresh)

    def forget(self, lane_name: str, row_ids: Iterable[int]) -> tuple[int, ...]:
        """Let go of rows that are about to be deleted for want of room.

        Returns those that may be: not what is in flight, and nothing of a lane nobody knows.
        """
        in_flight = self._in_flight.row_ids if self._in_flight else ()
        return self._waits.forget(lane_name, row_ids, in_flight)

    def kept_after_all(self, lane_name: str, row_ids: Sequence[int]) -> None:
        """Take back `forget`: the store did not delete them."""
        self._waits.kept_after_all(lane_name, row_ids)

    def needs_refill(self) -> list[LaneAsk]:
        """Return what to read from the store; often nothing.

        Every answer goes to `refill` before this is asked again; one that failed is forgotten.
        """
        return self._waits.needs_refill()

    def unreadable(self, ask: LaneAsk) -> None:
        """The store could not answer: the rest of that lane waits for `restore`."""
        self._waits.unreadable(ask)

    def refill(self, ask: LaneAsk, rows: Sequence[OutboxRow]) -> None:
        """Take the store's answer to one ask."""
        self._waits.refill(ask, rows)

    def next_batch(self, now: float, version: str) -> Batch | None:
        """Return what leaves next for a cloud that speaks `version`; None: nothing may.

        It is in flight until `confirmed`, `refused`, `unanswered` or `link_lost`.
        """
        if self._in_flight is not None:
            return None
        self._rate.looked(now)
        lane = self._waits.next_lane(now)
        if lane is None:
            if self._waits.count == 0:
                self._rate.stopped()
            return None
        is_behind = self._waits.count >= self.delivery.merge_from
        batch = batch_from(
            lane.window,
            version,
            self._bound.applied(self.delivery) if is_behind and not lane.is_head_alone else None,
            offline_through=self._offline_through,
        )
        if batch.row_ids[0] in self._shortened:
            batch = replace(batch, is_shortened=True)
        self._in_flight, self._head = batch, batch.rows[0]
        self._waits.take(lane, batch.rows)
        return batch

    def mark_sent(
        self,
        batch: Batch,
        message_id: str,
        payload: bytes,
        version: str,
        next_seq_no: int = 0,
        *,
        at: datetime | None = None,
    ) -> MarkSent:
        """Return what to commit before the CALL leaves `at`; a retry repeats these bytes."""
        if batch is self._in_flight and self._head is not None:
            self._head = replace(
                self._head,
                message_id=message_id,
                sent=payload,
                sent_version=version,
                sent_with=batch.row_ids[1:],
            )
        number = batch.transaction
        return MarkSent(batch.row_ids, message_id, payload, version, number, next_seq_no, at)

    def confirmed(self, batch: Batch, at: datetime | None = None) -> list[Write]:
        """The cloud has it. Another may leave before this is committed."""
        if batch is not self._in_flight:
            return []
        self._in_flight = self._head = None
        self._answers += 1
        self._rate.left(len(batch.rows))
        self._shortened.discard(batch.row_ids[0])
        more = self._bound.confirmed(self.delivery, at) if at is not None else []
        return [Confirm(batch.row_ids, at), *more]

    def refused(
        self, batch: Batch, code: str, description: str, *, now: float, at: datetime
    ) -> list[Write]:
        """The cloud answered with a CALLERROR."""
        if batch is not self._in_flight or self._head is None:
            return []
        self._answers += code != NO_ANSWER
        head = self._head
        attempts = head.attempts + 1
        if code not in PERMANENT_ERRORS and attempts < self.delivery.attempts:
            self._put_back(batch, replace(head, attempts=attempts))
            self._waits.park(self._lane(batch), now + self.delivery.retry_interval_s * attempts)
            return [CountAttempt(head.id, attempts)]
        if len(batch.row_ids) > 1:
            alone = _untold(batch, head) if code in PERMANENT_ERRORS else head
            return self._split(batch, alone, at)
        if code in SIZE_ERRORS and not batch.is_shortened and may_be_shortened(batch.event):
            self._shortened.add(head.id)
            self._put_back(batch, _untold(batch, head))
            return []
        self._in_flight = self._head = None
        self.quarantined += 1
        lane = self._lane(batch)
        was_it = self._bound.culprit_found() if head.id <= lane.alone_through else []
        return [Quarantine(head.id, at, code, description), *was_it]

    def unanswered(self, batch: Batch, *, now: float, at: datetime) -> list[Write]:
        """The cloud is connected, and silent beyond its time.

        That is an attempt only if the cloud has answered another message meanwhile: else it is the
        cloud that fails, and an outage of its own must not put one row after the other into
        quarantine. Where no other lane has anything to say, silence is a row's fault after an hour.
        """
        if batch is not self._in_flight or self._head is None:
            return []
        lane, head = self._lane(batch), self._head
        silent_s = lane.fell_silent(head.id, now)
        answers_others = self._answers > self._answers_at_silence
        self._answers_at_silence = self._answers
        is_alone = self._waits.count == lane.waiting
        if answers_others or (is_alone and silent_s >= SILENT_ALONE_S):
            return self.refused(batch, NO_ANSWER, "", now=now, at=at)
        self._put_back(batch, head)
        waits = min(lane.silences, MOST_WAITS)
        self._waits.park(self._lane(batch), now + self.delivery.retry_interval_s * waits)
        return []

    def postponed(self, batch: Batch, until: float) -> None:
        """It cannot be said yet: its lane waits until then, or until another row joins it."""
        if batch is self._in_flight and self._head is not None:
            self._put_back(batch, self._head)
            self._waits.park(self._lane(batch), until)
            self._lane(batch).is_postponed = True

    def link_lost(self, now: float = 0.0) -> None:
        """The cloud is gone: what was in flight is first again, and no attempt is counted.

        What was in flight twice in a row when the link was lost may be why: others go first.
        """
        self._offline_through = self._waits.highest_id
        self._rate.stopped()
        batch, head = self._in_flight, self._head
        if batch is None or head is None:
            return
        self._put_back(batch, head)
        if self._lane(batch).was_lost(head.id) > 1:
            self._waits.park(self._lane(batch), now + LOST_AGAIN_WAIT_S)

    def due_at(self) -> float | None:
        """Return when the next parked lane may try again, monotonic; None: none is parked."""
        return self._waits.due_at()

    @property
    def may_go(self) -> bool:
        """Whether something could leave at once."""
        return self._in_flight is None and self._waits.may_go

    def drain_estimate(self) -> float | None:
        """Return the seconds until all that waits has left, at the pace of the last minute.

        None: the cloud is away, or too little was seen, or more is added than leaves.
        """
        in_flight = 0 if self._in_flight is None else len(self._in_flight.rows)
        return self._rate.seconds_for(self._waits.count + in_flight)

    def depth(self) -> Depth:
        """Return how much waits, what is in flight included, and since when."""
        instants = self._waits.instants()
        in_flight = 0
        if self._in_flight is not None:
            in_flight = len(self._in_flight.rows)
            instants.append(self._in_flight.rows[0].enqueued_at)
        oldest_at = min((at for at in instants if at is not None), default=None)
        return Depth(self._waits.count + in_flight, self.quarantined, oldest_at)

    def _put_back(self, batch: Batch, head: OutboxRow) -> None:
        """Make the rows in flight the first of their lane again, and the lane the next to go."""
        self._in_flight = self._head = None
        self._waits.put_back(self._lane(batch), (head, *batch.rows[1:]))

    def _split(self, batch: Batch, head: OutboxRow, at: datetime) -> list[Write]:
        """One of the rows is the culprit, or all are too long together: each travels alone."""
        self._lane(batch).alone_through = batch.row_ids[-1]
        alone = replace(head, attempts=0, sent=None, sent_version=None, sent_with=())
        values, size = meter_values_in(batch.event), estimated_bytes(batch.event)
        self._put_back(batch, alone)
        writes: list[Write] = [CountAttempt(head.id, 0)] if head.attempts else []
        return writes + self._bound.refused(values, size, at)

    def _lane(self, batch: Batch) -> Lane:
        return self._waits.lanes[batch.lane]


def _untold(batch: Batch, head: OutboxRow) -> OutboxRow:
    """Return the head as before it left: the cloud has said that it did not take it."""
    return replace(head, message_id=batch.rows[0].message_id, sent=None, sent_version=None)
