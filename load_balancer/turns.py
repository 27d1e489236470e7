"""Whose turn it is when not even the minimums of all fit.

Pure and deterministic. Time is cut into slices. At the start of a slice everybody is ranked
anew: who has waited very long first, then who has had least energy by weight. Within a slice
those who charge go on, so that a vehicle is switched a few times an hour at most; but whoever
comes is made welcome at once, so that no vehicle falls asleep before it has had anything, and
one who has just begun is left alone for a while.
"""

from collections.abc import Iterable, Sequence
from math import inf

from load_balancer.decision import Turn
from load_balancer.evse_memory import EvseMemory

SLICE_S = 900.0
"""How long a turn lasts: short enough to wait for, long enough to be kind to contactors."""

LONGEST_WAIT_S = 3600.0
"""Paused for so long, an EVSE goes first whatever energy it has had: nobody waits for ever."""

JUST_BEGUN, WELCOME, CHARGING, WAITING = range(4)
"""Within a slice, who goes before whom."""


class Turns:
    """The order of importance, from step to step."""

    def __init__(self) -> None:
        self._slice = -1.0
        self._ranks: dict[EvseMemory, int] = {}
        self._asked: list[tuple[EvseMemory, bool, bool]] = []
        self._settles_at = inf
        """When one of those who have just begun has charged for long enough."""
        self._order: list[EvseMemory] = []

    def in_order(
        self, demanding: Sequence[EvseMemory], clock: float, now: float
    ) -> list[EvseMemory]:
        """Return who wants current, the most important first.

        Args:
            clock: the time by which slices begin, s; `now` is that of the memories.
        """
        current_slice = clock // SLICE_S
        asked = [(memory, memory.limit_da > 0, memory.has_charged) for memory in demanding]
        if current_slice != self._slice:
            self._slice = current_slice
            ranked = sorted(demanding, key=lambda memory: _claim(memory, now))
            self._ranks = {memory: rank for rank, memory in enumerate(ranked)}
            self._order = sorted(ranked, key=lambda memory: not memory.has_just_begun(now))
        elif asked != self._asked or now >= self._settles_at:
            self._rank_arrivals(demanding)
            self._order = sorted(
                demanding, key=lambda memory: (_group(memory, now), self._ranks[memory])
            )
        else:
            return self._order
        self._asked = asked
        begun = (memory.runs_until for memory in demanding if memory.has_just_begun(now))
        self._settles_at = min(begun, default=inf)
        return self._order

    def _rank_arrivals(self, demanding: Sequence[EvseMemory]) -> None:
        """Who comes in the middle of a slice stands last; who went has lost his place."""
        self._ranks = {memory: self._ranks[memory] for memory in demanding if memory in self._ranks}
        last = max(self._ranks.values(), default=0)
        arrivals = [memory for memory in demanding if memory not in self._ranks]
        for rank, memory in enumerate(sorted(arrivals, key=_patience), start=last + 1):
            self._ranks[memory] = rank


def queue(
    order: Iterable[EvseMemory], paths: Sequence[Sequence[int]], clock: float, now: float
) -> dict[EvseMemory, Turn]:
    """Return the turn of everybody who waits for current to become free, by full conductor.

    Args:
        order: who wants current; `share` and `next_da` are those of this step.
        paths: for each node those that carry its current.
    """
    waiting: dict[int, list[EvseMemory]] = {}
    charging: list[EvseMemory] = []
    for memory in order:
        if memory.next_da > 0:
            charging.append(memory)
        elif memory.share.limit_da == 0 and memory.share.bound is not None:
            waiting.setdefault(memory.share.bound, []).append(memory)
    turns = {}
    for node, memories in waiting.items():
        at_once = sum(any(node in paths[leaf] for leaf in memory.nodes) for memory in charging)
        memories.sort(key=lambda memory: _claim(memory, now))
        next_slice_at = now + SLICE_S - clock % SLICE_S
        for place, memory in enumerate(memories):
            slices = place // max(1, at_once)
            turns[memory] = Turn(place + 1, next_slice_at + slices * SLICE_S)
    return turns


def _group(memory: EvseMemory, now: float) -> int:
    if memory.has_just_begun(now):
        return JUST_BEGUN
    if not memory.has_charged:
        return WELCOME
    return CHARGING if memory.limit_da > 0 else WAITING


def _claim(memory: EvseMemory, now: float) -> tuple[bool, float, float]:
    has_waited_long = memory.limit_da == 0 and now - memory.changed_at >= LONGEST_WAIT_S
    return not has_waited_long, memory.energy_wh / memory.node.weight, memory.waiting_since


def _patience(memory: EvseMemory) -> tuple[float, float]:
    return -memory.node.weight, memory.waiting_since
