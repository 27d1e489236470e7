"""Which CALL leaves for the cloud next, and what becomes of its rows when it is answered. Pure.

1. One CALL is unanswered at any time (OCPP-J 1.6 §4.1.1, 2.0.1 Part 4 §4.1.1).
2. The rows of a lane leave in order of acceptance. Lanes take turns; one that has an Ended in
   front comes first. A lane that waits for its next attempt holds up no other.
3. What may have left before leaves again byte by byte, under a new message id (1.6, 2.0.1).
4. A row is forgotten when the cloud has confirmed it, and never otherwise: what it will not
   take goes to quarantine (1.6 §3.7.1, E13.FR.04: "discard"; we keep it).
5. Attempts count only when the cloud answered with an error, or was silent to this row while it
   answered others.

Rows live in the store; a few of each lane are held here, more are asked for. `now` is monotonic.
"""

import heapq
from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
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
from gateway.events import EventType, TransactionChanged
from gateway.lanes import STRICT_LANE, Lane, LaneAsk
from gateway.merge_bound import MergeBound
from gateway.pace import DrainRate
from gateway.records import (
    Confirm,
    CountAttempt,
    Enqueue,
    LaneBacklog,
    MarkSent,
    OutboxRow,
    Quarantine,
    SetAside,
    Write,
)

_ASKS_AT_ONCE = 8
"""Lanes read from the store before the next CALL is chosen."""
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
        self.delivery = delivery or Delivery()
        self._bound = bound or MergeBound()
        self.quarantined = 0
        self._lanes: dict[str, Lane] = {}
        # A lane that may go is in one of these two, in the order of turns.
        self._ended_first: OrderedDict[str, None] = OrderedDict()
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._parked: list[tuple[float, str]] = []
        self._in_flight: Batch | None = None
        self._head: OutboxRow | None = None
        """The first row in flight, with the marks it has got since."""
        self._waiting = 0
        self._is_mixed = False
        """Rows wait that were accepted in one order for all, and others in one for each EVSE."""
        self._held = 0
        self._highest_id = 0
        self._offline_through = 0
        self._rate = DrainRate()
        self._shortened: set[int] = set()
        """Rows that are too long for the cloud as they are."""
        self._answers = 0
        """How often the cloud has answered a message, whatever it said."""
        self._answers_at_silence = 0

    def restore(
        self, backlogs: Iterable[LaneBacklog], *, quarantined: int, next_row_id: int
    ) -> None:
        """Start, or start again after the store failed, from what the store holds."""
        self.quarantined = quarantined
        self._lanes = {
            backlog.lane: Lane(backlog.lane, backlog.pending, oldest_at=backlog.oldest_at)
            for backlog in backlogs
        }
        self._ended_first.clear()
        self._turns.clear()
        self._hungry.clear()
        self._parked.clear()
        self._in_flight = self._head = None
        self._waiting = sum(lane.waiting for lane in self._lanes.values())
        self._held = 0
        # Nobody was connected while nobody ran.
        self._highest_id = self._offline_through = next_row_id - 1
        for lane in self._lanes.values():
            self._place(lane)

    def committed(self, writes: Iterable[Write]) -> None:
        """Take note of the rows among what is on disk now, in the order of commits."""
        for write in writes:
            if isinstance(write, Enqueue):
                self.enqueued(write.row)
            elif isinstance(write, SetAside):
                self.quarantined += 1

    def enqueued(self, row: OutboxRow) -> None:
        """Take note of a row that has been committed, at once and in the order of commits."""
        self._highest_id = max(self._highest_id, row.id)
        self._rate.left(-1)
        self._add(row)

    def released(self, row: OutboxRow, *, is_retried: bool) -> None:
        """Take note that a person's decision on a quarantined row has been committed."""
        self.quarantined -= 1
        if is_retried:
            self._add(replace(row, attempts=0, sent=None, sent_version=None, sent_with=()))
            self._lanes[row.lane].asked = None

    def forget(self, lane_name: str, row_ids: Iterable[int]) -> tuple[int, ...]:
        """Let go of rows that are about to be deleted for want of room.

        Returns those that may be: not what is in flight, and nothing of a lane nobody knows.
        """
        lane = self._lanes.get(lane_name)
        if lane is None:
            return ()
        in_flight = self._in_flight.row_ids if self._in_flight else ()
        going = tuple(row_id for row_id in row_ids if row_id not in in_flight)
        gone = set(going)
        kept = [row for row in lane.window if row.id not in gone]
        self._held -= len(lane.window) - len(kept)
        lane.window = kept
        lane.asked = None  # an answer on its way still holds them
        self._set_waiting(lane, lane.waiting - len(going))
        self._place(lane)
        return going

    def kept_after_all(self, lane_name: str, row_ids: Sequence[int]) -> None:
        """Take back `forget`: the store did not delete them."""
        if (lane := self._lanes.get(lane_name)) is not None:
            # What is held behind the gap is read again with it, in its order.
            kept = [row for row in lane.window if row.id < row_ids[0]]
            self._held -= len(lane.window) - len(kept)
            lane.window, lane.asked = kept, None
            lane.read_through = min(lane.read_through, row_ids[0] - 1)
            self._set_waiting(lane, lane.waiting + len(row_ids))
            self._place(lane)

    def needs_refill(self) -> list[LaneAsk]:
        """Return what to read from the store; often nothing.

        Every answer goes to `refill` before this is asked again; one that failed is forgotten.
        """
        asks: list[LaneAsk] = []
        room = self.delivery.held_rows - self._held
        nobody_may_go = not (self._turns or self._ended_first)
        for name in islice(self._hungry, _ASKS_AT_ONCE):
            lane = self._lanes[name]
            limit = self.delivery.lane_rows - len(lane.window)
            if limit > room and (asks or not nobody_may_go):
                break
            room -= limit
            lane.asked = LaneAsk(name, lane.read_through, limit)
            lane.asked_at_id, lane.unread = self._highest_id, 0
            asks.append(lane.asked)
        return asks

    def refill(self, ask: LaneAsk, rows: Sequence[OutboxRow]) -> None:
        """Take the store's answer to one ask."""
        lane = self._lanes[ask.lane]
        if ask != lane.asked:
            return
        lane.asked = None
        # A row that `enqueued` has not announced yet is left for its announcement.
        known = [row for row in rows if row.id <= self._highest_id]
        for row in known:
            self._hold(lane, row)
        if len(rows) < ask.limit:
            counted_twice = sum(row.id > lane.asked_at_id for row in known)
            self._set_waiting(lane, len(lane.window) + lane.unread - counted_twice)
        self._place(lane)

    def next_batch(self, now: float, version: str) -> Batch | None:
        """Return what leaves next for a cloud that speaks `version`; None: nothing may.

        It is in flight until `confirmed`, `refused`, `unanswered` or `link_lost`.
        """
        if self._in_flight is not None:
            return None
        self._rate.looked(now)
        self._unpark(now)
        queue = self._ended_first or self._turns
        if not queue:
            if self._waiting == 0:
                self._rate.stopped()
            return None
        lane = self._lanes[queue.popitem(last=False)[0]]
        is_behind = self._waiting >= self.delivery.merge_from
        batch = batch_from(
            lane.window,
            version,
            self._bound.applied(self.delivery) if is_behind and not lane.is_head_alone else None,
            offline_through=self._offline_through,
        )
        if batch.row_ids[0] in self._shortened:
            batch = replace(batch, is_shortened=True)
        taken = set(batch.row_ids)
        self._held -= len(batch.rows)
        lane.window = [row for row in lane.window if row.id not in taken]
        lane.oldest_at = batch.rows[0].enqueued_at
        self._set_waiting(lane, lane.waiting - len(batch.rows))
        self._in_flight, self._head = batch, batch.rows[0]
        self._place(lane)
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
            self._park(batch.lane, now + self.delivery.retry_interval_s * attempts)
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
        lane = self._lanes[batch.lane]
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
        lane, head = self._lanes[batch.lane], self._head
        silent_s = lane.fell_silent(head.id, now)
        answers_others = self._answers > self._answers_at_silence
        self._answers_at_silence = self._answers
        is_alone = self._waiting == lane.waiting
        if answers_others or (is_alone and silent_s >= SILENT_ALONE_S):
            return self.refused(batch, NO_ANSWER, "", now=now, at=at)
        self._put_back(batch, head)
        waits = min(lane.silences, MOST_WAITS)
        self._park(batch.lane, now + self.delivery.retry_interval_s * waits)
        return []

    def postponed(self, batch: Batch, until: float) -> None:
        """It cannot be said yet: its lane waits until then, or until another row joins it."""
        if batch is self._in_flight and self._head is not None:
            self._put_back(batch, self._head)
            self._park(batch.lane, until)
            self._lanes[batch.lane].is_postponed = True

    def link_lost(self, now: float = 0.0) -> None:
        """The cloud is gone: what was in flight is first again, and no attempt is counted.

        What was in flight twice in a row when the link was lost may be why: others go first.
        """
        self._offline_through = self._highest_id
        self._rate.stopped()
        batch, head = self._in_flight, self._head
        if batch is None or head is None:
            return
        self._put_back(batch, head)
        if self._lanes[batch.lane].was_lost(head.id) > 1:
            self._park(batch.lane, now + LOST_AGAIN_WAIT_S)

    def due_at(self) -> float | None:
        """Return when the next parked lane may try again, monotonic; None: none is parked."""
        while self._parked and self._lanes[self._parked[0][1]].parked_until != self._parked[0][0]:
            heapq.heappop(self._parked)  # it has been let go meanwhile
        return self._parked[0][0] if self._parked else None

    @property
    def may_go(self) -> bool:
        """Whether something could leave at once."""
        return bool(self._in_flight is None and (self._ended_first or self._turns))

    def drain_estimate(self) -> float | None:
        """Return the seconds until all that waits has left, at the pace of the last minute.

        None: the cloud is away, or too little was seen, or more is added than leaves.
        """
        in_flight = 0 if self._in_flight is None else len(self._in_flight.rows)
        return self._rate.seconds_for(self._waiting + in_flight)

    def depth(self) -> Depth:
        """Return how much waits, what is in flight included, and since when."""
        instants = [
            lane.window[0].enqueued_at if lane.window else lane.oldest_at
            for lane in self._lanes.values()
            if lane.waiting > 0
        ]
        in_flight = 0
        if self._in_flight is not None:
            in_flight = len(self._in_flight.rows)
            instants.append(self._in_flight.rows[0].enqueued_at)
        oldest_at = min((at for at in instants if at is not None), default=None)
        return Depth(self._waiting + in_flight, self.quarantined, oldest_at)

    def _add(self, row: OutboxRow) -> None:
        lane = self._lanes.setdefault(row.lane, Lane(row.lane))
        has_all = len(lane.window) >= lane.waiting
        has_room = (
            len(lane.window) < self.delivery.lane_rows and self._held < self.delivery.held_rows
        )
        if lane.waiting <= 0:
            lane.oldest_at = row.enqueued_at
        self._set_waiting(lane, lane.waiting + 1)
        if row.id <= lane.read_through or (has_all and has_room and not lane.is_parked):
            self._hold(lane, row)
        else:
            lane.unread += 1
        if lane.is_postponed:
            self._let_go(lane)  # it may tell what the first one waits for
        else:
            self._place(lane)

    def _hold(self, lane: Lane, row: OutboxRow) -> None:
        window = lane.window
        if not window or window[-1].id < row.id:
            window.append(row)
        elif all(held.id != row.id for held in window):
            insort(window, row, key=lambda held: held.id)
        else:
            return
        self._held += 1
        lane.read_through = max(lane.read_through, row.id)

    def _set_waiting(self, lane: Lane, waiting: int) -> None:
        self._waiting += waiting - lane.waiting
        lane.waiting = waiting

    def _place(self, lane: Lane) -> None:
        """Put the lane where it belongs; one that is there already keeps its turn."""
        strict = self._lanes.get(STRICT_LANE)
        was_mixed = self._is_mixed
        self._is_mixed = strict is not None and 0 < strict.waiting < self._waiting
        if self._is_mixed or was_mixed:
            for each in self._lanes.values():
                self._seat(each)
        else:
            self._seat(lane)

    def _seat(self, lane: Lane) -> None:
        may_go = bool(lane.window) and not lane.is_parked and self._is_oldest(lane)
        has_end = may_go and _is_end(lane.window[0])
        _keep(self._ended_first, lane.name, has_end)
        _keep(self._turns, lane.name, may_go and not has_end)
        is_low = len(lane.window) * 2 < self.delivery.lane_rows
        is_hungry = is_low and lane.waiting > len(lane.window) and not lane.is_parked
        _keep(self._hungry, lane.name, is_hungry)

    def _is_oldest(self, lane: Lane) -> bool:
        """Whether nothing that was accepted before it, in the other order, still waits."""
        if not self._is_mixed:
            return True
        others = (
            other
            for other in self._lanes.values()
            if other.is_strict is not lane.is_strict and other.waiting > 0
        )
        return all(other.window and other.window[0].id > lane.window[0].id for other in others)

    def _put_back(self, batch: Batch, head: OutboxRow) -> None:
        """Make the rows in flight the first of their lane again, and the lane the next to go."""
        lane = self._lanes[batch.lane]
        self._set_waiting(lane, lane.waiting + len(batch.rows))
        for row in (head, *batch.rows[1:]):
            self._hold(lane, row)
        self._in_flight = self._head = None
        self._place(lane)
        for queue in (self._ended_first, self._turns):
            if lane.name in queue:
                queue.move_to_end(lane.name, last=False)

    def _split(self, batch: Batch, head: OutboxRow, at: datetime) -> list[Write]:
        """One of the rows is the culprit, or all are too long together: each travels alone."""
        self._lanes[batch.lane].alone_through = batch.row_ids[-1]
        alone = replace(head, attempts=0, sent=None, sent_version=None, sent_with=())
        values, size = meter_values_in(batch.event), estimated_bytes(batch.event)
        self._put_back(batch, alone)
        writes: list[Write] = [CountAttempt(head.id, 0)] if head.attempts else []
        return writes + self._bound.refused(values, size, at)

    def _park(self, name: str, until: float) -> None:
        lane = self._lanes[name]
        heapq.heappush(self._parked, (until, name))
        self._held -= lane.park(until)
        self._place(lane)

    def _unpark(self, now: float) -> None:
        while (due_at := self.due_at()) is not None and due_at <= now:
            self._let_go(self._lanes[self._parked[0][1]])

    def _let_go(self, lane: Lane) -> None:
        lane.parked_until, lane.is_postponed = None, False
        self._place(lane)


def _is_end(row: OutboxRow) -> bool:
    return isinstance(row.event, TransactionChanged) and row.event.event_type is EventType.ENDED


def _untold(batch: Batch, head: OutboxRow) -> OutboxRow:
    """Return the head as before it left: the cloud has said that it did not take it."""
    return replace(head, message_id=batch.rows[0].message_id, sent=None, sent_version=None)


def _keep(queue: OrderedDict[str, None], name: str, belongs: bool) -> None:
    if belongs:
        queue.setdefault(name)
    else:
        queue.pop(name, None)
