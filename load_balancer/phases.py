"""Currents on three conductors, how an EVSE's conductors sit on its circuit's, A and W.

Pure. Currents are A RMS per phase, positive = import, towards the vehicle.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Phase = Literal["L1", "L2", "L3"]

PHASES: tuple[Phase, Phase, Phase] = ("L1", "L2", "L3")


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
    PhaseCurrents(l1=5.0, l2=10.0, l3=0.0)
    """
    currents = [0.0, 0.0, 0.0]
    for conductor, phase in enumerate(evse_rotation):
        currents[phase] += evse_currents[conductor]
    return PhaseCurrents(*currents)


def watts(current_a: float, voltage_v: float, phases: int) -> float:
    """Return the power, W, of a current that flows in so many phases at unity power factor.

    >>> watts(16, 230, 3)
    11040
    """
    return current_a * voltage_v * phases


def amperes(power_w: float, voltage_v: float, phases: int) -> float:
    """Return the current per phase, A, that a power drawn evenly from so many phases takes.

    >>> amperes(11040, 230, 3)
    16.0
    """
    return power_w / (voltage_v * phases)
