"""A vehicle at the end of the cable: how much current it takes of what it is offered.

Pure; `now` is monotonic seconds. Currents are A RMS per conductor of the EVSE (L1, L2, L3),
positive = towards the vehicle; energy is Wh in the battery.
"""

import math
from collections import deque
from dataclasses import dataclass

Conductors = tuple[float, float, float]

NO_CURRENT: Conductors = (0.0, 0.0, 0.0)

MINIMUM_CURRENT_A = 6.0
"""Below it the pilot signal says: no charging (IEC 61851-1)."""

TAPER_BEGINS = 0.8
"""State of charge from which the battery takes less and less."""

TAPER_ENDS_AT = 0.25
"""Part of the full current that is left when the battery is full."""

EFFICIENCY = 0.9
"""Part of the energy drawn that reaches the battery."""


@dataclass
class Car:
    """One vehicle while it is plugged in.

    Example: `Car(capacity_wh=60_000, energy_wh=12_000)` wants 48 kWh, three-phase, up to 16 A.
    """

    capacity_wh: float = 60_000
    energy_wh: float = 15_000
    target_wh: float | None = None
    """Stops at this; None: a full battery."""
    phases: int = 3
    """Conductors the charger in the car uses: 1, 2 or 3, from L1 on."""
    max_current_a: float = 16.0
    reaction_s: float = 2.0
    """Time until a new limit shows; 5 s at most for a sound car (IEC 61851-1 A.2)."""
    obeys: bool = True
    """False: takes its own maximum whatever it is offered (while it is offered anything)."""
    sleeps_after_s: float | None = None
    """Paused for so long it falls asleep and does not wake up again; None: never."""
    time_scale: float = 1.0
    """How many seconds pass for the battery in one second of `now`."""
    taper_begins: float = TAPER_BEGINS
    """State of charge from which it takes less and less; 1: it never does."""

    def __post_init__(self) -> None:
        self._stepped_at: float | None = None
        self._paused_since: float | None = None
        self._is_asleep = False
        self._offers = deque([(-math.inf, 0.0)])
        """(since, A), oldest first; the first one is in force."""
        self._currents_a = NO_CURRENT

    @property
    def state_of_charge(self) -> float:
        """0 to 1."""
        return min(1.0, self.energy_wh / self.capacity_wh)

    @property
    def is_satisfied(self) -> bool:
        goal_wh = self.capacity_wh if self.target_wh is None else self.target_wh
        return self.energy_wh >= min(goal_wh, self.capacity_wh) - 1e-6

    def step(self, now: float, limit_a: float, voltage_v: float) -> Conductors:
        """Charge since the last step with the current of then; return what flows from now on.

        `limit_a` is the offer on the pilot wire, 0 for none.
        """
        if self._stepped_at is not None:
            self._charge(now - self._stepped_at, voltage_v)
        self._stepped_at = now
        self._currents_a = self._wanted(now, self._offer_in_force(now, limit_a))
        return self._currents_a

    def rest(self, now: float) -> None:
        """The contactor is open: nothing flows, whatever was offered."""
        self._stepped_at, self._currents_a = now, NO_CURRENT
        self._offers = deque([(-math.inf, 0.0)])
        self._pause(now)

    def wake(self) -> None:
        """Plug out and in, or a driver who unlocks the doors."""
        self._is_asleep, self._paused_since = False, None

    def _charge(self, elapsed_s: float, voltage_v: float) -> None:
        power_w = sum(self._currents_a) * voltage_v
        self.energy_wh += EFFICIENCY * power_w * elapsed_s * self.time_scale / 3600
        self.energy_wh = min(self.energy_wh, self.capacity_wh)

    def _offer_in_force(self, now: float, limit_a: float) -> float:
        if not self._offers or self._offers[-1][1] != limit_a:
            self._offers.append((now, limit_a))
        while len(self._offers) > 1 and now - self._offers[1][0] >= self.reaction_s:
            self._offers.popleft()
        return self._offers[0][1]

    def _wanted(self, now: float, offer_a: float) -> Conductors:
        if offer_a < MINIMUM_CURRENT_A:
            self._pause(now)
            return NO_CURRENT
        if self._is_asleep or self.is_satisfied:
            return NO_CURRENT
        self._paused_since = None
        own_a = self.max_current_a * self._taper()
        current_a = min(own_a, offer_a) if self.obeys else own_a
        l1, l2, l3 = (current_a if n < self.phases else 0.0 for n in range(3))
        return l1, l2, l3

    def _pause(self, now: float) -> None:
        if self._paused_since is None:
            self._paused_since = now
        if self.sleeps_after_s is not None and now - self._paused_since >= self.sleeps_after_s:
            self._is_asleep = True

    def _taper(self) -> float:
        """Constant current up to there, then down in a straight line."""
        if self.state_of_charge <= self.taper_begins:
            return 1.0
        over = (self.state_of_charge - self.taper_begins) / (1 - self.taper_begins)
        return 1.0 - over * (1.0 - TAPER_ENDS_AT)
