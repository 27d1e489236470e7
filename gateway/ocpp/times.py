"""Instants on the wire: RFC 3339 text <-> aware UTC datetimes. Pure.

Milliseconds are the finest both versions carry (2.0.1 Part 2 §2.1.3); what is finer is cut off.
"""

from datetime import UTC, datetime

from gateway.errors import PeerError
from gateway.ocpp.error_codes import ErrorCode

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """Return the instant in UTC; without zone it is UTC. Raises `PeerError`.

    The year 10000 of UTC is the last instant of 9999: clouds write "for ever" in local time.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = _unusual(text)
    zone = instant.tzinfo
    if zone is UTC:
        return instant
    if zone is None:
        return instant.replace(tzinfo=UTC)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        return LAST if instant.year > 1 else FIRST


def parse_optional_time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def format_time(at: datetime) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS[.mmm]Z`; milliseconds only where there are any."""
    precision = "milliseconds" if at.microsecond >= 1000 else "seconds"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def format_time_for_station(at: datetime) -> str:
    """Return `YYYY-MM-DDTHH:MM:SSZ`: some stations fail on fractions; the second is cut off."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _unusual(text: str) -> datetime:
    # RFC 3339 allows a small z, the leap second and the year 0, which datetime does not have
    if text.startswith("0000-"):
        return FIRST
    try:
        return datetime.fromisoformat(text.upper().replace(":60", ":59"))
    except ValueError as error:
        raise _unreadable() from error


def _unreadable() -> PeerError:
    return PeerError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, "not a date-time of RFC 3339")
