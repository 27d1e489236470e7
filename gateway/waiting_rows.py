"""What waits for the cloud: which lane goes next, and which of its rows are in memory. Pure.

1. The rows of a lane leave in order of acceptance. Lanes take turns; one that has an Ended in
   front comes first. A lane that waits for its next attempt holds up no other.
2. Rows live in the store; a few of each lane are held here, more are asked for.

What is in flight is not among them. `now` is monotonic.
"""

import heapq
from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from gateway.batches import Delivery
from gateway.events import EventType, TransactionChanged
from gateway.lanes import STRICT_LANE, Lane, LaneAsk
from gateway.records import LaneBacklog, OutboxRow

_ASKS_AT_ONCE = 8
"""Lanes read from the store before the next CALL is chosen."""


class WaitingRows:
    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.lanes: dict[str, Lane] = {}
        # A lane that may go is in one of these two, in the order of turns.
        self._ended_first: OrderedDict[str, None] = OrderedDict()
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._hungry: OrderedDict[str, None] = OrderedDict()
        self._parked: list[tuple[float, str]] = []
        self._is_mixed = False
        """Rows wait that were accepted in one order for all, and others in one for each EVSE."""
        self.count = 0
        self.held = 0
        """Rows in memory."""
        self.highest_id = 0
        """Of all that were announced."""
        self._arrived: Counter[str] = Counter()
        """Rows announced since the store has been asked what `restore` is told, by lane."""

    def restoring(self) -> None:
        """The store is about to be asked what `restore` is told: rows may come meanwhile."""
        self._arrived.clear()

    def restore(self, backlogs: Iterable[LaneBacklog], highest_id: int) -> None:
        """Start, or start again, from what the store holds."""
        self.lanes = {
            backlog.lane: Lane(backlog.lane, backlog.pending, oldest_at=backlog.oldest_at)
            for backlog in backlogs
        }
        for name, count in self._arrived.items():
            # Some were counted by the store too: too many are noticed when the lane is read.
            self.lanes.setdefault(name, Lane(name)).waiting += count
        self._ended_first.clear()
        self._turns.clear()
        self._hungry.clear()
        self._parked.clear()
        self.count = sum(lane.waiting for lane in self.lanes.values())
        self.held = 0
        self.highest_id = max(highest_id, self.highest_id)
        for lane in self.lanes.values():
            self._place(lane)

    def enqueued(self, row: OutboxRow) -> None:
        """Take note of a new row, in the order of commits."""
        self.highest_id = max(self.highest_id, row.id)
        self._add(row)

    def released(self, row: OutboxRow) -> None:
        """Take note that a row is back from quarantine, somewhere among the others."""
        self._add(row)
        self.lanes[row.lane].asked = None  # an answer on its way may be without it

    def forget(
        self, lane_name: str, row_ids: Iterable[int], in_flight: Sequence[int]
    ) -> tuple[int, ...]:
        """Let go of rows; see `Outbox.forget`."""
        lane = self.lanes.get(lane_name)
        if lane is None:
            return ()
        going = tuple(row_id for row_id in row_ids if row_id not in in_flight)
        gone = set(going)
        kept = [row for row in lane.window if row.id not in gone]
        self.held -= len(lane.window) - len(kept)
        lane.window = kept
        lane.asked = None  # an answer on its way still holds them
        self._set_waiting(lane, lane.waiting - len(going))
        self._place(lane)
        return going

    def kept_after_all(self, lane_name: str, row_ids: Sequence[int]) -> None:
        """Take back `forget`."""
        if (lane := self.lanes.get(lane_name)) is not None:
            # What is held behind the gap is read again with it, in its order.
            kept = [row for row in lane.window if row.id < row_ids[0]]
            self.held -= len(lane.window) - len(kept)
            lane.window, lane.asked = kept, None
            lane.read_through = min(lane.read_through, row_ids[0] - 1)
            self._set_waiting(lane, lane.waiting + len(row_ids))
            self._place(lane)

    def needs_refill(self) -> list[LaneAsk]:
        """Return what to read from the store; often nothing.

        Every answer goes to `refill` before this is asked again; one that failed is forgotten.
        """
        asks: list[LaneAsk] = []
        room = self.delivery.held_rows - self.held
        nobody_may_go = not (self._turns or self._ended_first)
        for name in islice(self._hungry, _ASKS_AT_ONCE):
            lane = self.lanes[name]
            limit = self.delivery.lane_rows - len(lane.window)
            if limit > room and (asks or not nobody_may_go):
                break
            room -= limit
            lane.asked = LaneAsk(name, lane.read_through, limit)
            lane.asked_at_id, lane.unread = self.highest_id, 0
            asks.append(lane.asked)
        return asks

    def refill(self, ask: LaneAsk, rows: Sequence[OutboxRow]) -> None:
        """Take the store's answer to one ask."""
        lane = self.lanes[ask.lane]
        if ask != lane.asked:
            return
        lane.asked = None
        # A row that `enqueued` has not announced yet is left for its announcement.
        known = [row for row in rows if row.id <= self.highest_id]
        for row in known:
            self._hold(lane, row)
        if len(rows) < ask.limit:
            counted_twice = sum(row.id > lane.asked_at_id for row in known)
            self._set_waiting(lane, len(lane.window) + lane.unread - counted_twice)
        self._place(lane)

    def unreadable(self, ask: LaneAsk) -> None:
        """Let a lane wait until `restore`: the store could not answer."""
        lane = self.lanes[ask.lane]
        if ask == lane.asked:
            lane.asked, lane.is_unreadable = None, True
            self._place(lane)

    def next_lane(self, now: float) -> Lane | None:
        """Return the lane whose turn it is, which is the last in the order of turns by that."""
        while (due_at := self.due_at()) is not None and due_at <= now:
            self._let_go(self.lanes[self._parked[0][1]])
        queue = self._ended_first or self._turns
        return self.lanes[queue.popitem(last=False)[0]] if queue else None

    def take(self, lane: Lane, rows: Sequence[OutboxRow]) -> None:
        """Let the first rows of a lane leave."""
        taken = {row.id for row in rows}
        self.held -= len(rows)
        lane.window = [row for row in lane.window if row.id not in taken]
        lane.oldest_at = rows[0].enqueued_at
        self._set_waiting(lane, lane.waiting - len(rows))
        self._place(lane)

    def put_back(self, lane: Lane, rows: Sequence[OutboxRow]) -> None:
        """Make what left the first of its lane again, and the lane the next to go."""
        self._set_waiting(lane, lane.waiting + len(rows))
        for row in rows:
            self._hold(lane, row)
        self._place(lane)
        for queue in (self._ended_first, self._turns):
            if lane.name in queue:
                queue.move_to_end(lane.name, last=False)

    def park(self, lane: Lane, until: float) -> None:
        """Let a lane wait for its next attempt."""
        heapq.heappush(self._parked, (until, lane.name))
        self.held -= lane.park(until)
        self._place(lane)

    def due_at(self) -> float | None:
        """Return when the next parked lane may try again; None: none is parked."""
        while self._parked and self.lanes[self._parked[0][1]].parked_until != self._parked[0][0]:
            heapq.heappop(self._parked)  # it has been let go meanwhile
        return self._parked[0][0] if self._parked else None

    @property
    def may_go(self) -> bool:
        return bool(self._ended_first or self._turns)

    def instants(self) -> list[datetime | None]:
        """Return when the first row of each lane was enqueued, or one before it."""
        return [
            lane.window[0].enqueued_at if lane.window else lane.oldest_at
            for lane in self.lanes.values()
            if lane.waiting > 0
        ]

    def _add(self, row: OutboxRow) -> None:
        lane = self.lanes.get(row.lane)
        if lane is None:
            lane = self.lanes[row.lane] = Lane(row.lane)
        self._arrived[row.lane] += 1
        has_all = len(lane.window) >= lane.waiting
        has_room = (
            len(lane.window) < self.delivery.lane_rows and self.held < self.delivery.held_rows
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
        self.held += 1
        lane.read_through = max(lane.read_through, row.id)

    def _set_waiting(self, lane: Lane, waiting: int) -> None:
        self.count += waiting - lane.waiting
        lane.waiting = waiting

    def _place(self, lane: Lane) -> None:
        """Put the lane where it belongs; one that is there already keeps its turn."""
        strict = self.lanes.get(STRICT_LANE)
        was_mixed = self._is_mixed
        self._is_mixed = strict is not None and 0 < strict.waiting < self.count
        if self._is_mixed or was_mixed:
            for each in self.lanes.values():
                self._seat(each)
        else:
            self._seat(lane)

    def _seat(self, lane: Lane) -> None:
        may_go = bool(lane.window) and not lane.is_parked and self._is_oldest(lane)
        has_end = may_go and _is_end(lane.window[0])
        _keep(self._ended_first, lane.name, has_end)
        _keep(self._turns, lane.name, may_go and not has_end)
        is_low = len(lane.window) * 2 < self.delivery.lane_rows
        is_stuck = lane.is_parked or lane.is_unreadable
        is_hungry = is_low and lane.waiting > len(lane.window) and not is_stuck
        _keep(self._hungry, lane.name, is_hungry)

    def _is_oldest(self, lane: Lane) -> bool:
        """Whether nothing that was accepted before it, in the other order, still waits."""
        if not self._is_mixed:
            return True
        others = (
            other
            for other in self.lanes.values()
            if other.is_strict is not lane.is_strict and other.waiting > 0
        )
        return all(other.window and other.window[0].id > lane.window[0].id for other in others)

    def _let_go(self, lane: Lane) -> None:
        lane.parked_until, lane.is_postponed = None, False
        self._place(lane)


def _is_end(row: OutboxRow) -> bool:
    return isinstance(row.event, TransactionChanged) and row.event.event_type is EventType.ENDED


def _keep(queue: OrderedDict[str, None], name: str, belongs: bool) -> None:
    if belongs:
        queue.setdefault(name)
    else:
        queue.pop(name, None)
