"""What happened on a simulated day, and the figures that people compare. Pure.

Currents A RMS per phase, energies Wh at the EVSE, instants seconds since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.simulation.day_plant import Visit
from load_balancer.circuits import CircuitTree
from load_balancer.fuse_curves import FuseCurve, ThermalBudget

SERVED = 0.9
"""Part of his wish with which a driver is content."""
TOLERANCE_A = 1e-6
"""Less above a limit is an error of arithmetic."""
KEEP_EVERY_S = 300.0
"""Between two moments that are kept for the plot, unless cars come, go, start or stop."""


class Crowd(NamedTuple):
    plugged: int
    waiting: int
    """Cars that want current and are paused."""
    full: int
    """Cars that have what they wanted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What flowed from an instant on."""

    at: float
    flows_a: Sequence[float]
    """On each node of the tree: first the three phases of the grid connection point."""
    limits_a: Sequence[float]
    """What each of them may carry."""
    crowd: Crowd


class Record:
    """Written by the day, read by the report."""

    def __init__(self, tree: CircuitTree, voltage_v: float) -> None:
        ratings_a = [rating_a for circuit in tree.circuits for rating_a in circuit.rating]
        self.circuits = [circuit.id for circuit in tree.circuits]
        """Names, in the order of the nodes."""
        self.visits: list[Visit] = []
        """Those that are over."""
        self.moments: list[Moment] = []
        self.worst_overload_a = 0.0
        """The most by which a conductor carried more than was bearable at that time."""
        self.worst_overload_s = 0.0
        """The longest time for which one did so without a break."""
        self.fullest_quarter: float | None = None
        """The highest mean of a quarter of an hour, as part of what a demand tariff allows; None:
        there is no such tariff. The first, which nobody saw begin, does not count."""
        self.most_plugged = self.most_waiting = 0
        self._voltage_v = voltage_v
        self._ratings_a = ratings_a
        self._budgets: dict[int, list[ThermalBudget]] = {}
        """Of conductors that have ever been above their rating."""
        self._fuse_share = {"gG": 0.0, "MCB B": 0.0}
        self._over_since: dict[int, float] = {}
        self._last: tuple[float, Sequence[float], Sequence[float]] | None = None

    @property
    def fuse_shares(self) -> dict[str, float]:
        """By kind of fuse, the most of its time to trip that was used up anywhere; 1: tripped."""
        return dict(self._fuse_share)

    @property
    def fuse_share(self) -> float:
        return max(self._fuse_share.values())

    def left(self, visit: Visit) -> None:
        self.visits.append(visit)

    def flows(
        self,
        now: float,
        flows_a: Sequence[float],
        limits_a: Sequence[float],
        crowd: Crowd,
        *,
        bearable_a: Sequence[float],
    ) -> None:
        """Take what flows from now on; before, it was what was told last.

        Args:
            bearable_a: above this a conductor is overloaded. A demand tariff is no part of it: it
                binds the mean of a quarter of an hour, not an instant.
        """
        if self._last is not None:
            at, before_a, allowed_a = self._last
            self._judge(before_a, allowed_a, at, now)
        self._last = now, flows_a, bearable_a
        self.most_plugged = max(self.most_plugged, crowd.plugged)
        self.most_waiting = max(self.most_waiting, crowd.waiting)
        moment = Moment(now, flows_a, limits_a, crowd)
        last = self.moments[-1] if self.moments else None
        if last is None or _kind(moment) != _kind(last) or now - last.at >= KEEP_EVERY_S:
            self.moments.append(moment)

    def _judge(
        self, flows_a: Sequence[float], allowed_a: Sequence[float], since: float, now: float
    ) -> None:
        """Look at what flowed between two instants."""
        for node, (flow_a, most_a) in enumerate(zip(flows_a, allowed_a, strict=True)):
            over_a = flow_a - most_a
            if over_a <= TOLERANCE_A:
                self._over_since.pop(node, None)
            else:
                began = self._over_since.setdefault(node, since)
                self.worst_overload_a = max(self.worst_overload_a, over_a)
                self.worst_overload_s = max(self.worst_overload_s, now - began)
            if flow_a > self._ratings_a[node] + TOLERANCE_A and node not in self._budgets:
                rating_a = self._ratings_a[node]
                curves = (FuseCurve.gg(rating_a), FuseCurve.mcb_b(rating_a))
                self._budgets[node] = [ThermalBudget(curve) for curve in curves]
        for node, budgets in self._budgets.items():
            for kind, budget in zip(self._fuse_share, budgets, strict=True):
                share = budget.step(flows_a[node], now - since)
                self._fuse_share[kind] = max(self._fuse_share[kind], share)


def _kind(moment: Moment) -> tuple[Crowd, bool]:
    return moment.crowd, any(moment.flows_a)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a day is judged by."""

    policy: str
    sessions: int
    demand_wh: float
    delivered_wh: float
    optimum_wh: float | None
    """What somebody who knew everything beforehand could have delivered; None: not computed."""
    served_90_share: float
    """Part of the cars that got 90 % of their wish."""
    jain: float
    """Jain's index of the delivered parts of the wishes: 1 if all got the same part."""
    worst_overload_a: float
    worst_overload_s: float
    fuse_share: float
    """The most of a fuse's time to trip that was used up; 1: it tripped."""
    switchings_per_session: float
    seconds: float
    """That the simulation took."""


def parts_of(record: Record) -> list[float]:
    """Return which part of its wish each car got, 0 to 1."""
    return [min(1.0, visit.delivered_wh / visit.session.energy_wh) for visit in record.visits]


def figures_of(record: Record, policy: str, optimum_wh: float | None, seconds: float) -> Figures:
    """Sum up; raises ZeroDivisionError without a visit."""
    visits = record.visits
    parts = parts_of(record)
    squares = sum(part * part for part in parts)
    return Figures(
        policy=policy,
        sessions=len(visits),
        demand_wh=round(sum(visit.session.energy_wh for visit in visits), 1),
        delivered_wh=round(sum(visit.delivered_wh for visit in visits), 1),
        optimum_wh=None if optimum_wh is None else round(optimum_wh, 1),
        served_90_share=round(sum(part >= SERVED - 1e-9 for part in parts) / len(parts), 4),
        jain=round(sum(parts) ** 2 / (len(parts) * squares), 4) if squares else 0.0,
        worst_overload_a=round(record.worst_overload_a, 2),
        worst_overload_s=round(record.worst_overload_s, 1),
        fuse_share=round(record.fuse_share, 4),
        switchings_per_session=round(sum(v.switchings for v in visits) / len(visits), 2),
        seconds=round(seconds, 2),
    )
