"""The lanes of the outbox: which rows wait for which, and what is held of each. Pure.

By default every EVSE has a lane of its own, and the station one for what concerns no EVSE: 2.0.1
Part 2 §1.3.2 numbers the events of a transaction because their order among EVSEs is free. A strict
site has one lane for everything, as the letter of 1.6 §3.7 has it: a row that fails holds up all
others. A row keeps the lane it was accepted in: after the site file has changed from one order to
the other, what was accepted before leaves before what was accepted after.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from gateway.records import OutboxRow

STRICT_LANE = "site"
STATION_LANE = "station"


class LaneAsk(NamedTuple):
    """The arguments of the store's `read_lane`."""

    lane: str
    after_id: int
    limit: int


@dataclass(slots=True)
class Lane:
    """What the outbox knows of one lane."""

    name: str
    waiting: int = 0
    """Rows in the store, without those in flight."""
    window: list[OutboxRow] = field(default_factory=list)
    """The first of them, in order."""
    read_through: int = 0
    """The highest id that has been in the window: more are read from here on."""
    asked: LaneAsk | None = None
    """What the store is being asked; None: nothing, or its answer would leave a gap."""
    asked_at_id: int = 0
    """The highest id of all at that time."""
    unread: int = 0
    """Rows enqueued since then that are not in the window."""
    oldest_at: datetime | None = None
    """When the first was enqueued, or one before it; unused while the window holds any."""
    alone_through: int = 0
    """Up to this id every row travels alone: together they were refused."""
    parked_until: float | None = None
    """When it may try again, monotonic; None: it is not parked."""
    is_postponed: bool = False
    """It is parked for something a later row may bring: that row ends it."""

    is_unreadable: bool = False
    """The store could not read it: nothing of it leaves before it can, to keep its order."""

    silent_id: int = 0
    """The first row of the lane that the cloud last did not answer."""
    silent_since: float = 0.0
    silences: int = 0
    """How often it did not answer that one."""
    lost_id: int = 0
    """The row that was in flight when the link was last lost with one of this lane."""
    losses: int = 0

    @property
    def is_head_alone(self) -> bool:
        return self.window[0].id <= self.alone_through

    @property
    def is_parked(self) -> bool:
        return self.parked_until is not None

    @property
    def is_strict(self) -> bool:
        return self.name == STRICT_LANE

    def fell_silent(self, row_id: int, now: float) -> float:
        """Note that a row was not answered; return since when it is not, s."""
        if row_id != self.silent_id:
            self.silent_id, self.silent_since, self.silences = row_id, now, 0
        self.silences += 1
        return now - self.silent_since

    def was_lost(self, row_id: int) -> int:
        """Note that the link was lost over a row; return how often in a row it was this one."""
        self.losses = self.losses + 1 if row_id == self.lost_id else 1
        self.lost_id = row_id
        return self.losses

    def park(self, until: float) -> int:
        """Hold it up until then; return how many rows are let go from the memory.

        It may wait for long: memory is for those who go.
        """
        self.parked_until = until
        kept = 1 + len(self.window[0].sent_with)
        let_go = len(self.window) - len(self.window[:kept])
        self.window = self.window[:kept]
        self.read_through = self.window[-1].id
        self.asked = None
        return let_go


def lane_of(cloud_evse: int | None, *, is_strict: bool = False) -> str:
    """Return the lane of an EVSE's rows, None: the station's."""
    if is_strict:
        return STRICT_LANE
    return STATION_LANE if cloud_evse is None else f"evse/{cloud_evse}"
