"""What a sloppy peer probably meant: mend a payload that its schema refuses, never silently. Pure.

Looked at only when validation has failed: each broken rule is mended where it stands, by the few
conventions below, until the payload is valid or nothing helps. Every mend is a `Change`, to be
logged once per peer and kind.

Never changed, because a guess would cost somebody money or safety: id tokens, transaction ids and
whatever else is not known to be mere description is not cut; an unknown status or token type is
not guessed; energies are only rounded to the whole numbers OCPP wants.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jsonschema_rs import ValidationError

from gateway.ocpp import schemas
from gateway.ocpp.frames import Payload
from gateway.ocpp.schemas import Direction, Path, Violation
from site_config.links import OcppVersion

MAX_ROUNDS = 6
"""A mend may uncover another broken rule (a list that has become empty); six levels are plenty."""

DESCRIPTIONS = frozenset(
    [
        "additionalInfo",
        "chargeBoxSerialNumber",
        "chargePointModel",
        "chargePointSerialNumber",
        "chargePointVendor",
        "firmwareVersion",
        "iccid",
        "imsi",
        "info",
        "meterSerialNumber",
        "meterType",
        "model",
        "reasonCode",
        "serialNumber",
        "techCode",
        "techInfo",
        "vendorErrorCode",
        "vendorName",
    ]
)
"""Fields that tell people something; only these are cut when they are too long."""

SECRETS = frozenset(["idTag", "parentIdTag", "idToken", "groupIdToken", "additionalIdToken"])
"""Their values stand in no `Change`."""

NEUTRAL = {
    "errorCode": "OtherError",
    "reason": "Other",
    "stoppedReason": "Other",
    "triggerReason": "Trigger",
}
"""What an unknown word stands for where leaving it out would say something else (no `reason` is
Local) or is not allowed; `Unknown` where the list has no such word (reason of a boot)."""

SAMPLE_WORDS = frozenset(["measurand", "unit", "phase", "format"])
"""An unknown one of these leaves a number without a meaning: the sample goes, not the word."""

PRESUMED = {
    ("ocpp1.6", "StatusNotification", "errorCode"): "NoError",
    ("ocpp2.0.1", "StatusNotification", "connectorId"): 1,
}
"""Required fields that stations leave out, and the only thing they can mean."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was mended."""

    rule: str
    """The broken keyword of the schema: `type`, `format`, …"""
    path: str
    """JSON pointer into the payload as it came."""
    was: Any
    """None: absent."""
    became: Any
    """None: left out."""

    @property
    def kind(self) -> str:
        """The rule and the path without list positions: the same for every such message."""
        parts = ("*" if part.isdigit() else part for part in self.path.split("/"))
        return f"{self.rule} {'/'.join(parts)}"


@dataclass(frozen=True, slots=True)
class Normalised:
    payload: Payload
    changes: tuple[Change, ...] = ()
    violation: Violation | None = None
    """What could not be mended; None: `payload` is valid."""


def normalise(
    version: OcppVersion,
    action: str,
    payload: Payload,
    received_at: datetime,
    direction: Direction = "request",
) -> Normalised:
    """Mend a copy of `payload`; `received_at` (aware) stands in for a missing `timestamp`."""
    if action not in schemas.actions(version):
        return Normalised(payload, (), schemas.validate(version, action, direction, payload))
    mending = _Mending(version, action, direction, deepcopy(payload), received_at)
    for _ in range(MAX_ROUNDS):
        errors = schemas.errors(version, action, direction, mending.payload)
        if not errors:
            return Normalised(mending.payload, tuple(mending.changes))
        if not mending.mend(errors):
            break
    return Normalised(payload, tuple(mending.changes), schemas.violation_of(errors[0]))


class _Mending:
    """One payload being mended in place, one round of broken rules after another."""

    def __init__(
        self,
        version: OcppVersion,
        action: str,
        direction: Direction,
        payload: Payload,
        received_at: datetime,
    ) -> None:
        self.payload = payload
        self.changes: list[Change] = []
        self._message = (version, action, direction)
        self._received_at = received_at
        self._dropped: set[Path] = set()
        """In this round; items of lists leave at its end, so that other paths stay true."""
        self._rules: dict[str, Callable[[Path, ValidationError], bool]] = {
            "additionalProperties": self._drop_unexpected,
            "required": self._fill_in,
            "type": self._convert,
            "format": self._mend_time,
            "enum": self._mend_word,
            "maxLength": self._cut,
            "multipleOf": self._round,
            "minItems": self._drop_empty,
        }

    def mend(self, errors: Iterable[ValidationError]) -> bool:
        """Mend what can be; return whether anything has changed."""
        before = len(self.changes)
        for error in errors:
            path: Path = tuple(error.instance_path)
            if self._is_dropped(path):
                continue
            rule = self._rules.get(error.kind.name)
            if rule is None or not rule(path, error):
                self._drop_sample(path, error.kind.name)
        items = [path for path in self._dropped if isinstance(path[-1], int)]
        for path in sorted(items, key=_position, reverse=True):
            del self._at(path[:-1])[path[-1]]
        self._dropped.clear()
        return len(self.changes) > before

    # One rule each; True: mended.

    def _drop_unexpected(self, path: Path, error: ValidationError) -> bool:
        for name in error.kind.value:
            self._drop((*path, name), "additionalProperties")
        return True

    def _fill_in(self, path: Path, error: ValidationError) -> bool:
        name = str(error.kind.value)
        version, action, _ = self._message
        presumed = PRESUMED.get((version, action, name)) if not path else None
        if name == "timestamp":
            presumed = _written(self._received_at)
        elif name == "connectorId" and self.payload.get("evseId") == 0:
            presumed = 0  # The station as a whole.
        return presumed is not None and self._put((*path, name), presumed, "required")

    def _convert(self, path: Path, error: ValidationError) -> bool:
        value = self._at(path)
        if value is None and self._is_optional(path):
            return self._drop(path, "type")  # Part 4 §4.1.5: left out, not null.
        wanted = error.kind.value[0]
        converted = [value] if wanted == "array" else CONVERSIONS[wanted](value)
        return converted is not None and value is not None and self._put(path, converted, "type")

    def _mend_time(self, path: Path, error: ValidationError) -> bool:
        if error.kind.value != "date-time":
            return False
        mended = _time(str(self._at(path)))
        if mended is None and path[-1] == "timestamp":
            mended = _written(self._received_at)
        if mended is None:
            return self._is_optional(path) and self._drop(path, "format")
        return self._put(path, mended, "format")

    def _mend_word(self, path: Path, error: ValidationError) -> bool:
        name, options = str(path[-1]), error.kind.value
        folded = str(self._at(path)).strip().lower()
        for option in options:
            if option.lower() == folded:
                return self._put(path, option, "enum")
        if name in NEUTRAL:
            neutral = next((word for word in (NEUTRAL[name], "Unknown") if word in options), None)
            return neutral is not None and self._put(path, neutral, "enum")
        if name in SAMPLE_WORDS and "sampledValue" in path:
            return False
        return self._is_optional(path) and self._drop(path, "enum")

    def _cut(self, path: Path, error: ValidationError) -> bool:
        if path[-1] not in DESCRIPTIONS:
            return False
        return self._put(path, self._at(path)[: error.kind.value], "maxLength")

    def _round(self, path: Path, _: ValidationError) -> bool:
        return self._put(path, round(self._at(path), 1), "multipleOf")

    def _drop_empty(self, path: Path, _: ValidationError) -> bool:
        if self._is_optional(path):
            return self._drop(path, "minItems")
        return "meterValue" in path[:-1] and self._drop(path[:-1], "minItems")

    def _drop_sample(self, path: Path, rule: str) -> None:
        """A sample that cannot be mended goes, so that the others of the message count."""
        if "sampledValue" in path[:-1]:
            self._drop(path[: path.index("sampledValue") + 2], rule)

    # The payload.

    def _at(self, path: Path) -> Any:
        value: Any = self.payload
        for part in path:
            value = value[part]
        return value

    def _is_optional(self, path: Path) -> bool:
        if not path or isinstance(path[-1], int):
            return False
        return path[-1] not in schemas.schema_at(*self._message, path[:-1]).get("required", ())

    def _is_dropped(self, path: Path) -> bool:
        return any(path[: len(dropped)] == dropped for dropped in self._dropped)

    def _put(self, path: Path, value: Any, rule: str) -> bool:
        parent, name = self._at(path[:-1]), path[-1]
        was = parent.get(name) if isinstance(parent, dict) else parent[name]
        self._note(rule, path, was, value)
        parent[name] = value
        return True

    def _drop(self, path: Path, rule: str) -> bool:
        self._note(rule, path, self._at(path), None)
        self._dropped.add(path)
        if not isinstance(path[-1], int):
            del self._at(path[:-1])[path[-1]]
        return True

    def _note(self, rule: str, path: Path, was: Any, became: Any) -> None:
        if not SECRETS.isdisjoint(path):
            was = became = "***"
        self.changes.append(Change(rule, "".join(f"/{part}" for part in path), was, became))


def _position(path: Path) -> tuple[tuple[int, str], ...]:
    """Sort paths so that of two items of one list the earlier comes first."""
    return tuple((part, "") if isinstance(part, int) else (0, part) for part in path)


# Conversions; None: not what was meant.


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _integer(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else round(number)


def _boolean(value: Any) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower())


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "object": lambda _: None,
}


def _time(text: str) -> str | None:
    """Read a time that is almost RFC 3339; without a zone it is UTC (1.6 §3.14)."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return _written(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
