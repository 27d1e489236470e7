"""What an EVSE has drawn over the last day, minute by minute. Pure; not kept over a restart.

A minute holds the highest current seen in it on any phase, A RMS, kept as deci-amps. Two bytes
each: what a site of a thousand EVSEs remembers is three megabytes.
"""

from array import array
from datetime import UTC, datetime
from typing import NamedTuple

MINUTE_S = 60
MINUTES = 1440
"""A day."""
_UNKNOWN_DA = -(1 << 15)
_HIGHEST_DA = (1 << 15) - 1


class DrawPoint(NamedTuple):
    """From `at` on, for a minute."""

    at: datetime
    drawn_a: float | None
    """None: not known."""


class Draws:
    """One EVSE's day. Takes no room until something was drawn."""

    __slots__ = ("_minute", "_values_da")

    def __init__(self) -> None:
        self._values_da = array("h")
        self._minute = 0
        """Of the newest value."""

    def note(self, drawn_a: float | None, at: datetime) -> None:
        """Note what is drawn; None: not known. A clock that was set back adds nothing."""
        minute = int(at.timestamp()) // MINUTE_S
        if not self._values_da:
            if not drawn_a:
                return
            self._values_da, self._minute = array("h", [_UNKNOWN_DA]) * MINUTES, minute
        if minute < self._minute:
            return
        for missed in range(max(self._minute + 1, minute - MINUTES + 1), minute + 1):
            self._values_da[missed % MINUTES] = _UNKNOWN_DA
        self._minute = minute
        if drawn_a is not None:
            drawn_da = max(-_HIGHEST_DA, min(round(drawn_a * 10), _HIGHEST_DA))
            present_da = self._values_da[minute % MINUTES]
            self._values_da[minute % MINUTES] = max(present_da, drawn_da)

    def points(self) -> list[DrawPoint]:
        """Return what is known, oldest first, from the first minute that is."""
        points: list[DrawPoint] = []
        if not self._values_da:
            return points
        for minute in range(self._minute - MINUTES + 1, self._minute + 1):
            value_da = self._values_da[minute % MINUTES]
            if points or value_da != _UNKNOWN_DA:
                at = datetime.fromtimestamp(minute * MINUTE_S, UTC)
                points.append(DrawPoint(at, None if value_da == _UNKNOWN_DA else value_da / 10))
        return points
