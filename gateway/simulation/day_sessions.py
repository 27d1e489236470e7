"""The cars of a simulated day: who came where, when, for how much. Reads a CSV file's text.

Pure. A session's `phases` are those of the circuit, as its fuse sees them, whatever the rotation
of the EVSE: `L2`, or `L1 L2 L3`. Instants are seconds since 1970, energies Wh at the EVSE, currents
A RMS per phase.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from math import isfinite
from zoneinfo import ZoneInfo

from load_balancer.inputs import EvseKey
from site_config.errors import Mistake
from site_config.model import Site
from site_config.stations import MINIMUM_CURRENT_A, Evse

MEANINGS = {
    "evse": "A station of the site file, or station/evse",
    "phases": "L1, or L1 L2 L3",
    "arrival": "A time such as 2019-03-01T06:20:00-08:00",
    "departure": "A time such as 2019-03-01T07:40:00-08:00",
    "energy_wh": "In Wh, not in kWh",
    "max_current_a": "In A on each phase, not in kW",
}
COLUMNS = tuple(MEANINGS)
SEPARATORS = (",", ";", "\t")
DAY_S = 86_400.0
LONGEST_STAY_S = 100 * DAY_S
"""Longer, and one of the times is wrong."""

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
    """Return the sessions in the order of their arrival; raise SessionsError with all mistakes.

    Commas, semicolons or tabs between the cells, as the heading has them; the order of the columns
    does not matter, and more of them may be there.
    """
    heading, _, _ = text.partition("\n")
    separator = max(SEPARATORS, key=heading.count)
    rows = csv.reader(text.splitlines(), skipinitialspace=True, delimiter=separator, strict=True)
    try:
        table = [(rows.line_num, [cell.strip() for cell in row]) for row in rows]
    except csv.Error as reason:
        advice = 'close the quotation mark " that is open'
        raise SessionsError([Mistake("", rows.line_num, f"{reason}", advice)]) from reason
    names = [name.casefold() for name in table[0][1]] if table else []
    if mistakes := _mistakes_of_heading(names):
        raise SessionsError(mistakes)
    reader = _Reader(site, names, takes_decimal_commas=separator != ",")
    found = [reader.read(row, line) for line, row in table[1:] if any(row)]
    sessions = sorted(
        (session for session in found if session is not None),
        key=lambda session: (session.arrival, session.line),
    )
    mistakes = [*reader.mistakes(), *_overlaps(sessions, reader.zone)]
    if not found:
        mistakes.append(Mistake("", 2, "no session", "write one line for each car"))
    if mistakes:
        raise SessionsError(mistakes)
    return sessions


def _mistakes_of_heading(names: Sequence[str]) -> list[Mistake]:
    wanted = f"let the first line be {','.join(COLUMNS)}"
    mistakes = [
        Mistake("", 1, f"column {name} is there twice", "name each column once")
        for name in COLUMNS
        if names.count(name) > 1
    ]
    others = [name for name in names if name not in COLUMNS]
    missing = [name for name in COLUMNS if name not in names]
    near = {name: close[0] for name in missing if (close := get_close_matches(name, others, 1))}
    for name, meant in near.items():
        advice = f"is {meant!r} meant? {MEANINGS[name]}"
        mistakes.append(Mistake("", 1, f"no column {name}", advice))
    if unknown := [name for name in missing if name not in near]:
        mistakes.append(Mistake("", 1, f"no column {', '.join(unknown)}", wanted))
    return mistakes


class _Reader:
    """Turns rows into sessions and collects what is wrong with them."""

    def __init__(self, site: Site, names: Sequence[str], *, takes_decimal_commas: bool) -> None:
        self.zone = ZoneInfo(site.site.timezone)
        self._names, self._takes_decimal_commas = names, takes_decimal_commas
        self._mistakes: list[Mistake] = []
        self._strangers: dict[str, list[int]] = {}
        """Lines of each EVSE that the site does not have."""
        self._evses: dict[EvseKey, Evse] = {
            EvseKey(name, evse_id): evse
            for name, station in site.stations.items()
            for evse_id, evse in station.evses.items()
        }

    def read(self, row: Sequence[str], line: int) -> Session | None:
        """Return the session of a row; None: something is wrong with it, and noted."""
        before = len(self._mistakes)
        if len(row) < len(self._names):
            first = self._names[len(row)]
            self._wrong(line, first, "is missing: the line is cut short", "complete or drop it")
            return None
        if any(row[len(self._names) :]):
            what = f"{len(row)} cells, but the heading has {len(self._names)}"
            advice = "a decimal comma? Write a point" if not self._takes_decimal_commas else ""
            self._wrong(line, "", what, advice or "drop what is too much")
            return None
        cells = dict(zip(self._names, row, strict=False))
        key = self._key(cells["evse"], line)
        conductors = self._conductors(cells["phases"], key, line)
        arrival = self._instant("arrival", cells["arrival"], line)
        departure = self._instant("departure", cells["departure"], line)
        if arrival is not None and departure is not None:
            self._check_stay(departure - arrival, line)
        energy_wh = self._number("energy_wh", cells["energy_wh"], 0.0, line)
        least_a = MINIMUM_CURRENT_A - 1e-9
        max_current_a = self._number("max_current_a", cells["max_current_a"], least_a, line)
        if key is None or len(self._mistakes) > before:
            return None
        assert arrival is not None and departure is not None  # else told above
        assert energy_wh is not None and max_current_a is not None
        return Session(line, key, conductors, arrival, departure, energy_wh, max_current_a)

    def mistakes(self) -> list[Mistake]:
        """Return what was wrong so far; an EVSE that is not there is told once."""
        return [*self._mistakes, *(self._stranger(*found) for found in self._strangers.items())]

    def _wrong(self, line: int, column: str, what: str, advice: str) -> None:
        self._mistakes.append(Mistake(column, line, what, advice))

    def _key(self, cell: str, line: int) -> EvseKey | None:
        station, slash, evse_id = cell.partition("/")
        key = EvseKey(station, int(evse_id) if evse_id.isdecimal() else 1)
        if key in self._evses and (not slash or evse_id.isdecimal()):
            return key
        self._strangers.setdefault(cell, []).append(line)
        return None

    def _stranger(self, cell: str, lines: Sequence[int]) -> Mistake:
        station = cell.partition("/")[0]
        ids = [str(key.evse_id) for key in self._evses if key.station_id == station]
        near = get_close_matches(station, {key.station_id for key in self._evses}, 1)
        if ids:
            advice = f"{station} has {', '.join(ids)}: write {station}/{ids[0]}"
        elif near:
            advice = f"is it {near[0]}?"
        else:
            advice = "add it to the stations of the site file"
        more = f", nor has line {', '.join(map(str, lines[1:4]))}" if lines[1:] else ""
        more += f" and {len(lines) - 4} others" if lines[4:] else ""
        return Mistake("evse", lines[0], f"the site has no EVSE {cell!r}{more}", advice)

    def _conductors(self, cell: str, key: EvseKey | None, line: int) -> tuple[int, ...]:
        found = PHASE_LIST.fullmatch(cell.upper())
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

    def _check_stay(self, stay_s: float, line: int) -> None:
        if stay_s <= 0:
            self._wrong(line, "departure", "is not after the arrival", "correct one of them")
        elif stay_s > LONGEST_STAY_S:
            what = f"is {stay_s / DAY_S:.0f} days after the arrival"
            self._wrong(line, "departure", what, "correct one of them")

    def _instant(self, column: str, cell: str, line: int) -> float | None:
        try:
            at = datetime.fromisoformat(cell)
        except ValueError:
            example = "2019-03-01T06:20:00-08:00"
            self._wrong(line, column, f"{cell!r} is not a time", f"write it like {example}")
            return None
        # Without an offset it is the clock on the wall of the site.
        return (at if at.tzinfo else at.replace(tzinfo=self.zone)).timestamp()

    def _number(self, column: str, cell: str, above: float, line: int) -> float | None:
        try:
            number = float(cell.replace(",", ".") if self._takes_decimal_commas else cell)
        except ValueError:
            number = float("nan")
        if isfinite(number) and number > above:
            return number
        least = "a number above 0" if above == 0 else f"{MINIMUM_CURRENT_A:g} or more"
        self._wrong(line, column, f"{cell!r} is not {least}", f"write {least}, or drop the line")
        return None


def _overlaps(sessions: Sequence[Session], zone: ZoneInfo) -> list[Mistake]:
    """Return where a car comes before one that came earlier has left; expects them by arrival."""
    there: dict[EvseKey, Session] = {}
    mistakes = []
    for session in sessions:
        first = there.get(session.key)
        if first is not None and session.arrival < first.departure:
            until = datetime.fromtimestamp(first.departure, zone)
            mistakes.append(
                Mistake(
                    "arrival",
                    session.line,
                    f"{session.key.station_id}/{session.key.evse_id} is taken by the car of line "
                    f"{first.line} until {until:%Y-%m-%d %H:%M}",
                    "one EVSE feeds one car at a time: correct the times, or name another EVSE",
                )
            )
        if first is None or session.departure > first.departure:
            there[session.key] = session
    return mistakes
