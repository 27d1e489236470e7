"""Which number upstream means which EVSE of which station, for ever.

The cloud sees one station with EVSEs 1..N without gaps (1.6 §3.8; 2.0.1 Part 1 §7). A number once
given is never given to another EVSE: the cloud has billed under it. Decides from the site file and
the slots kept on disk; touches neither.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gateway.errors import GatewayError
from gateway.records import Slot
from gateway.writes import SaveSlot
from site_config.model import Site

Place = tuple[str, int]
"""A station's identity and its own EVSE number, from 1."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The site file wants a number that means, or meant, another EVSE."""

    station_id: str
    evse_id: int
    wanted: int
    taken_by: Slot
    kept: int | None
    """The number this EVSE has had so far; None: it is new."""

    def __str__(self) -> str:
        owner = f"{self.taken_by.station_id}/{self.taken_by.evse_id}"
        if self.taken_by.is_removed:
            owner += " (no longer in the site file)"
        cure = (
            f"keep cloud_evse {self.kept}"
            if self.kept is not None
            else "give it a number never used, or leave cloud_evse out"
        )
        return (
            f"stations.{self.station_id}.evses.{self.evse_id}.cloud_evse {self.wanted} "
            f"belongs to {owner} for ever → {cure}"
        )


class SlotConflict(GatewayError):
    """The site cannot start under these numbers; holds all conflicts at once."""

    def __init__(self, conflicts: Iterable[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__("\n".join(map(str, self.conflicts)))


class SlotTable:
    """The slots of a site, as they are once `writes` are stored.

    Raises SlotConflict when the site file would renumber an EVSE the cloud already knows.
    """

    def __init__(self, site: Site, kept: Iterable[Slot] = ()) -> None:
        before = {slot.cloud_evse: slot for slot in kept}
        self._by_number = _with_site(site, before)
        self._by_place = {
            (slot.station_id, slot.evse_id): slot for slot in self._by_number.values()
        }
        self.writes = tuple(
            SaveSlot(slot)
            for number, slot in sorted(self._by_number.items())
            if before.get(number) != slot
        )
        """What must be stored before the cloud is told any of these numbers."""

    @property
    def count(self) -> int:
        """N, the highest number upstream; numbers without a connector behind them count."""
        return max(self._by_number, default=0)

    def __iter__(self) -> Iterator[Slot]:
        """Every slot ever given, in the order of its number."""
        return iter(slot for _, slot in sorted(self._by_number.items()))

    def to_cloud(self, station_id: str, evse_id: int) -> int | None:
        """Return the number upstream; None for an EVSE the site file has never named."""
        slot = self._by_place.get((station_id, evse_id))
        return slot.cloud_evse if slot else None

    def to_station(self, cloud_evse: int) -> Place | None:
        """Return station and its EVSE; None for a phantom, a removed EVSE, 0 or a number over N."""
        slot = self._by_number.get(cloud_evse)
        return (slot.station_id, slot.evse_id) if slot and not slot.is_removed else None

    def evses_of(self, station_id: str) -> tuple[int, ...]:
        """Return the station's own EVSE numbers that are in the site file, ascending."""
        return tuple(
            sorted(
                slot.evse_id
                for slot in self._by_number.values()
                if slot.station_id == station_id and not slot.is_removed
            )
        )

    def active(self) -> tuple[Place, ...]:
        """Return every EVSE of the site file, in the order of its number upstream."""
        return tuple((slot.station_id, slot.evse_id) for slot in self if not slot.is_removed)

    def connected(self) -> tuple[int, ...]:
        """Return the numbers upstream with an EVSE of the site file behind them, ascending."""
        return tuple(number for number in range(1, self.count + 1) if self.to_station(number))

    def unavailable(self) -> tuple[int, ...]:
        """Return the numbers of 1..N with nothing behind them: Unavailable upstream."""
        return tuple(number for number in range(1, self.count + 1) if not self.to_station(number))


def _with_site(site: Site, kept: dict[int, Slot]) -> dict[int, Slot]:
    wanted = {
        (station_id, evse_id): evse.cloud_evse
        for station_id, station in site.stations.items()
        for evse_id, evse in station.evses.items()
    }
    numbers = {(slot.station_id, slot.evse_id): number for number, slot in kept.items()}
    slots = {
        number: replace(slot, is_removed=(slot.station_id, slot.evse_id) not in wanted)
        for number, slot in kept.items()
    }
    conflicts = []
    for place, number in wanted.items():
        if number is None or numbers.get(place) == number:
            continue
        if (taken_by := slots.get(number)) is not None:
            conflicts.append(Conflict(*place, number, taken_by, numbers.get(place)))
        elif place in numbers:
            own = slots[numbers[place]]
            conflicts.append(Conflict(*place, number, own, numbers[place]))
        else:
            slots[number] = Slot(number, *place)
            numbers[place] = number
    if conflicts:
        raise SlotConflict(conflicts)
    free = (number for number in range(1, len(slots) + len(wanted) + 1) if number not in slots)
    for place in wanted:
        if place not in numbers:
            number = next(free)
            slots[number] = Slot(number, *place)
    return slots
