"""More cars or fewer than a planner's file has, and a larger or smaller fuse. Pure.

Fewer: some are left out by lot, evenly on each day and each phase. More: the same cars once more,
at the same times, at EVSEs beside theirs on the same circuits; each further copy of an EVSE is
connected one phase on (its L1 where the former's L2 is), as electricians do to balance the load.
"""

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from gateway.simulation.day_sessions import Session
from load_balancer.inputs import EvseKey
from site_config.circuit_tree import roots
from site_config.model import Site
from site_config.stations import Evse, Station


class Fleet:
    """Any number of cars like those of a file.

    Args:
        seed: of the lots; a smaller fleet is always a part of a larger one.
    """

    def __init__(self, site: Site, sessions: Sequence[Session], seed: int) -> None:
        self._site = site
        self._zone = ZoneInfo(site.site.timezone)
        self._in_turn = self._by_lot(sessions, seed)
        dates = [self._date(session) for session in sessions]
        self.days = (max(dates) - min(dates)).days + 1
        """From the day of the first arrival to that of the last."""

    def of(self, cars: int) -> tuple[Site, list[Session]]:
        """Return so many cars, 1 at least, in the order of their arrival, and a site for them."""
        copies, rest = divmod(cars, len(self._in_turn))
        found = [_copy_of(s, number) for number in range(copies) for s in self._in_turn]
        found += [_copy_of(session, copies) for session in self._in_turn[:rest]]
        stations = dict(self._site.stations)
        for number in range(1, copies + (rest > 0)):
            for name, station in self._site.stations.items():
                stations[_name_of(name, number)] = _turned(station, number)
        site = self._site.model_copy(update={"stations": stations})
        return site, sorted(found, key=lambda session: (session.arrival, session.key))

    def busiest_day(self, sessions: Sequence[Session]) -> int:
        """Return how many cars come on the day on which most come."""
        counts: defaultdict[date, int] = defaultdict(int)
        for session in sessions:
            counts[self._date(session)] += 1
        return max(counts.values())

    def _by_lot(self, sessions: Sequence[Session], seed: int) -> list[Session]:
        """Return the sessions so that any first part has its share of every day and phase."""
        dice = random.Random(seed)  # noqa: S311 - a lot among cars, no secret
        strata: defaultdict[Hashable, list[Session]] = defaultdict(list)
        for session in sessions:
            station = self._site.stations[session.key.station_id]
            wired = station.evses[session.key.evse_id].phases
            phases = frozenset(wired[conductor] for conductor in session.conductors)
            strata[self._date(session), station.circuit, phases].append(session)
        places: list[tuple[float, Session]] = []
        for members in strata.values():
            dice.shuffle(members)
            begin = dice.random()
            places += [((n + begin) / len(members), s) for n, s in enumerate(members)]
        return [session for _, session in sorted(places, key=lambda place: place[0])]

    def _date(self, session: Session) -> date:
        return datetime.fromtimestamp(session.arrival, self._zone).date()


def with_rating(site: Site, rating_a: float) -> Site:
    """Return the site with this rating of the grid connection point on its strongest phase, and
    the others in proportion."""
    [root] = roots(site)
    circuit = site.circuits[root]
    part = rating_a / max(circuit.ratings_a)
    ratings_a = tuple(own_a * part for own_a in circuit.ratings_a)
    changed = circuit.model_copy(update={"ratings_a": ratings_a})
    return site.model_copy(update={"circuits": site.circuits | {root: changed}})


def attainable_share(site: Site, sessions: Sequence[Session], part: float) -> float:
    """Return the share of the cars that get this part of their wish if they are alone."""

    def is_possible(session: Session) -> bool:
        evse = site.stations[session.key.station_id].evses[session.key.evse_id]
        most_a = min(session.max_current_a, evse.max_current_a) * len(session.conductors)
        hours = (session.departure - session.arrival) / 3600
        return most_a * site.site.voltage_v * hours >= part * session.energy_wh

    return sum(map(is_possible, sessions)) / len(sessions)


def _name_of(station: str, copy: int) -> str:
    return station if copy == 0 else f"{station}+{copy}"


def _copy_of(session: Session, copy: int) -> Session:
    key = session.key
    return replace(session, key=EvseKey(_name_of(key.station_id, copy), key.evse_id))


def _turned(station: Station, steps: int) -> Station:
    evses = {evse_id: _evse_turned(evse, steps) for evse_id, evse in station.evses.items()}
    return station.model_copy(update={"evses": evses})


def _evse_turned(evse: Evse, steps: int) -> Evse:
    following = {"L1": "L2", "L2": "L3", "L3": "L1"}
    content = evse.model_dump()
    phases = content.pop("conductors")
    for _ in range(steps % 3):
        phases = [following.get(phase, phase) for phase in phases]
    # Anew, not as a copy: a copy would keep the wirings that were worked out before.
    return Evse.model_validate(content | {"phases": phases})
