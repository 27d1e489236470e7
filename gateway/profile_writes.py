"""How often a station was sent charging profiles in the last day: its flash wears out. Pure.

Many stations keep profiles in flash, a hundred thousand writes to a block. Cuts are never held
back; but over the budget rises and refreshes become rarer. `now` is monotonic seconds.
"""

from collections.abc import Iterable
from datetime import datetime

import orjson

from gateway.writes import SaveSetting

BUDGET = 6_000
"""A day for one station: a refresh every thirty seconds for two EVSEs that charge all day."""
BUCKET_S = 3600.0
DAY_BUCKETS = 24
WORN_RISE_INTERVAL_S = 60.0
WORN_REFRESHES = 2
"""A refresh is put off by so many periods: still before the profile ends in the safe current."""


PREFIX = "profile_writes."
"""Of the settings that keep the counts over a restart."""
KEPT_EVERY_S = 600.0


class ProfileWrites:
    """One station's, shared by its EVSEs."""

    def __init__(self) -> None:
        self._buckets: list[tuple[int, int]] = []
        """(hour, writes in it), oldest first."""
        self._total = 0
        self._kept_total, self._kept_at = 0, 0.0
        """What the disk was told last, and when."""

    def take_up(self, kept: str, now: float, at: datetime) -> None:
        """Go on with what was counted before a restart."""
        ahead = _hour(at.timestamp()) - _hour(now)
        hours = ((min(hour - ahead, _hour(now)), count) for hour, count in orjson.loads(kept))
        self._buckets.extend(hours)
        self._total = self._kept_total = sum(count for _, count in self._buckets)

    def to_keep(self, station_id: str, now: float, at: datetime) -> SaveSetting | None:
        """Return what to commit, every ten minutes if anything was sent."""
        if self._total == self._kept_total or now - self._kept_at < KEPT_EVERY_S:
            return None
        self._kept_total, self._kept_at = self._total, now
        ahead = _hour(at.timestamp()) - _hour(now)
        hours = [(hour + ahead, count) for hour, count in self._buckets]
        return SaveSetting(f"{PREFIX}{station_id}", orjson.dumps(hours).decode())

    def note(self, now: float) -> None:
        """Count a profile that leaves."""
        hour = _hour(now)
        if self._buckets and self._buckets[-1][0] == hour:
            self._buckets[-1] = (hour, self._buckets[-1][1] + 1)
        else:
            self._buckets.append((hour, 1))
        self._total += 1

    def in_a_day(self, now: float) -> int:
        """Return how many left within the last day, to the hour."""
        oldest = _hour(now) - DAY_BUCKETS
        while self._buckets and self._buckets[0][0] <= oldest:
            self._total -= self._buckets.pop(0)[1]
        return self._total

    def is_worn(self, now: float) -> bool:
        """Return whether what can wait should."""
        return self.in_a_day(now) >= BUDGET


def kept_for(station_id: str, kept: Iterable[SaveSetting]) -> str | None:
    """Return what was counted of a station before the restart."""
    return next((row.value for row in kept if row.key == f"{PREFIX}{station_id}"), None)


def _hour(seconds: float) -> int:
    return int(seconds // BUCKET_S)
