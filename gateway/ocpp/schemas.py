"""Are these payloads what OCPP says they are? Compiled validators on the official JSON schemas.

The schemas are files of the `ocpp` package, read without importing its modules (which cost 0.2 s
each). A validator is built when its message first occurs (0.1 to 1 ms) and kept. Pure but for
reading those files.

Date-times are enforced, with their zone. `multipleOf 0.1` is reckoned in decimals: 0.3 is a
multiple. The sentences of a `Violation` quote no value, so they may be logged and sent.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal

import jsonschema_rs
import orjson

from gateway.ocpp.error_codes import MAX_DESCRIPTION_LENGTH, ErrorCode
from gateway.ocpp.frames import Payload
from site_config.links import OcppVersion

Direction = Literal["request", "response"]
Schema = dict[str, Any]
Path = tuple[str | int, ...]

FOLDERS: dict[OcppVersion, str] = {"ocpp1.6": "v16", "ocpp2.0.1": "v201"}
SUFFIXES: dict[tuple[OcppVersion, Direction], str] = {
    ("ocpp1.6", "request"): "",
    ("ocpp1.6", "response"): "Response",
    ("ocpp2.0.1", "request"): "Request",
    ("ocpp2.0.1", "response"): "Response",
}

CODE_OF_RULE = {
    "type": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    "required": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "minItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "maxItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "additionalProperties": ErrorCode.FORMAT_VIOLATION,
}
"""All other rules are about values: PropertyConstraintViolation."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The first rule of the schema that a payload breaks."""

    code: ErrorCode
    path: str
    """JSON pointer into the payload: `/meterValue/0/timestamp`; empty: the payload itself."""
    rule: str
    """The keyword of the schema: `required`, `maxLength`, `format`, …"""
    sentence: str
    """At most 255 characters; names the path and the rule, quotes no value."""


@cache
def actions(version: OcppVersion) -> frozenset[str]:
    """Return every action of a version, in either direction; 1.6 with its security extension."""
    suffix = SUFFIXES[version, "response"] + ".json"
    names = (file.name for file in _folder(version).iterdir())
    return frozenset(name.removesuffix(suffix) for name in names if name.endswith(suffix))


def validate_request(version: OcppVersion, action: str, payload: Payload) -> Violation | None:
    """Return what is wrong with the payload of a CALL, or None."""
    return validate(version, action, "request", payload)


def validate_response(version: OcppVersion, action: str, payload: Payload) -> Violation | None:
    """Return what is wrong with the payload of a CALLRESULT, or None."""
    return validate(version, action, "response", payload)


def validate(
    version: OcppVersion, action: str, direction: Direction, payload: Payload
) -> Violation | None:
    """Return the first violation, or None. An action the version lacks: NotImplemented."""
    if action not in actions(version):
        sentence = f"{action[:50]} is no action of {version}"
        return Violation(ErrorCode.NOT_IMPLEMENTED, "", "action", sentence)
    validator = _validator(version, action, direction)
    if validator.is_valid(payload):
        return None
    return violation_of(next(validator.iter_errors(payload)))


def errors(
    version: OcppVersion, action: str, direction: Direction, payload: Payload
) -> list[jsonschema_rs.ValidationError]:
    """Return every broken rule of a payload, for whoever wants to mend it."""
    return list(_validator(version, action, direction).iter_errors(payload))


def violation_of(error: jsonschema_rs.ValidationError) -> Violation:
    rule = error.kind.name
    path = "".join(f"/{part}" for part in error.instance_path)
    code = CODE_OF_RULE.get(rule, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION)
    sentence = f"{path}: {error.message}" if path else error.message
    return Violation(code, path, rule, sentence[:MAX_DESCRIPTION_LENGTH])


def schema_at(version: OcppVersion, action: str, direction: Direction, path: Path) -> Schema:
    """Return the schema that governs the value at `path`; an empty one where none does."""
    root = _schema(version, action, direction)
    node = root
    for part in path:
        node = node.get("items", {}) if isinstance(part, int) else _property(node, part)
        while "$ref" in node:
            node = root["definitions"][node["$ref"].rpartition("/")[2]]
    return node


def _property(node: Schema, name: str) -> Schema:
    found: Schema = node.get("properties", {}).get(name, {})
    return found


@cache
def _validator(version: OcppVersion, action: str, direction: Direction) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        _schema(version, action, direction), validate_formats=True, mask="value"
    )


@cache
def _schema(version: OcppVersion, action: str, direction: Direction) -> Schema:
    file = _folder(version) / f"{action}{SUFFIXES[version, direction]}.json"
    schema: Schema = orjson.loads(file.read_bytes())
    return schema


def _folder(version: OcppVersion) -> Traversable:
    return files("ocpp") / FOLDERS[version] / "schemas"
