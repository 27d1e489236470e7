"""What an EVSE has drawn over the last day, minute by minute. Pure; not kept over a restart.

A minute holds the highest current seen in it on any phase, A RMS. Four bytes each: what a site of
a thousand EVSEs remembers is a few megabytes.
"""

from array import array
from datetime import UTC, datetime
from math import isnan, nan
from typing import NamedTuple

MINUTE_S = 60
MINUTES = 1440
"""A day."""


class DrawPoint(NamedTuple):
    """From `at` on, for a minute."""

    at: datetime
    drawn_a: float | None
    """None: not known."""


class Draws:
    """One EVSE's day. Takes no room until something was drawn."""

    __slots__ = ("_minute", "_values")

    def __init__(self) -> None:
        self._values = array("f")
        self._minute = 0
        """Of the newest value."""

    def note(self, drawn_a: float | None, at: datetime) -> None:
        """Note what is drawn; None: not known. A clock that was set back adds nothing."""
        minute = int(at.timestamp()) // MINUTE_S
        if not self._values:
            if not drawn_a:
                return
            self._values, self._minute = array("f", [nan]) * MINUTES, minute
        if minute < self._minute:
            return
        for missed in range(max(self._minute + 1, minute - MINUTES + 1), minute + 1):
            self._values[missed % MINUTES] = nan
        self._minute = minute
        present = self._values[minute % MINUTES]
        if drawn_a is not None and (isnan(present) or drawn_a > present):
            self._values[minute % MINUTES] = drawn_a

    def points(self) -> list[DrawPoint]:
        """Return what is known, oldest first, from the first minute that is."""
        points: list[DrawPoint] = []
        if not self._values:
            return points
        for minute in range(self._minute - MINUTES + 1, self._minute + 1):
            value = self._values[minute % MINUTES]
            if points or not isnan(value):
                at = datetime.fromtimestamp(minute * MINUTE_S, UTC)
                points.append(DrawPoint(at, None if isnan(value) else round(value, 1)))
        return points
