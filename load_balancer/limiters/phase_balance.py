"""How far single- and two-phase charging may push the phases of a circuit apart.

Pure. Grid codes bound the difference between the phases (20 A, VDE-AR-N 4100 section 5.5). A
vehicle on three phases adds the same to each and changes nothing, so only those on fewer are held
back: each to what it draws now and its part of what is left to the bound on its fullest phase. It
is cut at once and given back in steps, since the meter shows a change before the station reports
it. Where somebody has less than an even share and would take more, those who have more come down
to theirs; where not all can have the least that a vehicle takes, they take turns.

Currents A RMS per phase of the circuit, instants monotonic seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from load_balancer.inputs import EvseKey
from load_balancer.phases import PhaseCurrents

DRAWN_FROM_A = 1.0
"""Less than this on a conductor is the electronics of the station."""
NEAR_A = 1.0
"""Who draws within this of his ceiling would take more."""
LEAST_A = 6.0
"""Less charges no vehicle (IEC 61851-1)."""
SETTLE_S = 15.0
"""A ceiling that was lowered is not raised sooner: station and vehicle have to follow first."""
TURN_S = 900.0
"""How long some charge before others do, where not all can."""

Uses = Mapping[EvseKey, Sequence[int]]
"""The phases on which somebody draws, or would."""


class PhaseBalance:
    """One circuit's bound.

    Args:
        limit_a: the largest difference between two phases.
    """

    def __init__(self, limit_a: float) -> None:
        self.limit_a = limit_a
        self._ceilings: dict[EvseKey, float] = {}
        self._held_until: dict[EvseKey, float] = {}
        self._lower_since: dict[EvseKey, float] = {}
        """Since when somebody should have less though the bound is kept."""

    def observe(
        self,
        measured: PhaseCurrents | None,
        singles: Mapping[EvseKey, PhaseCurrents],
        idle: Mapping[EvseKey, tuple[int, ...]],
        now: float,
        asleep: Mapping[EvseKey, tuple[int, ...]] | None = None,
    ) -> dict[EvseKey, float]:
        """Return the ceilings now, of everybody who may draw on fewer than three phases.

        Args:
            measured: on the circuit; None: unknown, ceilings stay and nobody gets more.
            singles: what vehicles on fewer than three phases draw, in the circuit's order.
            idle: those that draw nothing yet, with the phases they are wired to.
            asleep: those that want nothing, but may wake up; none has a share.
        """
        if measured is None:
            return dict(self._ceilings)
        slack = [self.limit_a - (current_a - min(measured)) for current_a in measured]
        uses: Uses = {key: _live(drawn) for key, drawn in singles.items()} | dict(idle)
        known = {**uses, **(asleep or {})}
        self._ceilings = {key: a for key, a in self._ceilings.items() if key in known}
        levels = self._levels(slack, singles, uses, now)
        needy = {key for key in uses if self._is_needy(key, singles.get(key), levels[key])}
        crowd = [_count(uses, phase, needy) or _count(known, phase, uses) for phase in range(3)]
        crowded = {phase for key in needy for phase in uses[key]}
        for key, phases in known.items():
            drawn_a = max(singles[key]) if key in singles else 0.0
            more_a = min(slack[phase] / max(1, crowd[phase]) for phase in phases)
            ceiling_a = drawn_a + more_a
            if key in uses and not crowded.isdisjoint(phases):
                # Only those who are short of their share get more, and nobody more than that.
                ceiling_a = min(ceiling_a if key in needy else drawn_a + NEAR_A, levels[key])
            is_kept = min(slack[phase] for phase in phases) >= 0
            self._take(key, max(0.0, ceiling_a), now, is_kept=is_kept)
        return dict(self._ceilings)

    def _levels(
        self,
        slack: Sequence[float],
        singles: Mapping[EvseKey, PhaseCurrents],
        uses: Uses,
        now: float,
    ) -> dict[EvseKey, float]:
        """Return the even share of each, 0 for those whose turn it is not."""
        levels = dict.fromkeys(uses, inf)
        for phase in range(3):
            sharers = sorted(key for key, phases in uses.items() if phase in phases)
            drawn_a = sum(singles[key][phase] for key in sharers if key in singles)
            pool_a = max(0.0, drawn_a + slack[phase])
            fitting = min(len(sharers), int(pool_a / LEAST_A))
            first = int(now // TURN_S) * fitting
            for place in range(len(sharers)):
                key = sharers[(first + place) % len(sharers)]
                levels[key] = min(levels[key], pool_a / fitting if place < fitting else 0.0)
        return levels

    def _is_needy(self, key: EvseKey, drawn: PhaseCurrents | None, level_a: float) -> bool:
        drawn_a = max(drawn) if drawn is not None else 0.0
        would_take_more = drawn is None or drawn_a >= self._ceilings.get(key, inf) - NEAR_A
        return would_take_more and drawn_a < level_a - NEAR_A / 2

    def _take(self, key: EvseKey, ceiling_a: float, now: float, *, is_kept: bool) -> None:
        before_a = self._ceilings.get(key)
        is_lower = before_a is not None and ceiling_a < before_a
        lower_since = self._lower_since.setdefault(key, now) if is_lower else None
        if lower_since is None:
            self._lower_since.pop(key, None)
        elif is_kept and now - lower_since < SETTLE_S:
            return  # The meter shows a rise before the station has reported it.
        if before_a is not None and ceiling_a > before_a and now < self._held_until[key]:
            return
        if before_a is None or ceiling_a < before_a:
            self._held_until[key] = now + SETTLE_S
        self._ceilings[key] = ceiling_a


def _live(drawn: PhaseCurrents) -> tuple[int, ...]:
    return tuple(phase for phase, current_a in enumerate(drawn) if current_a >= DRAWN_FROM_A)


def _count(uses: Uses, phase: int, among: Iterable[EvseKey]) -> int:
    return sum(phase in uses[key] for key in among)
