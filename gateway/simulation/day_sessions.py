"""The cars of a simulated day: who came where, when, for how much. Reads a CSV file's text.

Pure. A session's `phases` are those of the circuit, as its fuse sees them, whatever the rotation
of the EVSE: `L2`, or `L1 L2 L3`. Instants are seconds since 1970, energies Wh at the EVSE, currents
A RMS per phase.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from itertools import pairwise
from math import isfinite
from zoneinfo import ZoneInfo

from load_balancer.inputs import EvseKey
from site_config.errors import Mistake
from site_config.model import Site
from site_config.stations import MINIMUM_CURRENT_A, Evse

COLUMNS = ("evse", "phases", "arrival", "departure", "energy_wh", "max_current_a")

PHASE_LIST = re.compile(r"\s*(L[123])(?:[\s+/;,|-]*(L[123]))?(?:[\s+/;,|-]*(L[123]))?\s*")


@dataclass(frozen=True, slots=True)
class Session:
    """One car at one EVSE."""

    line: int
    """Of the file, the heading is line 1."""
    key: EvseKey
    conductors: tuple[int, ...]
    """Those of the EVSE (0 is its L1) on which the car draws."""
    arrival: float
    departure: float
    energy_wh: float
    """What it wishes."""
    max_current_a: float
    """The most that the car takes."""


class SessionsError(Exception):
    """The file cannot be used; `mistakes` holds all of them, in the order of their lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line))
        super().__init__("\n".join(map(str, self.mistakes)))


def read_sessions(text: str, site: Site) -> list[Session]:
    """Return the sessions in the order of their arrival; raise SessionsError with all mistakes."""
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        wanted = ",".join(COLUMNS)
        raise SessionsError(
            [Mistake("", 1, f"no column {', '.join(missing)}", f"let the first line be {wanted}")]
        )
    reader = _Reader(site)
    sessions = [session for row in rows if (session := reader.read(row, rows.line_num)) is not None]
    sessions.sort(key=lambda session: (session.arrival, session.line))
    reader.mistakes += _overlaps(sessions)
    if not sessions and not reader.mistakes:
        reader.mistakes.append(Mistake("", 2, "no session", "write one line for each car"))
    if reader.mistakes:
        raise SessionsError(reader.mistakes)
    return sessions


class _Reader:
    """Turns rows into sessions and collects what is wrong with them."""

    def __init__(self, site: Site) -> None:
        self.mistakes: list[Mistake] = []
        self._zone = ZoneInfo(site.site.timezone)
        self._evses: dict[EvseKey, Evse] = {
            EvseKey(name, evse_id): evse
            for name, station in site.stations.items()
            for evse_id, evse in station.evses.items()
        }

    def read(self, row: Mapping[str | None, str | None], line: int) -> Session | None:
        """Return the session of a row; None: something is wrong with it, and noted."""
        before = len(self.mistakes)
        cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
        key = self._key(cells["evse"], line)
        conductors = self._conductors(cells["phases"], key, line)
        arrival = self._instant("arrival", cells["arrival"], line)
        departure = self._instant("departure", cells["departure"], line)
        if arrival is not None and departure is not None and departure <= arrival:
            self._wrong(line, "departure", "is not after the arrival", "correct one of them")
        energy_wh = self._number("energy_wh", cells["energy_wh"], 0.0, line)
        least_a = MINIMUM_CURRENT_A - 1e-9
        max_current_a = self._number("max_current_a", cells["max_current_a"], least_a, line)
        if len(self.mistakes) > before:
            return None
        assert key and arrival and departure and energy_wh and max_current_a  # else told above
        return Session(line, key, conductors, arrival, departure, energy_wh, max_current_a)

    def _wrong(self, line: int, column: str, what: str, advice: str) -> None:
        self.mistakes.append(Mistake(column, line, what, advice))

    def _key(self, cell: str, line: int) -> EvseKey | None:
        station, _, evse_id = cell.partition("/")
        key = EvseKey(station, int(evse_id) if evse_id.isdecimal() else 1)
        if key in self._evses and (not evse_id or evse_id.isdecimal()):
            return key
        near = get_close_matches(station, {key.station_id for key in self._evses}, 1)
        advice = f"is it {near[0]}?" if near else "add it to the stations of the site file"
        self._wrong(line, "evse", f"the site has no EVSE {cell!r}", advice)
        return None

    def _conductors(self, cell: str, key: EvseKey | None, line: int) -> tuple[int, ...]:
        found = PHASE_LIST.fullmatch(cell)
        phases = [phase for phase in found.groups() if phase] if found else []
        if not phases or len(set(phases)) < len(phases):
            self._wrong(line, "phases", f"{cell!r} are not phases", "write L1, or L1 L2 L3")
            return ()
        if key is None:
            return ()
        connected = self._evses[key].phases
        conductors = [n for n, phase in enumerate(connected) if phase in phases]
        if len(conductors) < len(phases):
            self._wrong(
                line,
                "phases",
                f"{cell}, but {key.station_id}/{key.evse_id} is connected to "
                f"{' '.join(connected)} in the site file",
                "correct one of them",
            )
        return tuple(conductors)

    def _instant(self, column: str, cell: str, line: int) -> float | None:
        try:
            at = datetime.fromisoformat(cell)
        except ValueError:
            example = "2019-03-01T06:20:00-08:00"
            self._wrong(line, column, f"{cell!r} is not a time", f"write it like {example}")
            return None
        # Without an offset it is the clock on the wall of the site.
        return (at if at.tzinfo else at.replace(tzinfo=self._zone)).timestamp()

    def _number(self, column: str, cell: str, above: float, line: int) -> float | None:
        try:
            number = float(cell)
        except ValueError:
            number = float("nan")
        if isfinite(number) and number > above:
            return number
        least = "a number above 0" if above == 0 else f"{MINIMUM_CURRENT_A:g} or more"
        self._wrong(line, column, f"{cell!r} is not {least}", f"write {least}, or drop the line")
        return None


def _overlaps(sessions: Sequence[Session]) -> list[Mistake]:
    """Return where a car comes before the one before it has left; expects them by arrival."""
    by_evse: dict[EvseKey, list[Session]] = {}
    for session in sessions:
        by_evse.setdefault(session.key, []).append(session)
    return [
        Mistake(
            "arrival",
            second.line,
            f"{second.key.station_id}/{second.key.evse_id} is taken by the car of line "
            f"{first.line} until later",
            "one EVSE feeds one car at a time: correct the times",
        )
        for visits in by_evse.values()
        for first, second in pairwise(visits)
        if second.arrival < first.departure
    ]
