"""The hardware of one simulated EVSE: cable, contactor, energy register. Pure.

Currents are A RMS on the EVSE's own conductors (L1, L2, L3), positive = towards the vehicle; the
register is Wh and only rises.
"""

from dataclasses import dataclass

from gateway.simulation.cars import NO_CURRENT, Car, Conductors


@dataclass(frozen=True, slots=True)
class EvseHardware:
    """What an EVSE is built of."""

    evse_id: int
    max_current_a: float = 32.0
    conductors: int = 3
    """1, 2 or 3 phases wired."""
    register_wh: float = 0.0
    """Where its energy register stands at first."""
    efficiency: float = 1.0
    """Part of the power at its input that leaves the outlet; below 1: a rectifier."""
    outlet_v: float | None = None
    """Direct voltage at the outlet; None: it gives alternating current."""


class SimulatedEvse:
    """One EVSE with whatever car stands before it."""

    def __init__(self, hardware: EvseHardware, draws_on_other_phases: bool = False) -> None:
        self.evse_id = hardware.evse_id
        self.hardware = hardware
        self.car: Car | None = None
        self.is_closed = False
        """The contactor: a transaction may draw current."""
        self.limit_a = hardware.max_current_a
        """What the pilot wire says, or would say."""
        self.currents_a: Conductors = NO_CURRENT
        self.voltage_v = 230.0
        self.time_scale = 1.0
        """How many seconds of energy pass in one second of `now`."""
        self.register_wh = hardware.register_wh
        self._shifts = draws_on_other_phases
        self._stepped_at: float | None = None

    @property
    def register(self) -> int:
        """The register as it is shown and sent, whole Wh."""
        return int(self.register_wh)

    @property
    def power_w(self) -> float:
        """At the outlet, where its meter is."""
        return sum(self.currents_a) * self.voltage_v * self.hardware.efficiency

    @property
    def phases_used(self) -> int:
        """Conductors the car uses here; those wired when there is none."""
        wired = self.hardware.conductors
        return min(self.car.phases, wired) if self.car else wired

    @property
    def is_drawing(self) -> bool:
        return max(self.currents_a) > 0.0

    def step(self, now: float, limit_a: float) -> None:
        """Count the energy since the last step; then let the car have up to `limit_a`."""
        if self._stepped_at is not None:
            elapsed_s = (now - self._stepped_at) * self.time_scale
            self.register_wh += self.power_w * elapsed_s / 3600
        self._stepped_at = now
        self.limit_a = min(limit_a, self.hardware.max_current_a)
        if self.car is None or not self.is_closed:
            if self.car:
                self.car.rest(now)
            self.currents_a = NO_CURRENT
            return
        self.car.time_scale = self.time_scale
        drawn = self.car.step(now, self.limit_a, self.voltage_v)
        wired = [a if n < self.hardware.conductors else 0.0 for n, a in enumerate(drawn)]
        if self._shifts:
            wired = wired[-1:] + wired[:-1]
        self.currents_a = (wired[0], wired[1], wired[2])

    def open_contactor(self, now: float) -> None:
        """End the current at once, the energy until now counted."""
        self.step(now, self.limit_a)
        self.is_closed = False
        self.step(now, self.limit_a)

    def unplug(self, now: float) -> None:
        self.open_contactor(now)
        self.car = None
