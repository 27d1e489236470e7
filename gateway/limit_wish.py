"""A wish to limit a circuit, as a person or a program writes it down: REST, MQTT and the page.

Decides only whether the words make sense. Whether the wish is granted (never above the
installer's rating, never for a viewer) is `Operations`' business. Currents are A RMS per phase.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

MAX_REASON_LENGTH = 200

EXAMPLE = '{"limit_a": 40, "reason": "party next door", "until": "2026-06-01T18:00:00+02:00"}'
EXAMPLE_OF_DIMMING = '{"total_w": 8400, "reason": "…", "until": "2026-06-01T18:00:00+02:00"}'
EXAMPLE_OF_A_DRIVER = '{"energy_wh": 12000, "departs_at": "2026-06-01T17:30:00+02:00"}'

_CLOCK = r"\d\d:\d\d(:\d\d(\.\d+)?)?"
_RFC_3339 = re.compile(rf"(\d{{4}}-\d\d-\d\d)[Tt ]({_CLOCK})(Z|z|[+ -]\d\d:\d\d)?")


def parse_instant(text: object) -> datetime | None:
    """Read an RFC 3339 instant as aware UTC; None stays None.

    A blank in place of the `+` is taken for one: that is what a query string makes of it.

    Raises ValueError with a sentence for whoever wrote it.

    >>> parse_instant("2026-06-01T18:00:00+02:00").isoformat()
    '2026-06-01T16:00:00+00:00'
    """
    if text is None:
        return None
    if isinstance(text, datetime):
        text = text.isoformat()
    found = _RFC_3339.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError("is not a time like 2026-06-01T18:00:00+02:00")
    date, clock, zone = found[1], found[2], found[4 + 1]
    if zone is None:
        raise ValueError(
            f"has no time zone; write {date}T{clock}+02:00 for the hour east of Greenwich you "
            f"mean, or {date}T{clock}Z for UTC"
        )
    try:
        at = datetime.fromisoformat(f"{date}T{clock}{zone.upper().replace(' ', '+')}")
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as reason:
        raise ValueError(f"is not a time: {reason}") from reason


def _limit(value: object) -> object:
    """Refuse what pydantic would kindly take for a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number of amperes")
    return value


Instant = Annotated[
    datetime | None,
    BeforeValidator(parse_instant),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]


class LimitWish(BaseModel):
    """What a circuit may draw on each phase, why, and until when."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [json.loads(EXAMPLE)]},
    )

    limit_a: Annotated[float, BeforeValidator(_limit), Field(ge=0, allow_inf_nan=False)]
    """Highest current on each phase, A; never above the installer's rating."""
    reason: Annotated[str, Field(max_length=MAX_REASON_LENGTH)] = ""
    """Shown wherever the limit is explained."""
    until: Instant = None
    """When the limit ends by itself, RFC 3339 with a time zone; null: when it is deleted."""


class DimmingWish(BaseModel):
    """What the grid operator allows the charge points, why, and until when."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    total_w: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """For all charge points together, W; null: their minimum. It is never less."""
    reason: Annotated[str, Field(max_length=MAX_REASON_LENGTH)] = ""
    """Kept as evidence."""
    until: Instant = None
    """When it ends by itself, RFC 3339 with a time zone; null: when it is deleted."""


class DriverWish(BaseModel):
    """What a driver wants of the transaction that runs, or of the next one."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [json.loads(EXAMPLE_OF_A_DRIVER)]},
    )

    energy_wh: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] | None = None
    """From now on, Wh; null: as much as the car takes."""
    departs_at: Instant = None
    """RFC 3339 with a time zone; null: unknown."""


class NotAWish(ValueError):
    """What was written makes no sense; the text says what, in words."""


def parse_wish(text: bytes | str) -> LimitWish:
    """Read JSON of a `LimitWish`, or a plain number of amperes. Raises NotAWish.

    >>> parse_wish("40").limit_a
    40.0
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise NotAWish(f"neither a number nor JSON like {EXAMPLE}") from reason
    try:
        return LimitWish.model_validate(value if isinstance(value, dict) else {"limit_a": value})
    except ValidationError as reason:
        raise NotAWish(in_words(reason.errors())) from reason


def parse_dimming(text: bytes | str) -> DimmingWish:
    """Read JSON of a `DimmingWish`, or a plain number of watts. Raises NotAWish.

    >>> parse_dimming("8400").total_w
    8400.0
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise NotAWish('neither a number nor JSON like {"total_w": 8400}') from reason
    try:
        return DimmingWish.model_validate(value if isinstance(value, dict) else {"total_w": value})
    except ValidationError as reason:
        raise NotAWish(in_words(reason.errors())) from reason


def in_words(errors: Any) -> str:
    """Put pydantic's or FastAPI's list of errors into one line for people.

    >>> in_words([{"type": "missing", "loc": ("body", "limit_a"), "msg": "Field required"}])
    'limit_a field required'
    """
    if any(error["type"] == "json_invalid" for error in errors):
        return "this is no JSON"
    return "; ".join(
        " ".join([_place(error["loc"]), _sentence(error["msg"])]).strip() for error in errors
    )


def _place(loc: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in loc if part not in ("body", "query", "path"))


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
