"""What a simulated day is made of: a car at its EVSE, a station that follows, a meter that lags.

Pure. `now` is seconds since 1970, the day's virtual clock. Currents A RMS, positive = towards the
vehicle; energy is Wh at the EVSE.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from math import inf

from gateway.simulation.cars import EFFICIENCY, Car
from gateway.simulation.day_sessions import Session
from load_balancer.circuits import EvseNode
from load_balancer.inputs import EvseInput, MeterReading
from load_balancer.phases import ZERO, PhaseCurrents

Delays = tuple[float, float]
"""From, to; s."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How good stations, cars and meters are; each has one delay of its own out of the range."""

    step_a: float = 1.0
    """Smallest step in which stations take a limit."""
    station_delay_s: Delays = (0.0, 0.0)
    """Until a station has confirmed and follows."""
    car_delay_s: Delays = (0.0, 0.0)
    meter_delay_s: Delays = (0.0, 0.0)
    report_s: float = 0.0
    """Between two reports of a station; 0: it always says what flows."""
    taper_begins: float = 1.0
    """Part of its wish from which a car takes less and less; 1: it never does."""


IDEAL = Habits()
REALISTIC = Habits(
    station_delay_s=(0.0, 10.0),
    car_delay_s=(0.0, 5.0),
    meter_delay_s=(0.0, 5.0),
    report_s=10.0,
    taper_begins=0.9,
)


class Visit:
    """One session from arrival to departure, and what came of it."""

    def __init__(self, session: Session, departs_at: float, reaction_s: float, taper: float):
        self.session = session
        self.departs_at = departs_at
        """When the gateway is told that it leaves."""
        self._car = Car(
            capacity_wh=session.energy_wh * EFFICIENCY,
            energy_wh=0.0,
            phases=1,
            max_current_a=session.max_current_a,
            reaction_s=reaction_s,
            taper_begins=taper,
        )
        self.switchings = 0
        """How often the balancer let it begin or made it pause."""
        self._is_offered = False
        self.is_full = False
        """As of the last draw."""

    def offered(self, *, is_on: bool) -> None:
        """Take note whether the balancer lets it charge; when full, it does not care."""
        if is_on != self._is_offered and not self.is_full:
            self.switchings += 1
        self._is_offered = is_on

    @property
    def missing_wh(self) -> float:
        return max(0.0, self.session.energy_wh - self.delivered_wh)

    @property
    def delivered_wh(self) -> float:
        return self._car.energy_wh / EFFICIENCY

    def draw(self, now: float, offer_a: float, voltage_v: float) -> float:
        """Charge with the current of the last step until now; return what it takes from now on."""
        # The car sees one conductor; what flows in the others is the same.
        volts = voltage_v * len(self.session.conductors)
        drawn_a = self._car.step(now, offer_a, volts)[0]
        self.is_full = self._car.is_satisfied
        return drawn_a


@dataclass
class Outlet:
    """One EVSE with its station's part in it, and the car that is plugged in."""

    node: EvseNode
    habits: Habits
    delay_s: float
    voltage_v: float
    visit: Visit | None = None
    offer_a: float = 0.0
    """What the station follows."""
    drawn_a: float = 0.0
    carrying: tuple[int, ...] = ()
    """Every node of the tree through which a conductor of the car is fed, up to the root's."""
    reported: PhaseCurrents = ZERO
    reported_at: float = -inf
    told_a: float = 0.0
    said: EvseInput | None = None
    """What the balancer was told of it while it rests; None: there may be news."""
    _told: deque[tuple[float, float]] = field(default_factory=deque)
    """(when, limit) sent and not confirmed."""

    def plug(self, visit: Visit, carrying: tuple[int, ...]) -> None:
        self.visit, self.carrying, self.said = visit, carrying, None

    def unplug(self, now: float) -> Visit:
        """Let the car go; raises AssertionError where there is none."""
        visit = self.visit
        assert visit is not None
        visit.draw(now, 0.0, self.voltage_v)
        self.visit, self.said, self.drawn_a = None, None, 0.0
        self.reported = ZERO
        return visit

    def tell(self, limit_a: float, now: float) -> None:
        self.told_a, self.said = limit_a, None
        self._told.append((now, limit_a))

    @property
    def believed_a(self) -> float:
        """The highest limit it may be acting upon."""
        if not self._told:
            return self.offer_a
        return max(self.offer_a, *(limit_a for _, limit_a in self._told))

    @property
    def is_resting(self) -> bool:
        """Whether nothing flows, nothing is on its way, and nobody wants anything."""
        is_idle = self.visit is None or self.visit.is_full
        return is_idle and not self.drawn_a and not self._told

    def flow(self, now: float) -> float:
        """Follow what has arrived by now; return what each conductor in use carries from now on."""
        while self._told and now - self._told[0][0] >= self.delay_s:
            limit_a = self._told.popleft()[1]
            self.offer_a = limit_a // self.habits.step_a * self.habits.step_a
        if self.visit is not None:
            self.drawn_a = self.visit.draw(now, self.offer_a, self.voltage_v)
        if now - self.reported_at >= self.habits.report_s:
            self.reported_at = now
            if self.drawn_a != max(self.reported):
                self.reported = self._conductors()
        return self.drawn_a

    def _conductors(self) -> PhaseCurrents:
        """Return what flows in the EVSE's own conductors."""
        if self.visit is None or not self.drawn_a:
            return ZERO
        live = self.visit.session.conductors
        return PhaseCurrents(*(self.drawn_a if n in live else 0.0 for n in range(3)))


class LaggingMeter:
    """Reads every circuit at once, and is heard some seconds later; before the first, nothing."""

    def __init__(self, delay_s: float, nodes: int) -> None:
        self._delay_s = delay_s
        self._seen: deque[tuple[float, list[float]]] = deque([(-inf, [0.0] * nodes)])

    def see(self, now: float, flows_a: list[float]) -> None:
        """Take what flows now, A for each node of the tree."""
        self._seen.append((now, flows_a))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self._delay_s:
            self._seen.popleft()

    def reading(self, circuit: int, now: float) -> MeterReading:
        """Return what has arrived by now; between two instants the same flowed all the time."""
        heard = (entry for entry in reversed(self._seen) if entry[0] <= now - self._delay_s)
        at, flows_a = next(heard)
        return MeterReading(
            max(at, now - self._delay_s), PhaseCurrents(*flows_a[3 * circuit : 3 * circuit + 3])
        )


class Draws:
    """Delays for everybody, the same for the same seed."""

    def __init__(self, habits: Habits, seed: int) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a simulated delay, no secret
        self._habits = habits

    def station_delay_s(self) -> float:
        return self._dice.uniform(*self._habits.station_delay_s)

    def car_delay_s(self) -> float:
        return self._dice.uniform(*self._habits.car_delay_s)

    def meter_delay_s(self) -> float:
        return self._dice.uniform(*self._habits.meter_delay_s)

    def error_s(self, rms_s: float) -> float:
        return self._dice.gauss(0.0, rms_s)
