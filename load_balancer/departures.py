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

WISH_COUNTS = 0.25
"""Of the time that a wish takes at full current, this part is added to the departure. Found with
recorded sessions: 0 delivers 0.2 % more energy and satisfies 3 % fewer drivers."""
SHORTEST_S = 60.0
"""Who should have left is in this much of a hurry."""
NEED_STEP_DA = 10
"""Needs are rounded up to whole amperes: a finer figure would only wear out the stations."""


class Plan(NamedTuple):
    """What is known of a vehicle's day."""

    departs_at: float
    wanted_wh: float
    """Until then."""


class Departures:
    """Divides shares anew by what is known of departures.

    Args:
        paths: for each node those that carry its current.
        voltage_v: phase to neutral.
    """

    def __init__(self, paths: Sequence[Sequence[int]], voltage_v: float) -> None:
        self._paths, self._voltage_v = paths, voltage_v

    def divide(
        self,
        room_da: Sequence[int],
        demands: Sequence[Demand],
        plans: Sequence[Plan | None],
        fair: Sequence[Share],
        now: float,
    ) -> list[Share]:
        """Return a share for each demand; no node carries more than its room.

        Args:
            plans: for each demand; None: it keeps its fair share.
            fair: for each demand.
        """
        filling = _Filling(room_da, demands, self._paths)
        order = self._in_order(demands, plans)
        for index, share in enumerate(fair):
            if plans[index] is None:
                filling.give(index, share.limit_da)
        for index in order:
            plan = plans[index]
            if plan is not None:
                filling.admit(index, self._needed_da(demands[index], plan, now))
        unplanned = [index for index, plan in enumerate(plans) if plan is None]
        for index in (*order, *unplanned):
            filling.top_up(index)
        return [
            share if plan is None and share.limit_da == limit_da else Share(limit_da, bound)
            for plan, share, limit_da, bound in zip(
                plans, fair, filling.limits_da, filling.bounds, strict=True
            )
        ]

    def _in_order(self, demands: Sequence[Demand], plans: Sequence[Plan | None]) -> list[int]:
        """Return the indices of those with a plan, the most urgent first."""
        claims = []
        for index, (demand, plan) in enumerate(zip(demands, plans, strict=True)):
            if plan is not None:
                full_w = self._power_w(demand, max(1, demand.maximum_da))
                wish_s = plan.wanted_wh / full_w * 3600.0 / demand.weight
                claims.append((plan.departs_at + WISH_COUNTS * wish_s, index))
        return [index for _, index in sorted(claims)]

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

    def admit(self, index: int, needed_da: int) -> None:
        """Let it begin with what it needs, or as much of that as there is, if it may at all."""
        demand, tightest = self._demands[index], self._tightest(index)
        if demand.maximum_da < max(1, demand.minimum_da):
            return
        free_da = self._left_da[tightest] // demand.step_da * demand.step_da
        limit_da = max(demand.minimum_da, min(max(needed_da, demand.step_da), free_da))
        if 0 < limit_da <= self._left_da[tightest]:
            self.give(index, limit_da)
        else:
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
