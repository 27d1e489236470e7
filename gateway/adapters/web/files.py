"""What is asked of trace and quarantine, and rows of JSON as files to take away."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import orjson
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.exports import as_csv
from gateway.limit_wish import Instant

MAX_FRAMES = 50_000
MAX_ENTRIES = 50_000

Format = Literal["json", "csv", "jsonl"]
"""`jsonl`: one JSON object a line."""
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class MessageQuery(BaseModel):
    """Which frames of the trace."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    station: str | None = None
    """An identity of the site file, or `cloud`; without it: of all sockets."""
    limit: int = Field(200, ge=1, le=MAX_FRAMES)
    """At most so many, the newest."""
    text: str = Field("", max_length=200)
    """To be found anywhere in the frame."""
    action: str | None = None
    """CALLs of this action, and what they were answered."""
    direction: Literal["in", "out"] | None = None
    """`in` towards the gateway, `out` from it."""
    since: Instant = None
    until: Instant = None
    format: Literal["json", "jsonl"] = "json"


class JournalAsked(BaseModel):
    """Which entries of the journal."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    station: str | None = None
    """An identity of the site file; without it: all."""
    evse: int | None = Field(None, ge=1)
    at: str | None = None
    """18:04 on the site's clock, or RFC 3339: what held then, and what changed in that minute."""
    since: Instant = None
    until: Instant = None
    limit: int = Field(1000, ge=1, le=MAX_ENTRIES)
    """At most so many, the newest."""
    format: Format = "json"


class EditWish(BaseModel):
    """What a quarantined message shall tell instead: `changes`, or the whole `event`."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    changes: dict[str, Any] | None = None
    """New values by path, e.g. `{"meter_values.0.samples.0.value": "1500"}`."""
    event: dict[str, Any] | None = None
    """All of it, as `GET /api/v1/outbox/{row}` shows it."""
    note: str = Field(min_length=1, max_length=500)
    """Why; kept with the change."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.changes is None) == (self.event is None):
            raise ValueError("either `changes` or `event`")
        return self


def as_file(
    rows: Sequence[Mapping[str, Any]], format_: str, name: str, columns: Sequence[str] = ()
) -> Response:
    """Return the rows as a file that a browser saves under a name; `columns`: of a table."""
    if format_ == "csv":
        text = as_csv(rows, columns)
    else:
        text = "".join(orjson.dumps(row).decode() + "\n" for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format_}"'}
    return Response(text, media_type=MEDIA_TYPES[format_], headers=headers)
