"""What the circuits of a simulated day may carry beside their ratings: windows and contracts.

Pure. What depends on a meter or on somebody else (demand tariff, balance of the phases, fuse
allowance, grid operator) is not simulated. Currents A RMS per phase, instants seconds since 1970.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.circuit_limits import CircuitLimits
from gateway.simulation.day_sessions import Session
from load_balancer.circuits import CircuitTree
from load_balancer.inputs import Ceiling
from site_config.model import Site

DAY_S = 86_400.0
NOT_SIMULATED = ("demand_w", "fuse_allowance", "unbalance_a")
"""Keys of a circuit."""


def left_out(site: Site) -> list[str]:
    """Return the keys of the site file whose limits are not simulated."""
    circuits = site.circuits.items()
    return [
        f"circuits.{name}.{key}"
        for name, circuit in circuits
        for key in NOT_SIMULATED
        if getattr(circuit, key) is not None
    ]


class DayLimits:
    """What each conductor may carry, and when that changes."""

    def __init__(self, site: Site, tree: CircuitTree) -> None:
        self._tree, self._circuits = tree, CircuitLimits(site, ())
        self._zone = ZoneInfo(site.site.timezone)
        self._windows = [w for circuit in site.circuits.values() for w in circuit.limit_windows]

    def instants(self, sessions: Sequence[Session]) -> list[float]:
        """Return when cars come or go, and windows open or close meanwhile, in order."""
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
        return sorted(instants)

    def _date(self, at: float) -> date:
        return datetime.fromtimestamp(at, self._zone).date()

    def of(self, node: int, at: float) -> float:
        """Return the lowest limit of a conductor, A."""
        circuit = self._tree.circuits[node // 3]
        ceilings = self.ceilings(circuit.id, at)
        return min([circuit.rating[node % 3], *(ceiling.value_a for ceiling in ceilings)])

    def ceilings(self, circuit: str, at: float) -> tuple[Ceiling, ...]:
        """Return every limit of a circuit beside its rating."""
        return self._circuits.ceilings(circuit, datetime.fromtimestamp(at, UTC))
