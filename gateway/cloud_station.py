"""The one charging station that the cloud sees: what it says next. Pure.

Rule 1: one unanswered CALL (1.6J §4.1.1, 2.0.1 Part 4 §4.1.1); `next_saying` is asked for the next
one when the last was answered, refused or given up.
Rule 2: registration first; before Accepted nothing else leaves, see `registration`.
Rule 3: what a driver waits for (Authorize) overtakes; then comes what the cloud has asked to be
told, while Pending too (B02.FR.02); then statuses and billing take turns, so that neither a burst
of statuses nor a long backlog holds up the other; but a connection begins with every status that
the cloud has not heard.
Rule 4: billing leaves as fast as the cloud bears it, see `pace`; nothing else waits for that.
Rule 5: who waits for an answer always gets one: None when the cloud is lost or silent.

`now` is monotonic seconds.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.batches import Batch
from gateway.events import Answer, Event, HeartbeatSent, StatusChanged
from gateway.outbox import Outbox
from gateway.pace import Pace
from gateway.registration import Registration
from gateway.status_board import StatusBoard

QUESTIONS_MAXIMUM = 1000
"""Drivers waiting for a verdict at once; one more is answered from what the site knows."""

Deliver = Callable[[Answer | None], None]


@dataclass(frozen=True, slots=True)
class Saying:
    """One thing to tell the cloud now."""

    event: Event | None
    """None: it comes from `batch`, in the cloud's version and numbers."""
    batch: Batch | None = None
    deliver: Deliver | None = None
    """Waits for the answer."""


class CloudStation:
    """Chooses what is said; whoever sends it reports back to the parts directly."""

    def __init__(self, registration: Registration, statuses: StatusBoard, outbox: Outbox) -> None:
        self.registration = registration
        self.statuses = statuses
        self.outbox = outbox
        self.pace = Pace(registration.dice)
        self.version = ""
        """The version the cloud chose on this connection."""
        self._triggered: deque[Saying] = deque()
        self._questions: deque[Saying] = deque()
        self._is_statuses_turn = True
        self._statuses_first = 0
        """So many more at most leave before any billing: a new connection begins with what is."""

    # Feed.

    def connected(self, version: str, now: float) -> None:
        if version != self.version:
            self.statuses.tell_everything()
        self.version = version
        self.registration.connected(now)
        self.statuses.cloud_back(now)
        self._statuses_first = len(self.statuses.numbers)
        self.pace.connected(now, self.outbox.depth().pending)

    def lost(self, now: float) -> float:
        """Note that the socket is gone; return the seconds to wait before the next attempt."""
        if self.registration.is_connected:
            self.statuses.cloud_lost(now)
            self.outbox.link_lost(now)
            self.pace.lost(now)
        waiting = [*self._questions]
        self._questions.clear()
        self._triggered.clear()
        for saying in waiting:
            if saying.deliver is not None:
                saying.deliver(None)
        return self.registration.lost(now)

    def ask(self, event: Event, deliver: Deliver) -> None:
        """Ask the cloud something a driver waits for; answered None at once while it is away."""
        if not self.registration.is_registered or len(self._questions) >= QUESTIONS_MAXIMUM:
            deliver(None)
            return
        self._questions.append(Saying(event, deliver=deliver))

    def triggered(self, event: Event) -> None:
        """Tell the cloud what it asked to be told, even before it has accepted us."""
        if self.registration.may_answer_triggers and len(self._triggered) < QUESTIONS_MAXIMUM:
            self._triggered.append(Saying(event))

    # Drain.

    def next_saying(self, now: float) -> Saying | None:
        """Return what must leave now; it is taken as said."""
        event = self.registration.next_event(now)
        if event is not None:
            if isinstance(event, HeartbeatSent):
                self.registration.heartbeat_sent(now)
            return Saying(event)
        if self._questions and self.registration.is_registered:
            return self._questions.popleft()
        if self._triggered and self.registration.may_answer_triggers:
            return self._triggered.popleft()
        return self._next_in_turn(now) if self.registration.is_registered else None

    def _next_in_turn(self, now: float) -> Saying | None:
        status: StatusChanged | None = None
        if self._is_statuses_turn or self._statuses_first:
            status = self.statuses.next_status(self.version)
        self._is_statuses_turn = status is None
        self._statuses_first = 0 if status is None else max(self._statuses_first - 1, 0)
        if status is not None:
            return Saying(status)
        batch = None
        if now >= self.pace.ready_at:
            batch = self.outbox.next_batch(now, self.version)
        if batch is not None:
            return Saying(None, batch)
        status = self.statuses.next_status(self.version)
        return Saying(status) if status is not None else None

    def next_timer(self) -> float | None:
        """Return when `next_saying` may have something without being fed; None: never."""
        timers = [self.registration.next_timer(), self.statuses.next_timer()]
        if self.registration.is_registered:
            timers.append(self.outbox.due_at())
            timers.append(self.pace.ready_at if self.outbox.may_go else None)
        return min((timer for timer in timers if timer is not None), default=None)
