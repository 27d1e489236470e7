"""What the REST interface answers with, as JSON: limits, frames and refusals in words.

Pure. Instants are RFC 3339. What also leaves in files is in `gateway/exports.py`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from gateway.exports import instant
from gateway.operations import TraceEntry
from gateway.records import CircuitLimit


class Refused(BaseModel):
    """Every error of this interface."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: str
    """What is wrong."""
    advice: str
    """What to do about it."""


class Refusal(Exception):
    """Ends a request with a status, what is wrong and what to do about it."""

    def __init__(
        self, status: int, error: str, advice: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers
        self.body = Refused(error=error, advice=advice)


def limit_json(limit: CircuitLimit) -> dict[str, Any]:
    return {
        "circuit": limit.circuit,
        "source": limit.source,
        "limit_a": limit.limit_a,
        "reason": limit.reason,
        "set_by": limit.set_by,
        "set_at": instant(limit.set_at),
        "until": instant(limit.until),
    }


def message_json(entry: TraceEntry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(timespec="milliseconds"),
        "station": entry.station_id,
        "direction": entry.direction,
        "frame": entry.frame,
    }
