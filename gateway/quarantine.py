"""What a person may change of a quarantined row before it is sent again; can it be sent then?

A row's event is shown as a document (names of its fields, plain JSON values) and changed by paths:
`register_wh`, `id_token.value`, `meter_values.0.samples.2.value`. Whose transaction it is, what
kind of event, its EVSE and what a meter has signed stay: to change those would be to make up
another message. Pure; the caller keeps what was there before, and who changed it.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import isfinite
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.errors import GatewayError, InvalidMessage
from gateway.events import (
    MetersSampled,
    SampledValue,
    SecurityEventOccurred,
    TransactionChanged,
)
from gateway.ocpp.codec import Codec
from gateway.ocpp.schemas import validate_request
from gateway.ocpp.v201_words import STOPPED_REASONS, TRIGGER_REASONS
from gateway.records import OutboxEvent, OutboxRow, SayableEvent, Unreadable
from gateway.upstream_view import KnownTransactions, cloud_number, for_cloud

EDITABLE: dict[type[SayableEvent], frozenset[str]] = {
    TransactionChanged: frozenset(
        {
            "at",
            "trigger_reason",
            "id_token",
            "charging_state",
            "stopped_reason",
            "register_wh",
            "meter_values",
            "remote_start_id",
            "reservation_id",
            "number_of_phases",
            "cable_max_current_a",
        }
    ),
    MetersSampled: frozenset({"meter_values"}),
    SecurityEventOccurred: frozenset({"type", "at", "tech_info"}),
}
"""What may be changed, by kind of event: fields of `document`."""

_ADAPTERS: dict[type[SayableEvent], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in EDITABLE
}


class EditRefused(GatewayError):
    """A change that cannot be made; its text says what to do, for people."""


def document(event: OutboxEvent) -> dict[str, Any]:
    """Return the event as plain JSON values, under the names that paths use."""
    plain: dict[str, Any] = _plain(asdict(event))
    return plain


def edited(
    row: OutboxRow, changes: Mapping[str, Any], *, books: KnownTransactions, codec: Codec
) -> OutboxRow:
    """Return the row with the values at the paths of `changes` replaced.

    It was made sure that `codec`, the cloud's version, can say it. Raises `EditRefused`.
    """
    if isinstance(row.event, Unreadable):
        raise EditRefused("nobody can read it: export it, and give it up when it has been billed")
    before = document(row.event)
    wanted = document(row.event)
    for path, value in changes.items():
        _put(wanted, path, value, EDITABLE[type(row.event)])
    try:
        event: SayableEvent = _ADAPTERS[type(row.event)].validate_python(wanted)
    except ValidationError as error:
        raise EditRefused(_first_of(error)) from error
    after = document(event)
    if unknown := _unknown(wanted, after):
        raise EditRefused(f"{unknown}: there is no such field")
    if _signed(before) != _signed(after):
        raise EditRefused("meter_values: what a meter has signed cannot be changed")
    _prove_sensible(event)
    changed = replace(row, event=event)
    _prove_sayable(changed, books, codec)
    return changed


def _plain(value: Any) -> Any:
    if isinstance(value, SampledValue):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else value


def _put(wanted: dict[str, Any], path: str, value: Any, allowed: frozenset[str]) -> None:
    *parents, last = path.split(".")
    if (first := path.split(".", maxsplit=1)[0]) not in allowed:
        raise EditRefused(f"{first}: cannot be changed; these can: {', '.join(sorted(allowed))}")
    place: Any = wanted
    for name in parents:
        place = _at(place, name, path)
    _at(place, last, path)
    place[int(last) if isinstance(place, list) else last] = value


def _at(place: Any, name: str, path: str) -> Any:
    if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
        return place[int(name)]
    if isinstance(place, dict) and name in place:
        return place[name]
    raise EditRefused(f"{path}: there is no {name}")


def _first_of(error: ValidationError) -> str:
    found: Any = error.errors()[0]
    return str(".".join(map(str, found["loc"])) + ": " + found["msg"])


def _unknown(wanted: Any, known: Any, path: str = "") -> str:
    """Return the path of the first name in `wanted` that was not understood; empty: none."""
    if isinstance(wanted, dict) and isinstance(known, dict) and not path.endswith("signed."):
        for name, value in wanted.items():
            if name not in known:
                return f"{path}{name}"
            if found := _unknown(value, known[name], f"{path}{name}."):
                return found
    if isinstance(wanted, list) and isinstance(known, list):
        for index, (value, other) in enumerate(zip(wanted, known, strict=False)):
            if found := _unknown(value, other, f"{path}{index}."):
                return found
    return ""


def _signed(event: dict[str, Any]) -> list[Any]:
    return [
        sample["signed"]
        for value in event.get("meter_values", ())
        for sample in value["samples"]
        if sample["signed"] is not None
    ]


def _instants(event: SayableEvent) -> list[Any]:
    own = [] if isinstance(event, MetersSampled) else [event.at]
    if isinstance(event, SecurityEventOccurred):
        return own
    return own + [value.at for value in event.meter_values]


def _prove_sensible(event: SayableEvent) -> None:
    """What a codec would leave out, or put another word for, is no help to anybody."""
    if any(at.tzinfo is None for at in _instants(event)):
        raise EditRefused("at: an instant needs a time zone, such as 2026-11-23T06:00:00Z")
    if isinstance(event, SecurityEventOccurred):
        return
    for value in event.meter_values:
        for sample in value.samples:
            if sample.signed is None and not _is_figure(sample.value):
                raise EditRefused(f"meter_values: {sample.value!r} is no number")
    if isinstance(event, TransactionChanged):
        _prove_known("trigger_reason", event.trigger_reason, TRIGGER_REASONS)
        _prove_known("stopped_reason", event.stopped_reason, STOPPED_REASONS)


def _prove_known(name: str, word: str | None, words: frozenset[str]) -> None:
    if word is not None and word not in words:
        raise EditRefused(f"{name}: one of {', '.join(sorted(words))}")


def _is_figure(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _prove_sayable(row: OutboxRow, books: KnownTransactions, codec: Codec) -> None:
    transaction = books.by_number(row.transaction) if row.transaction is not None else None
    try:
        event = for_cloud(books, row.event, row.transaction, codec.version)
        message = codec.serialize_event(event, cloud_number(transaction) if transaction else None)
    except (InvalidMessage, LookupError, TypeError, ValueError) as error:
        raise EditRefused(f"it could not be sent: {error}") from error
    if message is None:
        raise EditRefused(f"OCPP {codec.version.removeprefix('ocpp')} has no message for it")
    if (violation := validate_request(codec.version, *message)) is not None:
        raise EditRefused(f"the cloud would refuse it: {violation.sentence}")
