"""How long a fuse or a miniature circuit breaker bears which current. Pure.

The earliest edge of each norm's tolerance band: what this model bears, every device bears that
keeps the norm, at its reference temperature and from cold. Points are joined by straight
lines on logarithmic axes. Currents A RMS of one conductor, times s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log

GG_HOLDS = 1.25
"""IEC 60269-1 table 2, 16 A and above: borne for the conventional time, conventional non-fusing
current. Smaller ones bear 1.5 times; the stricter figure stands for all."""
GG_POINTS = ((2.0, 10.0), (5.3, 0.1))
"""IEC 60269-1 table 3, gates I min (10 s) and I min (0.1 s): the least of all ratings."""
GG_CONVENTIONAL_S = ((63.0, 3600.0), (160.0, 7200.0), (400.0, 10800.0), (inf, 14400.0))
"""IEC 60269-1 table 2: up to which rating, A, which conventional time holds."""

MCB_HOLDS = 1.13
"""IEC 60898-1 table 7: borne for the conventional time."""
MCB_CONVENTIONAL_S = ((63.0, 3600.0), (inf, 7200.0))
MCB_POINT = (2.55, 1.0)
"""IEC 60898-1 table 7: trips within 1 s to 60 s (120 s above 32 A)."""
MCB_B_INSTANTANEOUS = 3.0
MCB_C_INSTANTANEOUS = 5.0
"""IEC 60898-1 table 2, lower end of the range of instantaneous tripping, by rating."""
INSTANTANEOUS_S = 0.1
"""IEC 60898-1 table 7: at the lower end it takes 0.1 s or more."""
BEYOND_S = 0.01
"""What is above the last point of a curve is borne for no longer."""

COOLING_S = 900.0
"""In which an unloaded device forgets all but a third of what it bore; real ones are faster."""


@dataclass(frozen=True, slots=True)
class FuseCurve:
    """The earliest time to trip of one device."""

    rating_a: float
    points: tuple[tuple[float, float], ...]
    """(multiple of the rating, s), multiples rising and times falling. The first is borne for ever
    as far as this model goes: no norm promises a trip there."""

    @classmethod
    def gg(cls, rating_a: float) -> "FuseCurve":
        """Return a gG fuse of IEC 60269."""
        conventional_s = _up_to(GG_CONVENTIONAL_S, rating_a)
        return cls(rating_a, ((GG_HOLDS, conventional_s), *GG_POINTS))

    @classmethod
    def mcb_b(cls, rating_a: float) -> "FuseCurve":
        """Return a miniature circuit breaker of type B, IEC 60898."""
        return cls._mcb(rating_a, MCB_B_INSTANTANEOUS)

    @classmethod
    def mcb_c(cls, rating_a: float) -> "FuseCurve":
        """Return a miniature circuit breaker of type C, IEC 60898."""
        return cls._mcb(rating_a, MCB_C_INSTANTANEOUS)

    @classmethod
    def _mcb(cls, rating_a: float, instantaneous: float) -> "FuseCurve":
        holds = (MCB_HOLDS, _up_to(MCB_CONVENTIONAL_S, rating_a))
        return cls(rating_a, (holds, MCB_POINT, (instantaneous, INSTANTANEOUS_S)))

    def trips_after_s(self, current_a: float) -> float:
        """Return how long a steady current is borne at least; infinity: for ever.

        >>> FuseCurve.gg(63).trips_after_s(63 * 2.0)
        10.0
        >>> FuseCurve.mcb_b(16).trips_after_s(16 * 1.13)
        inf
        """
        multiple = abs(current_a) / self.rating_a
        left, left_s = self.points[0]
        if multiple <= left:
            return inf
        for right, right_s in self.points[1:]:
            if multiple <= right:
                share = log(multiple / left) / log(right / left)
                return float(left_s * (right_s / left_s) ** share)
            left, left_s = right, right_s
        return BEYOND_S


@dataclass(slots=True)
class ThermalBudget:
    """How much of a device's patience one conductor has used; time passes only in `step`."""

    curve: FuseCurve
    used: float = 0.0
    """0: cold; 1 or more: it may have tripped."""

    def step(self, current_a: float, dt_s: float) -> float:
        """Let a current flow for a while; returns `used`.

        Shares of the time to trip add up; up to the rating the device cools, between the rating
        and what it bears for ever it does neither.
        """
        after_s = self.curve.trips_after_s(current_a)
        if after_s < inf:
            self.used += dt_s / after_s
        elif abs(current_a) <= self.curve.rating_a:
            self.used *= exp(-dt_s / COOLING_S)
        return self.used

    @property
    def has_tripped(self) -> bool:
        return self.used >= 1.0


def _up_to(table: Sequence[tuple[float, float]], rating_a: float) -> float:
    return next(value for limit, value in table if rating_a <= limit)
