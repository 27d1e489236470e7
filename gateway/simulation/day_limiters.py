"""What tariff and grid code allow at an instant of a simulated day, as its meters see the load.

Pure; the limiters are the gateway's own. Between two steps of the day the same current flows, so
the quarter of an hour is counted in steps as short as those of a live meter. Currents A RMS per
phase, instants seconds since 1970.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from gateway.simulation.day_plant import LaggingMeter, Outlet
from load_balancer.circuits import CircuitTree
from load_balancer.inputs import Ceiling, EvseKey
from load_balancer.limiters.phase_balance import DRAWN_FROM_A, PhaseBalance
from load_balancer.limiters.quarter_hour import LONGEST_GAP_S, QUARTER_S, QuarterHour
from load_balancer.phases import PHASES, PhaseCurrents, on_circuit
from load_balancer.reasons import Rule
from site_config.model import Site


class DayLimiters:
    """Every limiter that depends on what flows."""

    def __init__(self, site: Site, tree: CircuitTree) -> None:
        self._voltage_v = site.site.voltage_v
        circuits = [(node.id, node.index, site.circuits[node.id]) for node in tree.circuits]
        self._quarters = {
            index: QuarterHour(name, circuit.demand_w, self._voltage_v)
            for name, index, circuit in circuits
            if circuit.demand_w is not None
        }
        self._balances = {
            index: PhaseBalance(circuit.unbalance_a)
            for _, index, circuit in circuits
            if circuit.unbalance_a is not None
        }
        self.fullest_quarter: float | None = None if not self._quarters else 0.0
        """The most that a quarter counted from its beginning has used of what it may; None: no
        circuit has a demand tariff."""
        self._counted_to: float | None = None
        self._first_quarter: datetime | None = None
        self._on_circuit: dict[int, tuple[Ceiling, ...]] = {}
        self._on_evse: dict[EvseKey, tuple[Ceiling, ...]] = {}

    def count(self, meter: LaggingMeter, now: float) -> None:
        """Count what has flowed until now; call it before anything changes."""
        if not self._quarters:
            return
        at = now if self._counted_to is None else max(self._counted_to, now - now % QUARTER_S)
        self._observe(meter, at)
        while at < now:
            at = min(at + LONGEST_GAP_S, now)
            self._observe(meter, at)
        self._counted_to = now
        for index, quarter in self._quarters.items():
            self._on_circuit[index] = (Ceiling(Rule.DEMAND, quarter.limit_a(now)),)

    def _observe(self, meter: LaggingMeter, at: float) -> None:
        for index, quarter in self._quarters.items():
            reading = meter.reading(index, at)
            power_w = sum(reading.currents) * self._voltage_v
            quarter.observe(power_w, reading.taken_at, at, datetime.fromtimestamp(at, UTC))
            self._first_quarter = self._first_quarter or quarter.begins_at
            if self.fullest_quarter is not None and quarter.begins_at > self._first_quarter:
                used = quarter.used_wh / (quarter.used_wh + quarter.rest_wh)
                self.fullest_quarter = max(self.fullest_quarter, used)

    def compare(self, meter: LaggingMeter, present: Iterable[Outlet], now: float) -> None:
        """Look how far the phases are apart now, and who may do something about it."""
        if not self._balances:
            return
        present = list(present)
        on_evse: dict[EvseKey, tuple[Ceiling, ...]] = {}
        for index, balance in self._balances.items():
            singles: dict[EvseKey, PhaseCurrents] = {}
            idle: dict[EvseKey, tuple[int, ...]] = {}
            for outlet in present:
                node = outlet.node
                if index not in node.circuits or len(node.wirings) > 1:
                    continue  # Where the phases are unknown, nobody knows what it unbalances.
                wired = tuple(place % len(PHASES) for place in node.nodes)
                live = sum(current_a >= DRAWN_FROM_A for current_a in outlet.reported)
                if 0 < live < len(PHASES):
                    singles[node.key] = on_circuit(outlet.reported, wired)
                elif live == 0 and len(wired) < len(PHASES):
                    idle[node.key] = wired
            measured = meter.reading(index, now).currents
            for key, most_a in balance.observe(measured, singles, idle, now).items():
                on_evse[key] = (*on_evse.get(key, ()), Ceiling(Rule.UNBALANCE, most_a))
        self._on_evse = on_evse

    def on_circuit(self, circuit: int) -> tuple[Ceiling, ...]:
        return self._on_circuit.get(circuit, ())

    def on_evse(self, key: EvseKey) -> tuple[Ceiling, ...]:
        return self._on_evse.get(key, ())
