"""The most energy that anybody could have delivered who had known every car beforehand.

Pure. A linear program (HiGHS, through scipy, which is an extra): between two instants at which
anything changes, each car takes one mean current; no car more than its own maximum or its wish, no
conductor of the tree more than its limit, no quarter of an hour more than a tariff leaves it. The
6 A below which no car charges and the unbalance of the phases are left out, so no real balancer
quite reaches it. Currents A RMS per phase, energies Wh.
"""

from collections.abc import Sequence
from itertools import pairwise

from gateway.simulation.day_limits import DayLimits
from gateway.simulation.day_sessions import Session
from load_balancer.circuits import CircuitTree
from load_balancer.limiters.quarter_hour import QUARTER_S
from site_config.model import Site


class SolverMissing(Exception):
    """scipy is not installed."""


def optimum_wh(site: Site, sessions: Sequence[Session]) -> float:
    """Return the energy of the best day; raises SolverMissing."""
    try:
        import numpy as np  # noqa: PLC0415 - an extra: the gateway runs without it
        from scipy.optimize import linprog  # noqa: PLC0415
        from scipy.sparse import csr_matrix  # noqa: PLC0415
    except ImportError as reason:
        raise SolverMissing(str(reason)) from reason

    program = _Program(site, sessions)
    most = np.array(program.most_ah)
    matrix = csr_matrix(
        (program.values, (program.rows, program.columns)), shape=(len(program.bounds), len(most))
    )
    found = linprog(
        -np.array(program.gain_wh),
        A_ub=matrix,
        b_ub=np.array(program.bounds),
        bounds=np.column_stack([np.zeros_like(most), most]),
        method="highs",
    )
    return float(-found.fun)


class _Program:
    """The unknowns are charges, Ah per conductor: one for each car and time between changes."""

    def __init__(self, site: Site, sessions: Sequence[Session]) -> None:
        self.gain_wh: list[float] = []
        """Of one Ah, for each unknown."""
        self.most_ah: list[float] = []
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.values: list[float] = []
        self.bounds: list[float] = []
        """The most for each row's sum."""
        tree = CircuitTree(site)
        nodes = {evse.key: evse for evse in tree.evses}
        limits = DayLimits(site, tree)
        instants = limits.instants(sessions)
        spans = list(pairwise(instants))
        numbers = {at: number for number, at in enumerate(instants)}
        row_of: dict[tuple[int, int], int] = {}
        row_of_quarter: dict[tuple[int, float], int] = {}
        for session in sessions:
            evse = nodes[session.key]
            volts = site.site.voltage_v * len(session.conductors)
            most_a = min(session.max_current_a, evse.maximum_a)
            path = [n for c in session.conductors for n in tree.paths[evse.nodes[c]]]
            wish = self._row(session.energy_wh / volts)
            for number in range(numbers[session.arrival], numbers[session.departure]):
                begin, end = spans[number]
                hours = (end - begin) / 3600
                column = len(self.gain_wh)
                self.gain_wh.append(volts)
                self.most_ah.append(most_a * hours)
                self._put(wish, column)
                for node in path:
                    if (number, node) not in row_of:
                        row_of[number, node] = self._row(limits.of(node, begin) * hours)
                    self._put(row_of[number, node], column)
                for circuit in evse.circuits:
                    most_wh = limits.quarter_wh(circuit)
                    if most_wh is not None:
                        quarter = (circuit, begin // QUARTER_S)
                        if quarter not in row_of_quarter:
                            row_of_quarter[quarter] = self._row(most_wh)
                        self._put(row_of_quarter[quarter], column, volts)

    def _row(self, bound: float) -> int:
        self.bounds.append(bound)
        return len(self.bounds) - 1

    def _put(self, row: int, column: int, value: float = 1.0) -> None:
        self.rows.append(row)
        self.columns.append(column)
        self.values.append(value)
