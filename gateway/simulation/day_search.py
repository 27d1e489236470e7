"""How many cars like these a connection carries, or how large it has to be for them.

Pure. A connection carries cars when enough of them get nine tenths of their wish and no fuse is
borne beyond its curve. It is taken that more cars, or a smaller fuse, never serve more; that holds
but for single cars, so the answer is as sharp as one in a hundred. Ratings A per phase.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal

from gateway.simulation.day import Day, Weather
from gateway.simulation.day_fleet import Fleet, with_rating
from gateway.simulation.day_record import Figures, figures_of
from gateway.simulation.day_sessions import Session
from site_config.circuit_tree import roots
from site_config.model import Site
from site_config.stations import MINIMUM_CURRENT_A

MOST_TIMES = 32
"""A connection that carries so many times the cars is not asked for more."""
PRECISION = 0.01
TRIPPED = 1.0
"""Share of a fuse's time to trip."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a planner asks."""

    sought: Literal["cars", "rating"]
    served: float = 0.9
    """The part of the cars that must get nine tenths of their wish."""

    def is_met_by(self, figures: Figures) -> bool:
        """Whether so many are served, and no fuse could have tripped."""
        return figures.served_90_share >= self.served and figures.fuse_share < TRIPPED


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one number of cars on one connection."""

    cars: int
    cars_per_day: float
    busiest_day: int
    """Cars that come on the day on which most come."""
    evses: int
    """At which a car comes at least once."""
    rating_a: float
    """Of the grid connection point, on its strongest phase."""
    most_plugged: int
    most_waiting: int
    figures: Figures
    site: Site
    """With these EVSEs and this rating."""
    is_enough: bool

    @property
    def delivered_share(self) -> float:
        """Part of all wishes."""
        return self.figures.delivered_wh / self.figures.demand_wh


@dataclass(frozen=True, slots=True)
class Found:
    """The answer, and the way to it."""

    aim: Aim
    tries: Sequence[Try]
    """From the fewest cars, or the smallest fuse, on."""
    answer: Try | None
    """The most cars, or the smallest fuse, with which enough are served; None: there is none."""

    @property
    def beyond(self) -> Try | None:
        """The nearest try with which too few are served; None: all were enough."""
        outwards = self.tries if self.aim.sought == "cars" else self.tries[::-1]
        return next((one for one in outwards if not one.is_enough), None)


class Search:
    """Tries days of one site until the edge is found; to be asked once.

    Args:
        on_progress: hears what is tried, and the part of it that is done.
    """

    def __init__(
        self,
        site: Site,
        sessions: Sequence[Session],
        weather: Weather,
        aim: Aim,
        on_progress: Callable[[str, float], None] = lambda what, part: None,
    ) -> None:
        self._site, self._sessions = site, sessions
        self._weather, self._aim = weather, aim
        self._fleet = Fleet(site, sessions, weather.seed)
        [root] = roots(site)
        self._rating_a = max(site.circuits[root].ratings_a)
        self._on_progress = on_progress
        self._tries: list[Try] = []

    def find(self) -> Found:
        is_for_cars = self._aim.sought == "cars"
        edge = self._most_cars() if is_for_cars else self._smallest_rating()
        tries = sorted(self._tries, key=lambda one: (one.cars, one.rating_a))
        found = (one for one in tries if edge == (one.cars if is_for_cars else one.rating_a))
        return Found(self._aim, tries, next(found, None))

    def _most_cars(self) -> int | None:
        most = MOST_TIMES * len(self._sessions)

        def carries(cars: int) -> bool:
            site, sessions = self._fleet.of(cars)
            return self._try(site, sessions, self._rating_a, f"{cars} cars")

        return edge_of(
            carries,
            len(self._sessions),
            easier=lambda cars: cars // 2 or None,
            harder=lambda cars: 2 * cars if 2 * cars <= most else None,
        )

    def _smallest_rating(self) -> int | None:
        stations = self._site.stations.values()
        connected_a = sum(e.max_current_a for s in stations for e in s.evses.values())
        most_a = max(floor(connected_a) + 1, floor(self._rating_a))
        too_little_a = floor(MINIMUM_CURRENT_A) - 1

        def suffices(rating_a: int) -> bool:
            site = with_rating(self._site, rating_a)
            return rating_a > too_little_a and self._try(
                site, self._sessions, rating_a, f"{rating_a} A"
            )

        return edge_of(
            suffices,
            max(floor(self._rating_a), too_little_a + 1),
            easier=lambda rating_a: min(2 * rating_a, most_a) if rating_a < most_a else None,
            harder=lambda rating_a: max(rating_a // 2, too_little_a),
        )

    def _try(self, site: Site, sessions: Sequence[Session], rating_a: float, what: str) -> bool:
        day = Day(site, sessions, self._weather)
        name = f"try {len(self._tries) + 1}: {what}"
        record = day.run(lambda part: self._on_progress(name, part))
        figures = figures_of(record, self._weather.policy, None, 0.0)
        self._tries.append(
            Try(
                cars=len(sessions),
                cars_per_day=round(len(sessions) / self._fleet.days, 1),
                busiest_day=self._fleet.busiest_day(sessions),
                evses=len({session.key for session in sessions}),
                rating_a=rating_a,
                most_plugged=record.most_plugged,
                most_waiting=record.most_waiting,
                figures=figures,
                site=site,
                is_enough=self._aim.is_met_by(figures),
            )
        )
        return self._tries[-1].is_enough


def edge_of(
    holds: Callable[[int], bool],
    first: int,
    *,
    easier: Callable[[int], int | None],
    harder: Callable[[int], int | None],
) -> int | None:
    """Return the hardest number for which it holds, to one in a hundred; None: for none.

    Args:
        easier, harder: the next number in that direction, in leaps; None: there is no further one.
    """
    inside: int | None = first
    outside: int | None = None
    while inside is not None and not holds(inside):
        inside, outside = easier(inside), inside
    if inside is None:
        return None
    if outside is None:
        outside = harder(inside)
        while outside is not None and holds(outside):
            inside, outside = outside, harder(outside)
    while outside is not None and abs(outside - inside) > max(1.0, PRECISION * inside):
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside
