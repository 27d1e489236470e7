"""Whether what a meter says can be true. Pure.

Looks at one reading alone; what several in a row say together is judged in `watch`. Currents are
A RMS, voltages V phase to neutral.
"""

from dataclasses import dataclass

from gateway.meters.decode import DecodedValues
from gateway.meters.doubts import Doubt, DoubtKind
from gateway.meters.model import CURRENTS, VOLTAGES

POSSIBLE_OVERCURRENT = 20.0
"""A fuse lets many times its rating through for a moment, but not for the length of a reading."""
POSSIBLE_OVERVOLTAGE = 1.5
"""A lost neutral lifts a phase to at most 1.73 times its voltage, with smoke; 1.5 is not served."""
DEAD_VOLTAGE = 0.1
"""Below this share of the nominal voltage on all phases, the measuring inputs are not connected."""

PHASES = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What this meter, where it sits, may show."""

    max_current_a: float
    voltage_v: float = 230.0
    """Nominal, phase to neutral."""

    @classmethod
    def of_circuit(cls, rating_a: float, voltage_v: float) -> "Bounds":
        return cls(rating_a * POSSIBLE_OVERCURRENT, voltage_v)


def implausible(values: DecodedValues, bounds: Bounds) -> Doubt | None:
    """Return why these values cannot be true; None if they can."""
    for phase, quantity, current_a in zip(PHASES, CURRENTS, values.currents, strict=True):
        if current_a is None:
            return Doubt(DoubtKind.NOT_AVAILABLE, quantity, f"no current on {phase}")
        if abs(current_a) > bounds.max_current_a:
            words = f"{current_a:.1f} A, at most {bounds.max_current_a:.0f} A"
            return Doubt(DoubtKind.IMPOSSIBLE, quantity, f"impossible current on {phase}: {words}")
    highest_v = bounds.voltage_v * POSSIBLE_OVERVOLTAGE
    for phase, quantity, voltage_v in zip(PHASES, VOLTAGES, values.voltages, strict=True):
        if voltage_v is not None and not 0 <= voltage_v <= highest_v:
            words = f"{voltage_v:.1f} V, at most {highest_v:.0f} V"
            return Doubt(DoubtKind.IMPOSSIBLE, quantity, f"impossible voltage on {phase}: {words}")
    known = [voltage_v for voltage_v in values.voltages if voltage_v is not None]
    if known and max(known) < DEAD_VOLTAGE * bounds.voltage_v:
        words = f"no voltage on any phase: at most {max(known):.1f} V"
        return Doubt(DoubtKind.NO_VOLTAGE, VOLTAGES[0], words)
    return None
