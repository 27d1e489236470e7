"""What meters have shown of unknown phases, from one start to the next. Pure.

The balancer finds them and doubts them (`load_balancer.phase_search`); here they are compared
with what is on disk, and void when the site file says something else of EVSE or meter.

`at` is aware UTC; instants in sight are monotonic seconds, and say nothing after a reboot.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from math import inf, isfinite

import orjson

from gateway.records import FoundPhases
from gateway.writes import DeleteFoundPhases, SaveFoundPhases
from load_balancer.inputs import EvseKey
from load_balancer.phase_search import FoundWirings
from site_config.circuit_tree import upwards
from site_config.model import Site

Change = SaveFoundPhases | DeleteFoundPhases

SEEN_EVERY_S = 20.0
"""So often it is written down that the stations are in sight: much less than what is borne."""


class PhaseFindings:
    """Args:
    boot_id: of the machine, a new one at each boot; empty: nobody knows.
    """

    def __init__(self, site: Site, kept: Iterable[FoundPhases] = (), boot_id: str = "") -> None:
        self._site, self._boot_id = site, boot_id
        self._on_disk = {EvseKey(row.station_id, row.evse_id): row for row in kept}
        self._now = {
            key: row
            for key, row in self._on_disk.items()
            if row.found_under == found_under(site, key)
        }

    def at_start(self) -> dict[EvseKey, FoundWirings]:
        """Return what the balancer begins with."""
        return {key: FoundWirings(row.wirings, self._seen(row)) for key, row in self._now.items()}

    def of(self, key: EvseKey) -> FoundPhases | None:
        """Return what was found of an EVSE."""
        return self._now.get(key)

    def note(self, found: Mapping[EvseKey, FoundWirings], at: datetime) -> list[str]:
        """Take over what the balancer has found by now; return log lines about what is new."""
        lines = [f"phases.forgotten {_place(key)}" for key in self._now if key not in found]
        before, self._now = self._now, {}
        for key, (wirings, in_sight_at) in found.items():
            row = before.get(key)
            if row is None or row.wirings != wirings:
                under = found_under(self._site, key)
                row = FoundPhases(*key, wirings, at, under, self._boot_id, None)
                lines.append(f"phases.found {_place(key)} wirings={_words(wirings)}")
            seen_at = in_sight_at if isfinite(in_sight_at) else None
            if (row.boot_id, row.in_sight_at) != (self._boot_id, seen_at):
                row = replace(row, boot_id=self._boot_id, in_sight_at=seen_at)
            self._now[key] = row
        return lines

    def to_keep(self) -> list[Change]:
        """Return what to commit, then to `take`."""
        gone = [DeleteFoundPhases(*key) for key in self._on_disk if key not in self._now]
        changed = [
            SaveFoundPhases(row)
            for key, row in self._now.items()
            if not _is_said_by(self._on_disk.get(key), row)
        ]
        return [*gone, *changed]

    def take(self, changes: Iterable[Change]) -> None:
        """Note what is on disk."""
        for change in changes:
            match change:
                case SaveFoundPhases(row):
                    self._on_disk[EvseKey(row.station_id, row.evse_id)] = row
                case DeleteFoundPhases(station_id, evse_id):
                    self._on_disk.pop(EvseKey(station_id, evse_id), None)

    def _seen(self, row: FoundPhases) -> float:
        is_same_boot = self._boot_id and row.boot_id == self._boot_id
        return row.in_sight_at if is_same_boot and row.in_sight_at is not None else -inf


def found_under(site: Site, key: EvseKey) -> str:
    """Return what a finding depends on of a site file; empty: there is nothing to find."""
    station = site.stations.get(key.station_id)
    evse = station.evses.get(key.evse_id) if station is not None else None
    if station is None or evse is None or len(evse.wirings) < 2:
        return ""
    for name in upwards(site, station.circuit):
        if (meter := site.circuits[name].meter) is not None:
            lines = site.meters[meter].model_dump(
                mode="json", include={"model", "url", "unit", "phases", "invert"}
            )
            return orjson.dumps([station.circuit, evse.conductors, name, lines]).decode()
    return ""


def _is_said_by(on_disk: FoundPhases | None, row: FoundPhases) -> bool:
    """Whether a row says the same, but for a later look at the station."""
    if on_disk is None or row != replace(on_disk, in_sight_at=row.in_sight_at, boot_id=row.boot_id):
        return False
    if on_disk.in_sight_at is None or row.in_sight_at is None:
        return on_disk.in_sight_at is row.in_sight_at
    is_recent = 0 <= row.in_sight_at - on_disk.in_sight_at < SEEN_EVERY_S
    return is_recent and on_disk.boot_id == row.boot_id


def _place(key: EvseKey) -> str:
    return f"evse={key.station_id}/{key.evse_id}"


def _words(wirings: Iterable[Iterable[str]]) -> str:
    return ",".join(map("-".join, wirings))
