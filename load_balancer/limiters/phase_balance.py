"""How far single- and two-phase charging may push the phases of a circuit apart.

Pure. Grid codes bound the difference between the phases (20 A, VDE-AR-N 4100 section 5.5). A
vehicle on three phases adds the same to each and changes nothing, so only those on fewer are held
back. What each of them may draw is what it draws now and its part of what is left to the bound on
its fullest phase: cut at once, given back in steps, since the meter shows a change before the
station reports it.

Currents A RMS per phase of the circuit, instants monotonic seconds.
"""

from collections.abc import Mapping

from load_balancer.inputs import EvseKey
from load_balancer.phases import PhaseCurrents

DRAWN_FROM_A = 1.0
"""Less than this on a conductor is the electronics of the station."""
SETTLE_S = 15.0
"""A ceiling that was lowered is not raised sooner: station and vehicle have to follow first."""


class PhaseBalance:
    """One circuit's bound.

    Args:
        limit_a: the largest difference between two phases.
    """

    def __init__(self, limit_a: float) -> None:
        self.limit_a = limit_a
        self._ceilings: dict[EvseKey, float] = {}
        self._held_until: dict[EvseKey, float] = {}

    def observe(
        self,
        measured: PhaseCurrents | None,
        singles: Mapping[EvseKey, PhaseCurrents],
        idle: Mapping[EvseKey, tuple[int, ...]],
        now: float,
    ) -> dict[EvseKey, float]:
        """Return the ceilings now, of everybody who may draw on fewer than three phases.

        Args:
            measured: on the circuit; None: unknown, ceilings stay and nobody gets more.
            singles: what vehicles on fewer than three phases draw, in the circuit's order.
            idle: those that draw nothing yet, with the phases they are wired to.
        """
        if measured is None:
            return dict(self._ceilings)
        slack = [self.limit_a - (current_a - min(measured)) for current_a in measured]
        uses = {key: _live(drawn) for key, drawn in singles.items()} | dict(idle)
        sharers = [sum(phase in phases for phases in uses.values()) for phase in range(3)]
        self._ceilings = {key: a for key, a in self._ceilings.items() if key in uses}
        for key, phases in uses.items():
            drawn_a = max(singles[key]) if key in singles else 0.0
            own_a = min(slack[phase] / sharers[phase] for phase in phases)
            self._take(key, max(0.0, drawn_a + own_a), now)
        return dict(self._ceilings)

    def _take(self, key: EvseKey, ceiling_a: float, now: float) -> None:
        before_a = self._ceilings.get(key)
        if before_a is not None and ceiling_a > before_a and now < self._held_until[key]:
            return
        if before_a is None or ceiling_a < before_a:
            self._held_until[key] = now + SETTLE_S
        self._ceilings[key] = ceiling_a


def _live(drawn: PhaseCurrents) -> tuple[int, ...]:
    return tuple(phase for phase, current_a in enumerate(drawn) if current_a >= DRAWN_FROM_A)
