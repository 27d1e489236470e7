"""Why every limit was what it was, for a day: "why was this car at 6 A at 18:04?". Pure.

An entry is written when an EVSE's limit changes, and when it stays while something else holds it
there. Memory holds only what is not on disk yet. Currents A RMS per phase, instants aware UTC.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple

from gateway.limit_wish import parse_instant
from load_balancer.decision import Decision
from load_balancer.inputs import EvseKey
from load_balancer.phases import Phase
from load_balancer.reasons import Reason, Rule

KEPT_S = 86_400.0
"""An entry is kept for a day."""
SAME_LIMIT_APART_S = 10.0
"""Of an EVSE whose limit does not change, entries are no closer than this."""
MOST_PENDING = 20_000
"""Entries that wait for a disk that does not write; then the oldest go."""
MOMENT_S = 60.0
"""A moment named by hour and minute lasts so long."""


class JournalOf(NamedTuple):
    """Whose entries; None: everybody's."""

    station_id: str | None = None
    evse_id: int | None = None


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """What somebody wants to know."""

    of: JournalOf
    at: str | None = None
    """A time of day on the site's clock or an RFC 3339 instant: what held then, and what changed
    in the minute after it. None: the newest entries of [since, until)."""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """From `at` on, until the next one of the EVSE, its limit was `to_a`, for this reason."""

    at: datetime
    station_id: str
    evse_id: int
    from_a: float
    to_a: float
    rule: str
    circuit: str | None
    phase: Phase | None
    value_a: float
    compared_to_a: float | None

    @property
    def key(self) -> EvseKey:
        return EvseKey(self.station_id, self.evse_id)

    def sentence(self) -> str:
        """Say why, with both numbers; a rule of another version is only named."""
        try:
            rule = Rule(self.rule)
        except ValueError:
            return f"{self.rule}: {self.value_a:.1f} A."
        return Reason(
            rule, self.circuit, self.phase, self.value_a, self.compared_to_a, since=0.0
        ).sentence()


class Journal:
    """Compares each decision with the one before."""

    def __init__(self) -> None:
        self._last: dict[EvseKey, JournalEntry] = {}
        self._pending: deque[JournalEntry] = deque(maxlen=MOST_PENDING)

    def note(self, decision: Decision, at: datetime) -> None:
        """Write down what this decision changes."""
        for key, limit in decision.limits.items():
            last, reason = self._last.get(key), limit.reason
            if last is not None and last.to_a == limit.limit_a and _is_same(last, reason, at):
                continue
            entry = JournalEntry(
                at=at,
                station_id=key.station_id,
                evse_id=key.evse_id,
                from_a=0.0 if last is None else last.to_a,
                to_a=limit.limit_a,
                rule=reason.rule,
                circuit=reason.circuit,
                phase=reason.phase,
                value_a=reason.value_a,
                compared_to_a=reason.compared_to_a,
            )
            self._last[key] = entry
            self._pending.append(entry)

    def take(self) -> list[JournalEntry]:
        """Return what is not on disk yet, oldest first; from now on it is the caller's."""
        taken = list(self._pending)
        self._pending.clear()
        return taken

    def put_back(self, entries: Iterable[JournalEntry]) -> None:
        """Take back what the disk refused; beyond `MOST_PENDING` the oldest are lost."""
        newer = list(self._pending)
        self._pending.clear()
        self._pending.extend((*entries, *newer))


def _is_same(last: JournalEntry, reason: Reason, at: datetime) -> bool:
    before = (last.rule, last.circuit, last.phase)
    if before == (reason.rule, reason.circuit, reason.phase):
        return True
    return (at - last.at).total_seconds() < SAME_LIMIT_APART_S


def moment(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Read a time of day such as 18:04 on the site's clock, or an RFC 3339 instant, as UTC.

    A time of day that is yet to come today is yesterday's. Raises ValueError in words.
    """
    try:
        clock = time.fromisoformat(text)
    except ValueError:
        at = parse_instant(text)
        if at is None:
            raise ValueError("is not a time like 18:04") from None
        return at
    local = now.astimezone(zone)
    found = local.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    if found > local:
        found -= timedelta(days=1)
    return found.astimezone(now.tzinfo)


def answer(entry: JournalEntry, at: datetime, zone: tzinfo) -> str:
    """Say why an EVSE had the limit it had.

    Args:
        entry: the last one that is not after `at`.
    """
    since = entry.at.astimezone(zone)
    return (
        f"{entry.station_id}/{entry.evse_id} was at {entry.to_a:.1f} A at "
        f"{at.astimezone(zone):%H:%M:%S}, since {since:%H:%M:%S}. {entry.sentence()}"
    )


COLUMNS = (
    *("at", "station", "evse", "from_a", "to_a", "rule", "circuit", "phase"),
    *("value_a", "compared_to_a", "sentence"),
)


def journal_json(entry: JournalEntry) -> dict[str, object]:
    """Return an entry as an object of `COLUMNS`."""
    values = (
        entry.at.isoformat(timespec="milliseconds"),
        *(entry.station_id, entry.evse_id, entry.from_a, entry.to_a),
        *(entry.rule, entry.circuit, entry.phase, entry.value_a, entry.compared_to_a),
        entry.sentence(),
    )
    return dict(zip(COLUMNS, values, strict=True))
