"""Security events that a station says again and again: told once a minute, and counted. Pure.

The cloud is to get every security event (A04.FR.02). A thousand equal ones a minute tell it
nothing, and fill disk and link: those that were left out are counted in the next that is told.
"""

from datetime import datetime, timedelta

from gateway.events import SecurityEventOccurred

STORM = timedelta(seconds=60)
"""Within it the same event of the same station is the same news."""
EVENTS_REMEMBERED = 1000

_Key = tuple[str | None, str, str | None]


class Storms:
    def __init__(self) -> None:
        self._told: dict[_Key, tuple[datetime, datetime]] = {}
        """When it was told, and when it had occurred by the station's clock."""
        self._left_out: dict[_Key, int] = {}

    def is_repeated(
        self, station_id: str | None, event: SecurityEventOccurred, now_utc: datetime
    ) -> bool:
        """Whether it was told a moment ago, or is the very same: our answer was lost."""
        key = (station_id, event.type, event.tech_info)
        told_at, occurred_at = self._told.get(key, (None, None))
        if told_at is None or (abs(now_utc - told_at) >= STORM and event.at != occurred_at):
            return False
        if event.at != occurred_at:
            self._left_out[key] = self._left_out.get(key, 0) + 1
        return True

    def left_out(self, station_id: str | None, event: SecurityEventOccurred) -> int:
        """Return how many equal ones were not told since the last that was."""
        return self._left_out.get((station_id, event.type, event.tech_info), 0)

    def told(self, station_id: str | None, event: SecurityEventOccurred, now_utc: datetime) -> None:
        """Note that it is on disk."""
        key = (station_id, event.type, event.tech_info)
        self._told.pop(key, None)
        self._told[key] = (now_utc, event.at)
        self._left_out.pop(key, None)
        if len(self._told) > EVENTS_REMEMBERED:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._left_out.pop(oldest, None)
