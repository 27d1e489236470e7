"""Whose turn it is when not even the minimums of all fit.

Pure and deterministic. Time is cut into slices. At the start of a slice everybody is ranked
anew: who has waited very long first, then who has had least energy by weight. Within a slice
those who charge go on, so that a vehicle is switched four times an hour at most.
"""

from collections.abc import Sequence

from load_balancer.evse_memory import EvseMemory

SLICE_S = 900.0
"""How long a turn lasts: short enough to wait for, long enough to be kind to contactors."""

LONGEST_WAIT_S = 3600.0
"""Paused for so long, an EVSE goes first whatever energy it has had: nobody waits for ever."""


class Turns:
    """The order of importance, from step to step."""

    def __init__(self) -> None:
        self._slice = -1.0
        self._ranks: dict[EvseMemory, int] = {}
        self._asked: list[tuple[EvseMemory, bool]] = []
        self._order: list[EvseMemory] = []

    def in_order(self, demanding: Sequence[EvseMemory], now: float) -> list[EvseMemory]:
        """Return who wants current, the most important first."""
        current_slice = now // SLICE_S
        asked = [(memory, memory.limit_da > 0) for memory in demanding]
        if current_slice != self._slice:
            self._slice = current_slice
            self._order = sorted(demanding, key=lambda memory: _claim(memory, now))
            self._ranks = {memory: rank for rank, memory in enumerate(self._order)}
        elif asked != self._asked:
            self._rank_arrivals(demanding)
            self._order = sorted(
                demanding, key=lambda memory: (memory.limit_da == 0, self._ranks[memory])
            )
        self._asked = asked
        return self._order

    def _rank_arrivals(self, demanding: Sequence[EvseMemory]) -> None:
        """Who comes in the middle of a slice stands last; who went has lost his place."""
        self._ranks = {memory: self._ranks[memory] for memory in demanding if memory in self._ranks}
        last = max(self._ranks.values(), default=0)
        arrivals = [memory for memory in demanding if memory not in self._ranks]
        for rank, memory in enumerate(sorted(arrivals, key=_patience), start=last + 1):
            self._ranks[memory] = rank


def _claim(memory: EvseMemory, now: float) -> tuple[bool, float, float]:
    has_waited_long = memory.limit_da == 0 and now - memory.changed_at >= LONGEST_WAIT_S
    return not has_waited_long, memory.energy_wh / memory.node.weight, memory.waiting_since


def _patience(memory: EvseMemory) -> tuple[float, float]:
    return -memory.node.weight, memory.waiting_since
