"""Times and durations as one person tells another. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Clock:
    """One instant on all the clocks a page needs."""

    now: float
    """Monotonic seconds."""
    utc: datetime
    zone: ZoneInfo

    @property
    def local(self) -> datetime:
        return self.utc.astimezone(self.zone)

    def at(self, monotonic: float) -> datetime:
        """Return the wall-clock instant of a monotonic one."""
        return self.utc - timedelta(seconds=self.now - monotonic)


def since(at: datetime | None, clock: Clock) -> str:
    """Say when something began: the time of day, with the day where it was not today.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    >>> since(noon - timedelta(hours=5), Clock(0, noon, ZoneInfo("Europe/Berlin")))
    'since 09:00'
    """
    return f"since {time_of_day(at, clock)}" if at is not None else ""


def time_of_day(at: datetime, clock: Clock) -> str:
    local = at.astimezone(clock.zone)
    if local.date() == clock.local.date():
        return local.strftime("%H:%M")
    return local.strftime("%-d %b %H:%M")


def duration(length: timedelta) -> str:
    """Say how long, in at most two units.

    >>> duration(timedelta(seconds=73)), duration(timedelta(minutes=63))
    ('73 s', '1 h 3 min')
    """
    seconds = max(0, int(length.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} days {hours % 24} h"
