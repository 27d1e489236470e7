"""Currents on three conductors, and how an EVSE's conductors sit on its circuit's.

Pure. Currents are A RMS per phase, positive = import, towards the vehicle.
"""

from collections.abc import Sequence
from typing import NamedTuple


class PhaseCurrents(NamedTuple):
    """Current on each conductor, A RMS, in the order of whoever owns them."""

    l1: float
    l2: float
    l3: float


ZERO = PhaseCurrents(0.0, 0.0, 0.0)


def rotation(phases: Sequence[str]) -> tuple[int, ...]:
    """Return, for each of the EVSE's conductors, the index (0..2) of the circuit's conductor.

    >>> rotation(["L2", "L3", "L1"])
    (1, 2, 0)
    """
    return tuple(("L1", "L2", "L3").index(phase) for phase in phases)


def on_circuit(evse_currents: PhaseCurrents, evse_rotation: Sequence[int]) -> PhaseCurrents:
    """Return the currents an EVSE draws, in its circuit's phase order.

    >>> on_circuit(PhaseCurrents(10, 0, 5), (1, 2, 0))
    PhaseCurrents(l1=5, l2=10, l3=0)
    """
    currents = [0.0, 0.0, 0.0]
    for conductor, phase in enumerate(evse_rotation):
        currents[phase] += evse_currents[conductor]
    return PhaseCurrents(*currents)
