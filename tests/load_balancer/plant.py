"""A small world for the balancer: stations that follow late, vehicles, a base load, meters.

Virtual time, one second a tick; no randomness. Currents A RMS per phase.
"""

from collections import deque
from dataclasses import dataclass, field

from load_balancer.balancer import (
    Balancer,
    Ceiling,
    CircuitInput,
    Decision,
    EvseInput,
    EvseKey,
    MeterReading,
    SiteInputs,
)
from load_balancer.circuits import CircuitTree
from load_balancer.phases import PhaseCurrents
from site_config.model import Site

ALL = ("L1", "L2", "L3")

REPORT_S = 10
"""Between two reports of a station."""


def site(circuits, stations, meters=None, **csms):
    """A site in a few words: circuit -> settings, station -> (circuit, EVSE settings, rest)."""
    return Site.model_validate(
        {
            "site": {"id": "test", "name": "Test"},
            "cloud": {"url": "ws://127.0.0.1:1/ocpp", "identity": "TEST"},
            "csms": csms,
            "meters": {
                name: {"model": "eastron-sdm630", "url": f"tcp://127.0.0.1:{number}"} | settings
                for number, (name, settings) in enumerate((meters or {}).items(), start=1)
            },
            "circuits": circuits,
            "stations": {
                name: {"safe_current_a": 6} | station for name, station in stations.items()
            },
        }
    )


def one_circuit(count, *, rating_a=63, meter=True, on_loss="safe", poll_s=1.0, **evse):
    """`count` stations of one EVSE on one fuse."""
    return site(
        {"grid": {"rating_a": rating_a} | ({"meter": "grid"} if meter else {})},
        {f"S{n}": {"circuit": "grid", "evses": {1: evse}} for n in range(count)},
        {"grid": {"on_loss": on_loss, "poll_s": poll_s}} if meter else {},
    )


@dataclass
class Vehicle:
    """Follows the limit of its EVSE, as far as its own abilities go."""

    takes_a: float = 32.0
    conductors: tuple[int, ...] = (0, 1, 2)
    is_plugged: bool = True
    obeys: bool = True
    is_full: bool = False
    """Or sleeps: draws nothing, and its station says so while it offers current."""


@dataclass
class Outlet:
    key: EvseKey
    vehicle: Vehicle
    nodes: tuple[int, ...]
    delay_s: int
    told: deque = field(default_factory=deque)
    """(when, limit) sent and not followed yet."""
    followed_a: float = 0.0
    """What the station lets the vehicle have."""
    offered: deque = field(default_factory=deque)
    """(when, limit) the station offers and the vehicle has not taken up yet."""
    accepted_a: float = 0.0
    believed_a: float = 0.0
    is_reachable: bool = True
    reported: PhaseCurrents | None = None
    reported_at: float | None = None
    energy_wh: float = 0.0
    changes: int = 0
    last_told_a: float = 0.0
    says_paused_wants: bool = True
    """What it says of a vehicle that it offers nothing."""

    def draws(self):
        vehicle = self.vehicle
        current_a = min(vehicle.takes_a, self.accepted_a if vehicle.obeys else 99.0)
        if not vehicle.is_plugged or vehicle.is_full or current_a < 6:
            current_a = 0.0
        return PhaseCurrents(*[current_a * (phase in vehicle.conductors) for phase in range(3)])

    def says_it_wants(self):
        vehicle = self.vehicle
        if self.followed_a < 6:
            return vehicle.is_plugged and self.says_paused_wants
        return vehicle.is_plugged and not vehicle.is_full


class World:
    """Run it with `run(seconds)`; what happened each second is in `log`."""

    def __init__(
        self,
        config,
        *,
        station_delay_s=2,
        meter_delay_s=0,
        car_delay_s=0,
        base_a=(0, 0, 0),
        confirms_at_once=False,
        answers_questions=True,
    ):
        self.config, self.tree = config, CircuitTree(config)
        self.balancer = Balancer(config)
        self.now = 1000.0
        self.base = {circuit.id: (0.0, 0.0, 0.0) for circuit in self.tree.circuits}
        self.base[self.tree.circuits[0].id] = base_a
        self.limits = {circuit.id: () for circuit in self.tree.circuits}
        self.meter_delay_s, self.car_delay_s = meter_delay_s, car_delay_s
        self.confirms_at_once, self.answers_questions = confirms_at_once, answers_questions
        self.asked = ()
        self.meter_works = True
        self.readings = deque()
        self.log: list[tuple[float, dict, Decision]] = []
        self.outlets = {
            node.key: Outlet(node.key, Vehicle(), node.nodes, station_delay_s)
            for node in self.tree.evses
        }

    def wire(self, station, nodes):
        """Put an EVSE on other nodes than the site file says, or where it does not know."""
        self.outlet(station).nodes = nodes

    def restart(self):
        """Begin anew with a balancer that knows nothing; vehicles and stations go on."""
        self.balancer = Balancer(self.config)
        for outlet in self.outlets.values():
            outlet.reported = outlet.reported_at = None
        self.asked = ()

    def outlet(self, station):
        return self.outlets[EvseKey(station, 1)]

    def limit(self, decision_a, rule="operator", circuit="grid"):
        self.limits[circuit] = (Ceiling(rule, decision_a),)

    def currents(self):
        """What flows on each circuit, A."""
        sums = {c.id: list(self.base[c.id]) for c in self.tree.circuits}
        for outlet in self.outlets.values():
            for conductor, node in enumerate(outlet.nodes):
                circuit = self.tree.circuits[node // 3]
                sums[circuit.id][node % 3] += outlet.draws()[conductor]
        for circuit in reversed(self.tree.circuits):
            if circuit.parent is not None:
                parent = self.tree.circuits[circuit.parent].id
                sums[parent] = [a + b for a, b in zip(sums[parent], sums[circuit.id], strict=True)]
        return {name: PhaseCurrents(*currents) for name, currents in sums.items()}

    def run(self, seconds):
        for _ in range(seconds):
            self.tick()
        return self.log[-1][2]

    def tick(self):
        self.now += 1.0
        for number, outlet in enumerate(self.outlets.values()):
            while outlet.told and self.now - outlet.told[0][0] >= outlet.delay_s:
                outlet.followed_a = outlet.told.popleft()[1]
                outlet.offered.append((self.now, outlet.followed_a))
            while outlet.offered and self.now - outlet.offered[0][0] >= self.car_delay_s:
                outlet.accepted_a = outlet.offered.popleft()[1]
            waiting = [limit_a for _, limit_a in outlet.told]
            outlet.believed_a = max([outlet.followed_a, *waiting])
            outlet.energy_wh += sum(outlet.draws()) * 230 / 3600
            is_asked = self.answers_questions and outlet.key in self.asked
            if ((self.now + number) % REPORT_S == 0 or is_asked) and outlet.is_reachable:
                outlet.reported, outlet.reported_at = outlet.draws(), self.now
        flowing = self.currents()
        if self.meter_works:
            self.readings.append((self.now, flowing))
        decision = self.balancer.step(self.inputs(), self.now)
        self.asked = decision.doubtful
        self.log.append((self.now, flowing, decision))
        for key, limit in decision.limits.items():
            outlet = self.outlets[key]
            if limit.limit_a != outlet.last_told_a and outlet.is_reachable:
                outlet.changes += 1
                outlet.last_told_a = limit.limit_a
                outlet.told.append((self.now, limit.limit_a))

    def inputs(self):
        arrived = [r for r in self.readings if r[0] <= self.now - self.meter_delay_s]
        while len(self.readings) > self.meter_delay_s + 2:
            self.readings.popleft()
        evses = tuple(
            EvseInput(
                key=outlet.key,
                is_reachable=outlet.is_reachable,
                wants_current=outlet.says_it_wants(),
                has_transaction=outlet.vehicle.is_plugged,
                believed_a=outlet.last_told_a
                if self.confirms_at_once
                else max(outlet.believed_a, outlet.last_told_a),
                measured=outlet.reported,
                measured_at=outlet.reported_at,
                energy_wh=outlet.energy_wh,
            )
            for outlet in self.outlets.values()
        )
        circuits = tuple(
            CircuitInput(
                circuit.id,
                MeterReading(arrived[-1][0], arrived[-1][1][circuit.id])
                if circuit.meter and arrived
                else None,
                self.limits[circuit.id],
            )
            for circuit in self.tree.circuits
        )
        return SiteInputs(evses, circuits)

    def limits_a(self):
        return {key.station_id: limit.limit_a for key, limit in self.log[-1][2].limits.items()}

    def changes(self):
        return sum(outlet.changes for outlet in self.outlets.values())

    def most_a(self, since, circuit="grid"):
        """The highest current on any phase after an instant."""
        return max(round(max(flowing[circuit]), 6) for at, flowing, _ in self.log if at > since)
