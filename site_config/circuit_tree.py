"""The circuits of a site as a tree, and what the EVSEs below each of them add up to.

Pure. Walks only what is there: unknown parents end a branch, a cycle is walked once, so that
`proof` can use it on a site that is still wrong. Currents are A per phase.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from site_config.circuits import Circuit
from site_config.model import Site
from site_config.stations import Evse, Station

PHASES = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class Feed:
    """One EVSE and the circuit it hangs on."""

    station_id: str
    station: Station
    evse_id: int
    evse: Evse

    @property
    def name(self) -> str:
        return f"{self.station_id}/{self.evse_id}"

    @property
    def path(self) -> str:
        return f"stations.{self.station_id}.evses.{self.evse_id}"


CurrentOf = Callable[[Feed], float]


def safe_current_a(feed: Feed) -> float:
    return feed.station.safe_current_a


def min_current_a(feed: Feed) -> float:
    return feed.evse.min_current_a


def max_current_a(feed: Feed) -> float:
    return feed.evse.max_current_a


def ratings(circuit: Circuit) -> str:
    """Return what its fuses allow: one number, or one for each phase where they differ."""
    different = dict.fromkeys(circuit.ratings_a)
    shown = different if len(different) == 1 else circuit.ratings_a
    return "/".join(f"{rating_a:g}" for rating_a in shown) + " A"


def feeds(site: Site) -> Iterator[Feed]:
    """Yield every EVSE in the order of the file."""
    for station_id, station in site.stations.items():
        for evse_id, evse in station.evses.items():
            yield Feed(station_id, station, evse_id, evse)


def dimmed_feeds(site: Site) -> list[Feed]:
    """Return every EVSE that the grid operator may dim."""
    if site.grid_operator is None:
        return []
    return [feed for feed in feeds(site) if feed.station_id not in site.grid_operator.exempt]


def roots(site: Site) -> list[str]:
    return [name for name, circuit in site.circuits.items() if circuit.parent is None]


def children(site: Site, circuit: str) -> list[str]:
    return [name for name, other in site.circuits.items() if other.parent == circuit]


def upwards(site: Site, circuit: str) -> Iterator[str]:
    """Yield a circuit and all that feed it, the root last, each once."""
    seen: set[str] = set()
    name: str | None = circuit
    while name is not None and name in site.circuits and name not in seen:
        seen.add(name)
        yield name
        name = site.circuits[name].parent


def feeds_below(site: Site) -> dict[str, dict[str, list[Feed]]]:
    """Return circuit -> phase -> the EVSEs that draw on it, directly or further down.

    One whose phases are unknown counts on every phase it could be on.
    """
    below: dict[str, dict[str, list[Feed]]] = {
        circuit: {phase: [] for phase in PHASES} for circuit in site.circuits
    }
    for feed in feeds(site):
        phases = {phase for wiring in feed.evse.wirings for phase in wiring}
        for circuit in upwards(site, feed.station.circuit):
            for phase in phases or set(feed.evse.phases):
                below[circuit][phase].append(feed)
    return below
