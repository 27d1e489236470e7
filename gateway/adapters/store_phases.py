"""What meters have shown of unknown phases, as statements and read back."""

import sqlite3
from datetime import datetime

from gateway.adapters.store_statements import Statement, instant, upsert
from gateway.records import FoundPhases
from load_balancer.phases import PHASES, Phase

_COLUMNS = (
    "station_id",
    "evse_id",
    "wirings",
    "found_at",
    "found_under",
    "boot_id",
    "in_sight_at",
)
_SAVE = upsert("found_phases", _COLUMNS, ("station_id", "evse_id"))


def saved(found: FoundPhases) -> Statement:
    values = (
        found.station_id,
        found.evse_id,
        " ".join(map("-".join, found.wirings)),
        instant(found.found_at),
        found.found_under,
        found.boot_id,
        found.in_sight_at,
    )
    return _SAVE, values


def deleted(station_id: str, evse_id: int) -> Statement:
    delete = "DELETE FROM found_phases WHERE station_id = ? AND evse_id = ?"
    return delete, (station_id, evse_id)


def found_phases(connection: sqlite3.Connection) -> tuple[FoundPhases, ...]:
    rows = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM found_phases ORDER BY station_id, evse_id"  # noqa: S608 - constants
    )
    return tuple(
        FoundPhases(
            station_id,
            evse_id,
            parse_wirings(wirings),
            datetime.fromisoformat(found_at),
            *rest,
        )
        for station_id, evse_id, wirings, found_at, *rest in rows
    )


def parse_wirings(text: str) -> tuple[tuple[Phase, ...], ...]:
    """Return the wirings of a row; raises `ValueError` for what no version has written."""
    return tuple(
        tuple(PHASES[PHASES.index(name)] for name in wiring.split("-")) for wiring in text.split()
    )
