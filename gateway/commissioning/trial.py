"""One EVSE given less, more, less, more and less again: what has been seen of it so far. Pure.

Currents are A per phase; `now` is monotonic seconds.
"""

from dataclasses import dataclass, field

from gateway.commissioning.observation import (
    SEEN_A,
    SEEN_PART,
    EvseSight,
    Gathering,
    Level,
    Sight,
)
from load_balancer.inputs import EvseKey

LEVELS = 5
"""Low, high, low, high, low: a building does not do that by itself."""
SMALLEST_STEP_A = 3.0
"""Less than this is not told from the building's own changes."""
FOLLOWS_A = 1.0
"""A vehicle may draw so much more than its limit before its station counts as not following."""
REACTION_PATIENCE_S = 45.0
"""So long a station may take to pass a limit on and a vehicle to follow; beyond, it does not."""


@dataclass(slots=True)
class Trial:
    """One EVSE's levels so far."""

    key: EvseKey
    low_a: float
    high_a: float
    began_at: float
    level_at: float
    """When the ceiling of the present level was set."""
    levels: list[Level] = field(default_factory=list)
    gathering: Gathering | None = None
    best_a: float = 0.0
    """The highest limit seen on this level."""
    best_at: float = 0.0
    responses_s: list[float] = field(default_factory=list)
    falls_from: Level | None = None
    """While a fall is awaited: what the meters showed before."""
    most_drawn_a: float | None = None
    followed_at: float | None = None
    """When this level's current was first seen, or no longer waited for; None: not yet."""
    is_reporting: bool = True
    """Its station says what it draws, within a level."""

    @property
    def is_high(self) -> bool:
        return len(self.levels) % 2 == 1

    @property
    def ceiling_a(self) -> float:
        return self.high_a if self.is_high else self.low_a

    @property
    def part_done(self) -> float:
        """0 to 1."""
        return len(self.levels) / LEVELS

    def note(self, sight: Sight) -> None:
        """Take what is seen at any time: the most it drew, and how soon it fell."""
        drawn = sight.evses[self.key].drawn_since(self.level_at)
        if drawn is not None and self.is_high:
            self.most_drawn_a = max(self.most_drawn_a or 0.0, *drawn)
        if self.falls_from is not None and len(self.levels) > 1:
            self._note_fall(self.falls_from, self.levels[-2], sight)

    def _note_fall(self, high: Level, low: Level, sight: Sight) -> None:
        """Time from the lower limit to the first reading that shows half of the step down."""
        for circuit, reading in sight.readings.items():
            if circuit not in low.currents or circuit not in high.currents:
                continue
            for high_a, low_a, current_a in zip(
                high.currents[circuit], low.currents[circuit], reading.currents, strict=True
            ):
                step_a = high_a - low_a  # negative where the meter sits the wrong way round
                is_half = (current_a - (high_a + low_a) / 2) * step_a < 0
                if abs(step_a) >= SMALLEST_STEP_A / 2 and is_half:
                    self.responses_s.append(reading.taken_at - self.level_at)
                    self.falls_from = None
                    return

    def has_followed(self, sight: Sight, now: float, report_s: float) -> bool:
        """Tell whether what is drawn has changed with the limit, or is no longer expected to.

        Args:
            report_s: a station that has said nothing for so long never does.
        """
        if now - self.best_at > REACTION_PATIENCE_S:
            return True
        evse = sight.evses[self.key]
        if not self.levels:
            return self._has_begun(evse, now, report_s)
        before, sign = self.levels[-1], 1 if self.is_high else -1
        drawn = evse.drawn_since(self.best_at)
        if (
            drawn is not None
            and before.drawn is not None
            and sign * (max(drawn) - max(before.drawn)) >= SEEN_A
        ):
            return True
        least_a = max(SEEN_A, SEEN_PART * abs(self.ceiling_a - before.limit_a))
        return any(
            abs(current_a - before_a) >= least_a
            for circuit, reading in sight.readings.items()
            if circuit in before.currents
            for current_a, before_a in zip(reading.currents, before.currents[circuit], strict=True)
        )

    def _has_begun(self, evse: EvseSight, now: float, report_s: float) -> bool:
        """A vehicle that begins to charge only now would look like one that was given more."""
        drawn = evse.drawn_since(self.best_at)
        if drawn is not None:
            return SEEN_A <= max(drawn) <= self.low_a + FOLLOWS_A
        return evse.drawn_at is None and now - self.best_at > report_s

    def why_low(self) -> str:
        """Say why it was given so little more that nothing can be seen."""
        drawn_a = self.most_drawn_a
        if drawn_a is not None and drawn_a > self.best_a + FOLLOWS_A:
            return does_not_follow(drawn_a, self.best_a)
        if drawn_a is not None and drawn_a < self.best_a - FOLLOWS_A:
            # Nobody is offered more who leaves some.
            return takes_no_more(drawn_a, self.best_a)
        return f"only {self.best_a:.1f} A are free for it, too little to be seen"


def does_not_follow(drawn_a: float, limit_a: float) -> str:
    return f"draws {drawn_a:.1f} A where {limit_a:.1f} A are allowed: it does not follow"


def takes_no_more(drawn_a: float, limit_a: float) -> str:
    return (
        f"takes {drawn_a:.1f} A where {limit_a:.1f} A are allowed: the vehicle is full, or limited "
        "by itself; try another"
    )
