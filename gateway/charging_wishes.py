"""What a driver wants: so much energy, by such an hour; said by the car, or by an operator. Pure.

A wish belongs to the transaction that runs when it is told, or to the next one on its EVSE, and
ends with it. An operator's word outranks the car's: people know when they leave, cars guess. A wish
only orders the fair shares; it never lets anybody have more than a fuse or a person allows.

Energy Wh; `at` is aware UTC, `now` the same instant as monotonic seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from gateway.writes import SaveSetting
from load_balancer.inputs import EvseKey

VEHICLE = "vehicle"
PREFIX = "wish."
"""Of the settings that keep wishes over a restart."""
FORGOTTEN_AFTER = timedelta(hours=12)
"""A departure so long past says nothing any more."""


@dataclass(frozen=True, slots=True)
class ChargingWish:
    energy_wh: float | None
    """From when it was told on; None: not known, as much as the car takes."""
    departs_at: datetime | None
    """None: not known."""
    told_by: str
    """`VEHICLE`, or the name of an operator."""
    energy_before_wh: float = 0.0
    """What the transaction had delivered when it was told."""

    @property
    def is_from_vehicle(self) -> bool:
        return self.told_by == VEHICLE


class Need(NamedTuple):
    """A wish as the balancer takes it."""

    departs_at: float | None
    """Monotonic seconds."""
    energy_wanted_wh: float | None
    """Still."""


class ChargingWishes:
    """The wish of every EVSE that has one."""

    def __init__(self, kept: Iterable[SaveSetting]) -> None:
        self._wishes: dict[EvseKey, ChargingWish] = {}
        self.take(row for row in kept if row.key.startswith(PREFIX))

    def of(self, key: EvseKey) -> ChargingWish | None:
        return self._wishes.get(key)

    def told(self, key: EvseKey, wish: ChargingWish) -> list[SaveSetting]:
        """Return what to commit, then to `take`; nothing where an operator has spoken already."""
        before = self._wishes.get(key)
        if wish.is_from_vehicle and before is not None and not before.is_from_vehicle:
            return []
        departs_at = wish.departs_at.isoformat() if wish.departs_at else None
        body = [wish.energy_wh, departs_at, wish.told_by, wish.energy_before_wh]
        return [SaveSetting(_name(key), orjson.dumps(body).decode())]

    def ended(self, key: EvseKey) -> list[SaveSetting]:
        """Return what to commit when its transaction ends, or somebody takes the wish back."""
        return [SaveSetting(_name(key), "")] if key in self._wishes else []

    def take(self, rows: Iterable[SaveSetting]) -> None:
        """Let what is on disk take effect."""
        for row in rows:
            station_id, _, evse_id = row.key.removeprefix(PREFIX).rpartition("/")
            key = EvseKey(station_id, int(evse_id))
            if not row.value:
                self._wishes.pop(key, None)
                continue
            energy_wh, departs_at, told_by, before_wh = orjson.loads(row.value)
            departs = datetime.fromisoformat(departs_at) if departs_at else None
            self._wishes[key] = ChargingWish(energy_wh, departs, told_by, before_wh)

    def need(self, key: EvseKey, delivered_wh: float, now: float, at: datetime) -> Need:
        """Return what is still wanted when the transaction has delivered so much."""
        wish = self._wishes.get(key)
        if wish is None:
            return Need(None, None)
        departs_at = None
        if wish.departs_at is not None and at - wish.departs_at < FORGOTTEN_AFTER:
            departs_at = now + (wish.departs_at - at).total_seconds()
        if wish.energy_wh is None:
            return Need(departs_at, None)
        since_wh = max(0.0, delivered_wh - wish.energy_before_wh)
        return Need(departs_at, max(0.0, wish.energy_wh - since_wh))


def _name(key: EvseKey) -> str:
    return f"{PREFIX}{key.station_id}/{key.evse_id}"
