"""Whether what a meter says can be true. Pure.

A reading that cannot be true is treated like silence: nobody steers by it. A reading that never
changes may be true, so it is only flagged. Currents are A RMS, voltages V phase to neutral.
"""

from dataclasses import dataclass

from gateway.meters.decode import DecodedValues

POSSIBLE_OVERCURRENT = 20.0
"""A fuse lets many times its rating through for a moment, but not for the length of a reading."""
POSSIBLE_OVERVOLTAGE = 1.5
"""A lost neutral lifts a phase to at most 1.73 times its voltage, with smoke; 1.5 is not served."""
DEAD_VOLTAGE = 0.1
"""Below this share of the nominal voltage on all phases, the measuring inputs are not connected."""
FROZEN_POLLS = 300
"""As many identical readings in a row: voltages alone differ from one second to the next."""

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


def implausible(values: DecodedValues, bounds: Bounds) -> str | None:
    """Return why these values cannot be true, in words for a log line; None if they can."""
    for phase, current_a in zip(PHASES, values.currents, strict=True):
        if current_a is None:
            return f"no current on {phase}"
        if abs(current_a) > bounds.max_current_a:
            return (
                f"impossible current on {phase}: "
                f"{current_a:.1f} A, at most {bounds.max_current_a:.0f} A"
            )
    highest_v = bounds.voltage_v * POSSIBLE_OVERVOLTAGE
    for phase, voltage_v in zip(PHASES, values.voltages, strict=True):
        if voltage_v is not None and not 0 <= voltage_v <= highest_v:
            return f"impossible voltage on {phase}: {voltage_v:.1f} V, at most {highest_v:.0f} V"
    known = [voltage_v for voltage_v in values.voltages if voltage_v is not None]
    if known and max(known) < DEAD_VOLTAGE * bounds.voltage_v:
        return f"no voltage on any phase: at most {max(known):.1f} V"
    return None


class FrozenWatch:
    """Notices a meter that repeats itself, to the last digit.

    Only what is measured counts, not the energies; a reading of nothing but zeros may repeat.
    """

    def __init__(self, polls: int = FROZEN_POLLS) -> None:
        self.polls = polls
        """So many readings in a row, each like the one before, are suspicious."""
        self._last: tuple[object, ...] = ()
        self._repeated = 0

    def just_froze(self, values: DecodedValues) -> bool:
        """Take the next reading in; tell, once, when the last `polls` were identical."""
        measured = (values.currents, values.voltages, values.powers, values.frequency_hz)
        flows = any(values.currents) or any(values.powers)
        if not flows:
            self._repeated = 0
        else:
            self._repeated = self._repeated + 1 if measured == self._last else 1
        self._last = measured
        return self._repeated == self.polls
