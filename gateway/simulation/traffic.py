"""Cars that come and go: when who arrives with which car and token, and when they leave.

Pure and seeded: the same seed gives the same day. `now` is monotonic seconds; the durations are
seconds of `now`, short in a demo whose batteries fill thirty times as fast.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.simulation.cars import Car
from gateway.simulation.plant import Place

FLEET = (
    # (capacity Wh, phases, highest current A): what stands in a car park in 2026
    (77_000, 3, 16.0),
    (58_000, 3, 16.0),
    (82_000, 3, 16.0),
    (52_000, 3, 32.0),
    (64_000, 1, 32.0),
    (46_000, 1, 32.0),
    (24_000, 1, 16.0),
    (75_000, 2, 16.0),
)

TOKENS = tuple(f"04A1B2C3D4E5{n:02X}" for n in range(40))
"""Cards of the people who drive there."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How lively the site is, s of `now`."""

    mean_idle_s: float = 45.0
    """Between one car and the next at an EVSE."""
    mean_stay_s: float = 150.0
    shows_card_after_s: float = 3.0
    first_within_s: float = 20.0
    """The first cars arrive in this time; the site is not empty for long."""


@dataclass(frozen=True, slots=True)
class PlugsIn:
    place: Place
    car: Car


@dataclass(frozen=True, slots=True)
class ShowsCard:
    place: Place
    token: str


@dataclass(frozen=True, slots=True)
class Leaves:
    place: Place
    token: str


Happening = PlugsIn | ShowsCard | Leaves


@dataclass
class _Stay:
    """What happens next at one EVSE."""

    due_at: float
    car: Car | None = None
    token: str = ""
    has_shown_card: bool = False


@dataclass
class Traffic:
    """The cars of a site."""

    places: Iterable[Place]
    habits: Habits = field(default_factory=Habits)
    seed: int = 1

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - who comes when is no secret
        self._stays: dict[Place, _Stay] = {}
        self._began = False
        self._used: set[str] = set()
        """Tokens at the site now: nobody is at two places."""

    def step(self, now: float) -> list[Happening]:
        """Return what happens until now, in the order of the EVSEs."""
        if not self._began:
            self._began = True
            self._stays = {
                place: _Stay(now + self._dice.uniform(0, self.habits.first_within_s))
                for place in self.places
            }
        happenings: list[Happening] = []
        for place, stay in self._stays.items():
            if now >= stay.due_at:
                happenings.append(self._next(place, stay, now))
        return happenings

    def _next(self, place: Place, stay: _Stay, now: float) -> Happening:
        if stay.car is None:
            stay.car, stay.token = self._new_car(), self._free_token()
            stay.due_at = now + self.habits.shows_card_after_s
            return PlugsIn(place, stay.car)
        if not stay.has_shown_card:
            stay.has_shown_card = True
            length_s = self._dice.gammavariate(4.0, self.habits.mean_stay_s / 4.0)
            stay.due_at = now + max(30.0, length_s)
            return ShowsCard(place, stay.token)
        token = stay.token
        self._used.discard(token)
        self._stays[place] = _Stay(now + self._dice.expovariate(1 / self.habits.mean_idle_s))
        return Leaves(place, token)

    def _new_car(self) -> Car:
        capacity_wh, phases, max_current_a = self._dice.choice(FLEET)
        return Car(
            capacity_wh=capacity_wh,
            energy_wh=capacity_wh * self._dice.uniform(0.1, 0.6),
            target_wh=capacity_wh * self._dice.choice((0.8, 0.9, 1.0)),
            phases=phases,
            max_current_a=max_current_a,
            reaction_s=self._dice.uniform(0.5, 4.0),
        )

    def _free_token(self) -> str:
        token = self._dice.choice([token for token in TOKENS if token not in self._used])
        self._used.add(token)
        return token
