"""What is doubtful about a meter's reading, as a typed value. Pure.

A refused reading is treated like silence: nobody steers by it, and `on_loss` decides when the
silence lasts. Where only the direction or a counter is in doubt the magnitudes still protect the
fuse, so it is told and the reading is used.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.meters.model import Layout, Quantity


class DoubtKind(StrEnum):
    """Why a reading may not be true."""

    NOT_AVAILABLE = "not_available"
    """NaN, or the meter's mark for "not available"."""
    IMPOSSIBLE = "impossible"
    """Beyond what the fuse and the network allow."""
    NO_VOLTAGE = "no_voltage"
    """No voltage on any phase."""
    MISSING_PHASE = "missing_phase"
    """One phase has gone while the others, or our own EVSEs, say otherwise."""
    FROZEN = "frozen"
    """Repeats itself to the last digit while current flows."""
    CACHED = "cached"
    """Renewed so seldom that its values are older than `max_age_s`."""
    COUNTER_FELL = "counter_fell"
    """An energy counter runs backwards: another meter answers, or it was reset."""
    COUNTER_STANDS = "counter_stands"
    """Power flows, and the counter does not move."""
    DIRECTION = "direction"
    """It says import, and the export counter moves, or the other way round."""


STILL_USED = frozenset({DoubtKind.COUNTER_STANDS, DoubtKind.DIRECTION})
"""Told, while the currents go on protecting the fuse."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing about a reading that cannot be true, or is not likely to be."""

    kind: DoubtKind
    quantity: Quantity
    """The value that shows it."""
    words: str
    """For a log line, with the numbers that were compared."""

    @property
    def is_refused(self) -> bool:
        """The reading is treated like silence."""
        return self.kind not in STILL_USED

    def __str__(self) -> str:
        return self.words

    def told(self, layout: Layout) -> str:
        """Return the words and the register that shows it."""
        return f"{self.words} ({layout.place_of(self.quantity)})"
