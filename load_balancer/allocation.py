"""Share the free current of a tree of conductors: who gets how much, right now.

Pure: no clock, no memory. Ramping, hysteresis and stale meters are `balancer`'s business.
Every current is an integer in deci-amps (0.1 A RMS), per phase, so that sums are exact and a
limit is what a station can be told.

A *node* is one conductor of one circuit, see `circuits`. What an EVSE draws on a conductor it
draws on that node and on every node above it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from itertools import chain
from math import inf
from typing import NamedTuple, TypeVar

Number = TypeVar("Number", int, float)

Kind = tuple[int, int, float]
"""Minimum, maximum and weight: demands that rise alike."""

ROUNDING_DA = 1e-6
"""Less than this is an error of arithmetic, not a current."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one EVSE asks for."""

    nodes: tuple[int, ...]
    """Where its conductors are connected; all different."""
    minimum_da: int
    """Below it, only 0 is legal. 0: it takes anything."""
    maximum_da: int
    """Below the minimum, it gets nothing."""
    weight: float = 1.0
    """Share relative to the others, above 0."""
    step_da: int = 1
    """Shares above the minimum are multiples of it."""


class Share(NamedTuple):
    limit_da: int
    bound: int | None
    """The full node that keeps it there; None: it has its own maximum."""


def allocate(
    free_da: Sequence[int], parents: Sequence[int], demands: Sequence[Demand]
) -> list[Share]:
    """Divide what is free so that no node overflows and nobody gets 0 < limit < minimum.

    First the minimums, in the given order: some vehicles charging beat all of them stalling.
    Then everybody who got one rises in proportion to his weight until he has his maximum or a
    node of his is full (weighted max-min fairness: nobody could have more without taking it
    from somebody whose share by weight is smaller). Nothing that somebody could use is left.

    Args:
        free_da: for each node what is free; may be negative.
        parents: for each node the one above it, `circuits.NO_NODE` for the topmost; a parent's
            number is lower than its children's.
        demands: the most important first.

    Returns:
        One share per demand, in the same order.

    >>> allocate([200], [-1], [Demand((0,), 60, 320), Demand((0,), 60, 320)])
    [Share(limit_da=100, bound=0), Share(limit_da=100, bound=0)]
    """
    refusals = _refusals(free_da, parents, demands)
    admitted = [index for index, node in enumerate(refusals) if node is None]
    filling = _Filling(free_da, parents, [demands[index] for index in admitted])
    filling.fill()
    filling.hand_out_rest()
    shares = [Share(0, None if node == OWN_MAXIMUM else node) for node in refusals]
    for index, limit_da, bound in zip(admitted, filling.limits_da, filling.bounds, strict=True):
        shares[index] = Share(limit_da, bound)
    return shares


OWN_MAXIMUM = -1
"""In the place of a refusing node: the demand itself cannot use its minimum."""


def _refusals(
    free_da: Sequence[int], parents: Sequence[int], demands: Sequence[Demand]
) -> list[int | None]:
    """Return for each demand the node without room for its minimum; None: it gets it."""
    refusals: list[int | None] = [
        OWN_MAXIMUM if demand.maximum_da < max(1, demand.minimum_da) else None for demand in demands
    ]
    needed = [0] * len(free_da)
    for demand, refusal in zip(demands, refusals, strict=True):
        if refusal is None:
            for node in demand.nodes:
                needed[node] += demand.minimum_da
    _add_up(needed, parents)
    is_tight = [need > free for need, free in zip(needed, free_da, strict=True)]
    if not any(is_tight):
        return refusals

    paths = _paths(parents, is_tight)
    left = list(free_da)
    for index, demand in enumerate(demands):
        if refusals[index] is not None:
            continue
        tight = [node for leaf in demand.nodes for node in paths[leaf]]
        short = [node for node in tight if left[node] < demand.minimum_da]
        if short:
            refusals[index] = min(short, key=left.__getitem__)
        else:
            for node in tight:
                left[node] -= demand.minimum_da
    return refusals


class _Group:
    """Demands on the same conductors: whatever stops one of them stops all."""

    __slots__ = ("is_rising", "kinds", "members", "nodes")

    def __init__(self, members: list[int], kinds: list[Kind], nodes: tuple[int, ...]) -> None:
        self.members, self.kinds = members, kinds
        """The indices of the demands, and of what kind each is."""
        self.nodes = nodes
        """The contended ones, from the top of the tree down."""
        self.is_rising = bool(nodes)
        """Nothing has stopped it yet."""


class _Filling:
    """Everybody rises with one level, in deci-amps per weight, until something stops him.

    Only contended nodes are looked at: those that could not carry the maximums of all. Each has
    a level at which it is full, and the lowest of these levels is where everybody on that node
    stops. Who stops early leaves more to others, so the levels of the other nodes only rise: a
    level found earlier is a lower bound, and is found anew only when its turn comes.
    """

    def __init__(
        self, free_da: Sequence[int], parents: Sequence[int], demands: Sequence[Demand]
    ) -> None:
        self._demands = demands
        self.limits_da = [demand.maximum_da for demand in demands]
        self.bounds: list[int | None] = [None] * len(demands)
        kinds: list[Kind] = [(d.minimum_da, d.maximum_da, d.weight) for d in demands]
        members_on: dict[tuple[int, ...], list[int]] = {}
        for index, demand in enumerate(demands):
            members_on.setdefault(demand.nodes, []).append(index)
        most_da, least_da, weights = [0] * len(free_da), [0] * len(free_da), [0.0] * len(free_da)
        kinds_on = {on: [kinds[index] for index in group] for on, group in members_on.items()}
        for leaves, own in kinds_on.items():
            minimums_da, maximums_da, own_weights = zip(*own, strict=True)
            for leaf in leaves:
                least_da[leaf] += sum(minimums_da)
                most_da[leaf] += sum(maximums_da)
                weights[leaf] += sum(own_weights)
        _add_up(most_da, parents)
        _add_up(least_da, parents)
        _add_up(weights, parents)
        is_contended = [most > max(0, free) for most, free in zip(most_da, free_da, strict=True)]
        paths = _paths(parents, is_contended)
        self._groups = [
            _Group(members, kinds_on[on], tuple(node for leaf in on for node in paths[leaf]))
            for on, members in members_on.items()
        ]
        self._rising: dict[int, list[_Group]] = {
            node: [] for node, contended in enumerate(is_contended) if contended
        }
        """For each contended node those that nothing has stopped yet."""
        for group in self._groups:
            for node in group.nodes:
                self._rising[node].append(group)
        self._left_da = {node: free_da[node] for node in self._rising}
        """Free for those that still rise."""
        start = min((minimum_da / weight for minimum_da, _, weight in kinds), default=0.0)
        self._levels = [
            (start + (free_da[node] - least_da[node]) / weights[node], node)
            for node in self._rising
        ]
        """A heap of lower bounds: as if all left their minimum together with the first."""

    def fill(self) -> None:
        heapify(self._levels)
        exact: set[int] = set()
        while self._levels:
            level, node = self._levels[0]
            rising = [group for group in self._rising[node] if group.is_rising]
            if not rising:
                heappop(self._levels)
            elif node not in exact:
                exact.add(node)
                kinds = Counter(chain.from_iterable([group.kinds for group in rising]))
                level = _full_level(self._left_da[node], kinds)
                self._rising[node] = rising
                heapreplace(self._levels, (level, node))
            else:
                heappop(self._levels)
                for group in rising:
                    self._stop(group, node, level)
                    exact.difference_update(group.nodes)

    def hand_out_rest(self) -> None:
        """Give away what rounding down left, a step at a time, the smallest share first."""
        demands, limits_da = self._demands, self.limits_da
        group_of = {index: group for group in self._groups for index in group.members}
        full_at: dict[tuple[_Group, int], int] = {}
        """Where a group cannot be given so large a step any more."""
        hungry = [index for index, node in enumerate(self.bounds) if node is not None]
        hungry.sort(key=lambda index: limits_da[index] / demands[index].weight)
        while hungry:
            fed = []
            for index in hungry:
                demand, group = demands[index], group_of[index]
                step_da = min(demand.step_da, demand.maximum_da - limits_da[index])
                full = full_at.get((group, step_da))
                if full is None:
                    full = self._full_node(group, step_da)
                if full is not None:
                    self.bounds[index] = full_at[group, step_da] = full
                    continue
                limits_da[index] += step_da
                for node in group.nodes:
                    self._left_da[node] -= step_da
                if limits_da[index] < demand.maximum_da:
                    fed.append(index)
                else:
                    self.bounds[index] = None
            hungry = fed

    def _full_node(self, group: _Group, step_da: int) -> int | None:
        for node in group.nodes:
            if self._left_da[node] < step_da:
                return node
        return None

    def _stop(self, group: _Group, node: int, level: float) -> None:
        """Keep these demands at a level because a node is full."""
        group.is_rising = False
        limits_da = self.limits_da
        for index, (minimum_da, maximum_da, weight) in zip(group.members, group.kinds, strict=True):
            if level * weight < maximum_da:
                step_da = self._demands[index].step_da
                rounded_da = int(level * weight + ROUNDING_DA) // step_da * step_da
                limit_da = max(minimum_da, rounded_da)
                if limit_da < maximum_da:
                    limits_da[index] = limit_da
                    self.bounds[index] = node
        sum_da = sum([limits_da[index] for index in group.members])
        for other in group.nodes:
            self._left_da[other] -= sum_da


def _full_level(left_da: int, kinds: Mapping[Kind, int]) -> float:
    """Return the level at which demands of these kinds, so many of each, take all that is left."""
    slopes: dict[float, float] = {}
    used_da = 0
    for (minimum_da, maximum_da, weight), count in kinds.items():
        used_da += minimum_da * count
        start, stop = minimum_da / weight, maximum_da / weight
        slopes[start] = slopes.get(start, 0.0) + weight * count
        slopes[stop] = slopes.get(stop, 0.0) - weight * count
    room_da, slope, level = float(left_da - used_da), 0.0, 0.0
    for turn in sorted(slopes):
        if slope > 0 and room_da <= slope * (turn - level):
            return level + room_da / slope
        room_da -= slope * (turn - level)
        slope, level = slope + slopes[turn], turn
    return inf


def _add_up(sums: list[Number], parents: Sequence[int]) -> None:
    """Turn what is connected directly to each node into what is below it, in place."""
    for node in range(len(sums) - 1, -1, -1):
        parent = parents[node]
        if parent >= 0:
            sums[parent] += sums[node]


def _paths(parents: Sequence[int], wanted: Sequence[bool]) -> list[tuple[int, ...]]:
    """Return for each node the wanted ones among itself and those above it."""
    paths: list[tuple[int, ...]] = []
    for node, parent in enumerate(parents):
        above = paths[parent] if parent >= 0 else ()
        paths.append((*above, node) if wanted[node] else above)
    return paths
