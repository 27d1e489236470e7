"""A day of a site in virtual time: the real balancer against cars, stations, meters and fuses.

Pure; no socket, no clock. The day goes from instant to instant: at each arrival and departure, on
a grid of `step_s`, and a second after each change of a limit until nothing changes. Currents A RMS
per phase, energies Wh at the EVSE, instants seconds since 1970, which is also the balancer's clock:
so its slots begin on the quarter of an hour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import Literal

from gateway.simulation.day_limiters import DayLimiters
from gateway.simulation.day_limits import DayLimits
from gateway.simulation.day_plant import IDEAL, REALISTIC, Draws, LaggingMeter, Outlet, Visit
from gateway.simulation.day_record import Crowd, Record
from gateway.simulation.day_sessions import Session
from load_balancer.balancer import Balancer
from load_balancer.circuits import CircuitTree
from load_balancer.decision import Decision
from load_balancer.inputs import CircuitInput, EvseInput, SiteInputs
from load_balancer.steering import AT_ONCE, LIVE
from site_config.model import Site

Policy = Literal["fair", "departure"]

SETTLE_S = 1.0
"""A second look after a change: an ideal station has followed by then."""
SHORTEST_STAY_S = 900.0
"""A wrong departure is at least so long after the arrival."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Under which circumstances the day passes."""

    policy: Policy = "fair"
    departure_error_s: float = 0.0
    """Root mean square by which told departures are wrong."""
    seed: int = 1
    step_s: float = 60.0
    is_realistic: bool = False
    """Stations, cars and meters lag, cars taper, limits rise as slowly as in the live gateway."""


class Day:
    """Run it once with `run`; what happened is in `record`."""

    def __init__(self, site: Site, sessions: Sequence[Session], weather: Weather) -> None:
        self._tree = CircuitTree(site)
        self._weather = weather
        habits = REALISTIC if weather.is_realistic else IDEAL
        self._habits = habits
        self._draws = Draws(habits, weather.seed)
        self._balancer = Balancer(site, LIVE if weather.is_realistic else AT_ONCE)
        self._voltage_v = site.site.voltage_v
        self._outlets = {
            node.key: Outlet(node, habits, self._draws.station_delay_s(), self._voltage_v)
            for node in self._tree.evses
        }
        self._meter = LaggingMeter(self._draws.meter_delay_s(), len(self._tree.parents))
        self._limits = DayLimits(site, self._tree)
        self._limiters = DayLimiters(site, self._tree)
        self._coming = sorted(sessions, key=lambda session: session.arrival, reverse=True)
        self._first_at = self._coming[-1].arrival
        self._last_at = max(session.departure for session in sessions)
        self._next_departure = inf
        self._here: list[tuple[Outlet, Visit]] = []
        """Where a car is plugged in."""
        self._crowd = Crowd(0, 0, 0)
        self.record = Record(self._tree, self._voltage_v)

    def run(self, on_progress: Callable[[float], None] = lambda part: None) -> Record:
        """Let everybody come, charge and go; `on_progress` hears the part of the time passed."""
        now = self._first_at
        while True:
            self._come_and_go(now)
            if not self._coming and self._next_departure == inf:
                return self.record
            self._limiters.count(self._meter, now)
            self._flow(now)
            self._limiters.compare(self._meter, (outlet for outlet, _ in self._here), now)
            decision = self._balancer.step(self._inputs(now), now)
            is_news = self._tell(decision, now)
            self._record(decision, now, is_news=is_news)
            on_progress((now - self._first_at) / (self._last_at - self._first_at))
            now = self._next_at(now, is_news=is_news)

    def _come_and_go(self, now: float) -> None:
        if now < min(self._next_departure, self._next_arrival()):
            return
        for outlet, visit in self._here:
            if visit.session.departure <= now:
                self.record.left(outlet.unplug(now))
        while self._next_arrival() <= now:
            self._plug(self._coming.pop())
        self._here = [(o, o.visit) for o in self._outlets.values() if o.visit is not None]
        departures = (visit.session.departure for _, visit in self._here)
        self._next_departure = min(departures, default=inf)

    def _next_arrival(self) -> float:
        return self._coming[-1].arrival if self._coming else inf

    def _plug(self, session: Session) -> None:
        outlet = self._outlets[session.key]
        nodes = [outlet.node.nodes[conductor] for conductor in session.conductors]
        carrying = tuple(above for node in nodes for above in self._tree.paths[node])
        outlet.plug(self._visit(session), carrying)

    def _visit(self, session: Session) -> Visit:
        departs_at = session.departure
        if self._weather.departure_error_s:
            error_s = self._draws.error_s(self._weather.departure_error_s)
            departs_at = max(departs_at + error_s, session.arrival + SHORTEST_STAY_S)
        return Visit(session, departs_at, self._draws.car_delay_s(), self._habits.taper_begins)

    def _flow(self, now: float) -> None:
        flows_a = [0.0] * len(self._tree.parents)
        for outlet in self._outlets.values():
            if outlet.said is None and (drawn_a := outlet.flow(now)):
                for node in outlet.carrying:
                    flows_a[node] += drawn_a
        self._meter.see(now, flows_a)
        self._flows_a = flows_a

    def _inputs(self, now: float) -> SiteInputs:
        circuits = tuple(
            CircuitInput(
                circuit.id,
                self._meter.reading(circuit.index, now) if circuit.meter is not None else None,
                self._limits.ceilings(circuit.id, now) + self._limiters.on_circuit(circuit.index),
            )
            for circuit in self._tree.circuits
        )
        outlets = self._outlets.values()
        return SiteInputs(tuple([o.said or self._evse(o) for o in outlets]), circuits)

    def _evse(self, outlet: Outlet) -> EvseInput:
        news = self._news_of(outlet)
        outlet.said = news if outlet.is_resting else None
        return news

    def _news_of(self, outlet: Outlet) -> EvseInput:
        visit = outlet.visit
        knows = visit is not None and self._weather.policy == "departure"
        return EvseInput(
            key=outlet.node.key,
            is_reachable=True,
            wants_current=visit is not None and not visit.is_full,
            believed_a=outlet.believed_a,
            measured=outlet.reported,
            measured_at=outlet.reported_at,
            ceilings=self._limiters.on_evse(outlet.node.key),
            energy_wh=visit.delivered_wh if visit else 0.0,
            waiting_since=visit.session.arrival if visit else None,
            has_transaction=visit is not None,
            step_a=self._habits.step_a,
            departs_at=visit.departs_at if visit and knows else None,
            energy_wanted_wh=visit.missing_wh if visit and knows else None,
        )

    def _tell(self, decision: Decision, now: float) -> bool:
        """Send what changed; returns whether anything did."""
        is_news = False
        for key, outlet in self._outlets.items():
            limit_a = decision.limits[key].limit_a
            if limit_a != outlet.told_a:
                outlet.tell(limit_a, now)
                is_news = True
        for outlet, visit in self._here:
            visit.offered(is_on=outlet.told_a > 0)
        if is_news:
            self._flow(now)
        return is_news

    def _record(self, decision: Decision, now: float, *, is_news: bool) -> None:
        limits_a = [
            limit
            for circuit in self._tree.circuits
            for limit in decision.circuits[circuit.id].limit
        ]
        if not is_news:  # While one gives way to another, both are paused for a second.
            wanting = [outlet for outlet, visit in self._here if not visit.is_full]
            waiting = sum(outlet.told_a == 0 for outlet in wanting)
            self._crowd = Crowd(len(self._here), waiting, len(self._here) - len(wanting))
        bearable_a = limits_a
        if (fullest := self._limiters.fullest_quarter) is not None:
            self.record.fullest_quarter = fullest
            bearable_a = [self._limits.of(node, now) for node in range(len(limits_a))]
        self.record.flows(now, self._flows_a, limits_a, self._crowd, bearable_a=bearable_a)

    def _next_at(self, now: float, *, is_news: bool) -> float:
        step_s = self._weather.step_s
        next_at = (floor(now / step_s) + 1) * step_s
        if is_news and not self._weather.is_realistic:
            next_at = min(next_at, now + SETTLE_S)
        elif all(visit.is_full for _, visit in self._here):
            next_at = inf  # Nobody wants anything: go on where somebody comes or goes.
        return min(next_at, self._next_arrival(), self._next_departure)
