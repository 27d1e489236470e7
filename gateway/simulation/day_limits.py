"""What the circuits of a simulated day may carry beside their ratings: windows and contracts.

Pure. What depends on the load itself is in `day_limiters`, but for the energy that a tariff leaves
to a quarter of an hour. Currents A RMS per phase, energies Wh, instants seconds since 1970.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from gateway.circuit_limits import CircuitLimits
from gateway.simulation.day_sessions import Session
from load_balancer.circuits import CircuitTree
from load_balancer.inputs import Ceiling
from load_balancer.limiters.quarter_hour import QUARTER_S
from site_config.model import Site

DAY_S = 86_400.0


def left_out(site: Site) -> list[str]:
    """Return what would bind the site but is not simulated, and what to do about it."""
    found = []
    if site.grid_operator is not None:
        found.append("grid_operator: nobody dims on these days")
    if metered := [name for name, circuit in site.circuits.items() if circuit.meter is not None]:
        found.append(
            f"what else draws on circuit {', '.join(metered)}: lower rating_a by it, or add "
            "limit_windows for its busy hours"
        )
    return found


class DayLimits:
    """What each conductor may carry, and when that changes."""

    def __init__(self, site: Site, tree: CircuitTree) -> None:
        self._tree, self._circuits = tree, CircuitLimits(site, ())
        self._zone = ZoneInfo(site.site.timezone)
        self._windows = [w for circuit in site.circuits.values() for w in circuit.limit_windows]
        quarter_h = QUARTER_S / 3600
        self._quarters_wh = {
            node.index: demand_w * quarter_h
            for node in tree.circuits
            if (demand_w := site.circuits[node.id].demand_w) is not None
        }

    def instants(self, sessions: Sequence[Session]) -> list[float]:
        """Return, in order, when cars come or go; meanwhile, when windows open or close, and when
        a quarter begins that a tariff bills."""
        instants = {at for session in sessions for at in (session.arrival, session.departure)}
        first, last = min(instants), max(instants)
        day, last_day = self._date(first - DAY_S), self._date(last + DAY_S)
        while self._windows and day <= last_day:
            for window in self._windows:
                for clock in (window.start, window.end):
                    at = datetime.combine(day, clock, self._zone).timestamp()
                    if first < at < last:
                        instants.add(at)
            day += timedelta(days=1)
        if self._quarters_wh:
            numbers = range(ceil(first / QUARTER_S), ceil(last / QUARTER_S))
            instants.update(number * QUARTER_S for number in numbers)
        return sorted(instants)

    def _date(self, at: float) -> date:
        return datetime.fromtimestamp(at, self._zone).date()

    def of(self, node: int, at: float) -> float:
        """Return the lowest limit of a conductor, A."""
        circuit = self._tree.circuits[node // 3]
        ceilings = self.ceilings(circuit.id, at)
        return min([circuit.rating[node % 3], *(ceiling.value_a for ceiling in ceilings)])

    def quarter_wh(self, circuit: int) -> float | None:
        """Return what a circuit may take in a quarter of an hour; None: no tariff bills it."""
        return self._quarters_wh.get(circuit)

    def ceilings(self, circuit: str, at: float) -> tuple[Ceiling, ...]:
        """Return every limit of a circuit beside its rating."""
        return self._circuits.ceilings(circuit, datetime.fromtimestamp(at, UTC))
