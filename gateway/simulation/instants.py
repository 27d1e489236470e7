"""RFC 3339 as the simulated peers write and read it. Pure."""

from datetime import UTC, datetime


def write_instant(at: datetime) -> str:
    """Return UTC with milliseconds and `Z`, as most stations do."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_instant(text: str) -> datetime:
    """Read RFC 3339; a time without a zone is taken as UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def to_milliseconds(at: datetime) -> datetime:
    """Return what `read_instant(write_instant(at))` would."""
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)
