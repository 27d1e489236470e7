"""How fast what waits may leave for the cloud, and when all of it will have left. Pure.

As fast as the cloud answers: one CALL after the other. Slower when it cannot keep up: after an
answer that took long it is left alone for as long as it was late, after an error for twice as long
as after the one before. Sites that return together do not begin in the same second. What a driver
waits for, statuses and answers to commands are not held back.

`now` is monotonic seconds.
"""

from collections.abc import Callable
from math import exp

SLOW_ANSWER_S = 2.0
"""An answer that takes longer says that the cloud has enough to do."""
FIRST_PAUSE_S = 1.0
"""After the first error that may go away by itself."""
LONGEST_PAUSE_S = 30.0
SPREAD_S = 5.0
SPREAD_FROM_S = 60.0
"""After an outage so long many others may return in the same second."""
SPREAD_FROM_ROWS = 100
"""Less than this is no burden to anybody."""
MEMORY_S = 60.0
"""Time constant of the moving average."""
LEAST_MEASURED_S = 2.0
"""Nothing is said of the time left before so much was seen."""


class Pace:
    """When the next of what waits may leave.

    Args:
        dice: uniform in [0, 1).
    """

    def __init__(self, dice: Callable[[], float]) -> None:
        self.ready_at = 0.0
        self._dice = dice
        self._pause_s = 0.0
        self._lost_at = float("-inf")

    def connected(self, now: float, waiting: int) -> None:
        """Note that the cloud is there; `waiting` rows are for it."""
        may_be_many = now - self._lost_at >= SPREAD_FROM_S and waiting >= SPREAD_FROM_ROWS
        self.ready_at = now + SPREAD_S * self._dice() if may_be_many else 0.0
        self._pause_s = 0.0

    def lost(self, now: float) -> None:
        self._lost_at = now

    def answered(self, took_s: float, now: float) -> None:
        self._pause_s = 0.0
        self.ready_at = now + min(max(took_s - SLOW_ANSWER_S, 0.0), LONGEST_PAUSE_S)

    def troubled(self, now: float) -> None:
        """Note an error that is not about the message."""
        self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self.ready_at = now + self._pause_s


class DrainRate:
    """A moving average of how many rows fewer wait, per second, while they leave."""

    def __init__(self) -> None:
        self._since: float | None = None
        """Until when was measured; None: nothing leaves at present."""
        self._fewer = 0.0
        self._seconds = 0.0
        self._not_yet = 0
        """Rows that have left, less those that have come, since then."""

    def left(self, rows: int) -> None:
        """Note that the cloud has so many more rows; negative: so many have been added."""
        self._not_yet += rows

    def looked(self, now: float) -> None:
        """Note the time; asked for each CALL."""
        if self._since is not None:
            elapsed_s = max(now - self._since, 0.0)
            kept = exp(-elapsed_s / MEMORY_S)
            self._seconds = self._seconds * kept + elapsed_s
            self._fewer = self._fewer * kept + self._not_yet
        self._since, self._not_yet = now, 0

    def stopped(self) -> None:
        """Nothing waits, or nobody is there to take it."""
        self._since, self._fewer, self._seconds, self._not_yet = None, 0.0, 0.0, 0

    def seconds_for(self, rows: int) -> float | None:
        """Return how long so many rows take; None: unknown, or they do not become fewer."""
        if rows == 0:
            return 0.0
        if self._seconds < LEAST_MEASURED_S or self._fewer <= 0:
            return None
        return rows * self._seconds / self._fewer
