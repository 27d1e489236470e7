"""Who leaves soon goes first: shares for vehicles whose departure and wish are known.

Pure. The fair shares are the frame: whoever's plan is unknown keeps what he has by them, and nobody
loses anything by the haste of others. Only those with a plan pool their shares and divide them
anew. In the order of their departures each gets the current that he needs on average to be ready
in time, then, in the same order, what is left up to his maximum. A large wish counts like a later
departure, a little: the current that one car cannot use up anyway serves several small wishes.

Whole deci-amps per node of the circuit tree; instants are monotonic seconds; energies Wh.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from load_balancer.allocation import Demand, Share

WISH_COUNTS = 0.2
"""Of the time that a wish takes at full current, this part is added to the departure. More
satisfies more drivers, less delivers more energy. Between 0.1 and 0.3, on recorded sessions, it
moves 1.5 points of the drivers and 0.3 of the energy."""
COMMON_DA = 320
"""Hardly any vehicle takes more: an EVSE that offers 80 A makes no wish shorter."""
SHORTEST_S = 60.0
"""Who should have left is in this much of a hurry."""
NEED_STEP_DA = 10
"""Needs are rounded up to whole amperes: a finer figure would only wear out the stations."""


class Plan(NamedTuple):
    """What is known of a vehicle's day."""

    departs_at: float
    wanted_wh: float
    """Until then."""


class Claimant(NamedTuple):
    """Who shares."""

    demand: Demand
    plan: Plan | None
    """None: he keeps his fair share."""
    fair: Share
    is_fresh: bool = False
    """He gets his minimum however much time he has."""


class Departures:
    """Divides shares anew by what is known of departures.

    Args:
        paths: for each node those that carry its current.
        voltage_v: phase to neutral.
    """

    def __init__(self, paths: Sequence[Sequence[int]], voltage_v: float) -> None:
        self._paths, self._voltage_v = paths, voltage_v

    def divide(
        self, room_da: Sequence[int], claimants: Sequence[Claimant], now: float
    ) -> list[Share]:
        """Return a share for each; no node carries more than its room."""
        demands = [claimant.demand for claimant in claimants]
        filling = _Filling(room_da, demands, self._paths)
        for index, claimant in enumerate(claimants):
            if claimant.plan is None:
                filling.give(index, claimant.fair.limit_da)
        order = self._in_order(claimants)
        for index, _ in order:
            if claimants[index].is_fresh and claimants[index].fair.limit_da > 0:
                filling.raise_to(index, 0)
        for index, plan in order:
            filling.raise_to(index, self._needed_da(demands[index], plan, now))
        for index, _ in order:
            filling.top_up(index)
        for index, claimant in enumerate(claimants):
            if claimant.plan is None:
                filling.top_up(index)
        return [
            fair if plan is None and fair.limit_da == limit_da else Share(limit_da, bound)
            for (_, plan, fair, _), limit_da, bound in zip(
                claimants, filling.limits_da, filling.bounds, strict=True
            )
        ]

    def _in_order(self, claimants: Sequence[Claimant]) -> list[tuple[int, Plan]]:
        """Return the indices and plans of those who have one, the most urgent first."""
        urgencies = []
        for index, (demand, plan, _, _) in enumerate(claimants):
            if plan is not None:
                full_w = self._power_w(demand, min(max(1, demand.maximum_da), COMMON_DA))
                wish_s = plan.wanted_wh / full_w * 3600.0 / demand.weight
                urgencies.append((plan.departs_at + WISH_COUNTS * wish_s, index, plan))
        return [(index, plan) for _, index, plan in sorted(urgencies)]

    def _needed_da(self, demand: Demand, plan: Plan, now: float) -> int:
        """Return the current that gets the vehicle ready in time, if it flows all the time."""
        left_h = max(plan.departs_at - now, SHORTEST_S) / 3600.0
        needed_a = plan.wanted_wh / left_h / self._power_w(demand, 10)
        step_da = max(NEED_STEP_DA, demand.step_da)
        return min(ceil(needed_a * 10 / step_da) * step_da, demand.maximum_da)

    def _power_w(self, demand: Demand, current_da: int) -> float:
        return current_da / 10 * self._voltage_v * len(demand.nodes)


class _Filling:
    """What each has got so far, and what is left on each node."""

    def __init__(
        self, room_da: Sequence[int], demands: Sequence[Demand], paths: Sequence[Sequence[int]]
    ) -> None:
        self.limits_da = [0] * len(demands)
        self.bounds: list[int | None] = [None] * len(demands)
        """The full node that keeps it there; None: it has its own maximum."""
        self._demands, self._left_da = demands, list(room_da)
        self._nodes = [[node for leaf in d.nodes for node in paths[leaf]] for d in demands]

    def give(self, index: int, limit_da: int) -> None:
        self.limits_da[index] += limit_da
        for node in self._nodes[index]:
            self._left_da[node] -= limit_da

    def raise_to(self, index: int, needed_da: int) -> None:
        """Give it what it needs, or as much of that as there is: its minimum or nothing."""
        demand, tightest = self._demands[index], self._tightest(index)
        if demand.maximum_da < max(1, demand.minimum_da):
            return
        given_da = self.limits_da[index]
        free_da = given_da + max(0, self._left_da[tightest])
        rounded_da = free_da - free_da % demand.step_da
        limit_da = max(demand.minimum_da, min(max(needed_da, demand.step_da), rounded_da))
        if given_da < limit_da <= free_da:
            self.give(index, limit_da - given_da)
        elif given_da == 0:
            self.bounds[index] = tightest

    def top_up(self, index: int) -> None:
        """Give who has begun what is left, up to his maximum."""
        demand = self._demands[index]
        missing_da = demand.maximum_da - self.limits_da[index]
        if self.limits_da[index] == 0 or missing_da <= 0:
            return
        tightest = self._tightest(index)
        more_da = min(missing_da, max(0, self._left_da[tightest]))
        more_da -= more_da % demand.step_da if more_da < missing_da else 0
        self.give(index, more_da)
        if more_da < missing_da:
            self.bounds[index] = tightest

    def _tightest(self, index: int) -> int:
        return min(self._nodes[index], key=self._left_da.__getitem__)
