"""The electricity of a simulated site: who draws what through which fuse, on which phase.

Pure; `now` is monotonic seconds. Currents are A RMS per phase of the circuit (L1, L2, L3),
positive = import; energy is Wh. Plant time runs `time_scale` times as fast as `now`: a day of the
building passes in minutes, while the protocols stay in real time.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.simulation.cars import NO_CURRENT, Conductors

Place = tuple[str, int]
"""(station, EVSE)."""

Load = Callable[[float], Conductors]
"""Plant time, hours since midnight of the first day -> what a building draws, A."""

NOISE_STEP_H = 0.05
"""A building's load jumps every three minutes of plant time."""

DAY: Sequence[tuple[float, float]] = (
    (0.0, 0.18),
    (6.0, 0.20),
    (8.5, 0.70),
    (12.0, 0.75),
    (15.0, 0.60),
    (16.5, 0.65),
    (18.0, 1.00),
    (19.5, 0.95),
    (21.0, 0.50),
    (24.0, 0.18),
)
"""An office with a restaurant: (hour, part of the highest load), straight lines between."""


def daily_part(hour: float) -> float:
    """Return the part of the highest load at an hour of the day, 0 to 1.

    >>> daily_part(18.0)
    1.0
    """
    hour %= 24.0
    for (from_h, low), (to_h, high) in itertools.pairwise(DAY):
        if hour <= to_h:
            return low + (high - low) * (hour - from_h) / (to_h - from_h)
    return DAY[-1][1]


@dataclass(frozen=True, slots=True)
class Building:
    """A building's load over the day, a little uneven and a little noisy, the same every run."""

    peak_a: Conductors
    """At the worst hour, A per phase."""
    noise: float = 0.04
    """Largest deviation, as a part of the load."""
    seed: int = 1

    def __call__(self, hours: float) -> Conductors:
        number = int(hours / NOISE_STEP_H)
        dice = random.Random(self.seed * 1_000_003 + number)  # noqa: S311 - weather, no secret
        part = daily_part(hours)
        l1, l2, l3 = (
            peak_a * part * (1 + dice.uniform(-self.noise, self.noise)) for peak_a in self.peak_a
        )
        return l1, l2, l3


@dataclass
class ScriptedLoad:
    """A load that somebody switches: whatever it was set to last, A."""

    currents_a: Conductors = NO_CURRENT

    def __call__(self, hours: float) -> Conductors:
        return self.currents_a


@dataclass(frozen=True, slots=True)
class Wiring:
    """How an EVSE hangs on the tree of circuits."""

    circuit: str
    phases: tuple[int, ...]
    """The circuit's conductor (0, 1, 2) for each of the EVSE's."""


@dataclass
class CircuitValues:
    """What a meter in a circuit would show."""

    currents_a: Conductors = NO_CURRENT
    voltages_v: Conductors = (230.0, 230.0, 230.0)
    powers_w: Conductors = NO_CURRENT
    energy_import_wh: float = 0.0


@dataclass
class Plant:
    """The tree of circuits with everything that hangs on it."""

    parents: Mapping[str, str | None]
    """Circuit -> the one that feeds it; None for the root."""
    wirings: Mapping[Place, Wiring]
    loads: Mapping[str, Load] = field(default_factory=dict)
    """Circuit -> what draws there beside the EVSEs."""
    voltage_v: float = 230.0
    source_ohm: float = 0.03
    """What the voltage drops by, V for each A through the root."""
    time_scale: float = 1.0
    start_hour: float = 0.0
    """Plant time at the first step."""

    def __post_init__(self) -> None:
        self.circuits = {name: CircuitValues() for name in self.parents}
        self._began_at: float | None = None
        self._stepped_at = 0.0

    def hours(self, now: float) -> float:
        """Return plant time, hours since midnight of the first day."""
        began_at = now if self._began_at is None else self._began_at
        return self.start_hour + (now - began_at) * self.time_scale / 3600

    def step(self, now: float, drawn: Mapping[Place, Conductors]) -> None:
        """Count the energy since the last step, then take over what is drawn now."""
        if self._began_at is None:
            self._began_at = self._stepped_at = now
        elapsed_h = (now - self._stepped_at) * self.time_scale / 3600
        self._stepped_at = now
        for values in self.circuits.values():
            values.energy_import_wh += max(0.0, sum(values.powers_w)) * elapsed_h
        currents = self._currents(self.hours(now), drawn)
        root = next(name for name, parent in self.parents.items() if parent is None)
        voltages = _each(lambda a: self.voltage_v - self.source_ohm * a, currents[root])
        for name, values in self.circuits.items():
            values.currents_a, values.voltages_v = currents[name], voltages
            powers = [a * v for a, v in zip(currents[name], voltages, strict=True)]
            values.powers_w = (powers[0], powers[1], powers[2])

    def voltage_at(self, place: Place) -> float:
        """Return the mean voltage of the phases an EVSE uses, V."""
        wiring = self.wirings[place]
        voltages = self.circuits[wiring.circuit].voltages_v
        return math.fsum(voltages[phase] for phase in wiring.phases) / len(wiring.phases)

    def _currents(self, hours: float, drawn: Mapping[Place, Conductors]) -> dict[str, Conductors]:
        """Return what flows through each circuit: its own and its children's."""
        sums = {name: [0.0, 0.0, 0.0] for name in self.parents}
        for place, currents in drawn.items():
            wiring = self.wirings[place]
            for conductor, phase in enumerate(wiring.phases):
                for circuit in self._upwards(wiring.circuit):
                    sums[circuit][phase] += currents[conductor]
        for name, load in self.loads.items():
            currents = load(hours)
            for circuit in self._upwards(name):
                for phase in range(3):
                    sums[circuit][phase] += currents[phase]
        return {name: (total[0], total[1], total[2]) for name, total in sums.items()}

    def _upwards(self, circuit: str | None) -> Iterable[str]:
        while circuit is not None:
            yield circuit
            circuit = self.parents[circuit]


def _each(change: Callable[[float], float], values: Conductors) -> Conductors:
    l1, l2, l3 = (change(value) for value in values)
    return l1, l2, l3
