"""An edit of a quarantined row as people ask for it and as it is shown afterwards. Pure.

They name new values by their paths, or hand back the whole event that they were shown. Drivers'
tokens are shown shortened; one that comes back shortened is meant as it was. What may be changed is
decided in `quarantine`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.exports import event_json
from gateway.ocpp.codec import codec_for
from gateway.quarantine import EditRefused, edited
from gateway.records import OutboxEvent, OutboxRow, QuarantineEdit
from gateway.upstream_view import KnownTransactions
from site_config.links import OcppVersion

VERSIONS: tuple[OcppVersion, ...] = ("ocpp2.0.1", "ocpp1.6")


@dataclass(frozen=True, slots=True)
class Difference:
    path: str
    """Keys and places joined by dots: `meter_values.0.samples.1.value`."""
    old: Any
    new: Any


def mended(
    row: OutboxRow,
    changes: Mapping[str, Any] | None,
    event: Any,
    *,
    books: KnownTransactions,
    version: str | None,
) -> OutboxRow:
    """Return the row with `changes` by their paths made, or telling another `event` in all.

    `version`: what the cloud speaks; None: nobody knows, so one of those we know must do. Raises
    EditRefused.
    """
    paths = _paths(row.event, event) if changes is None else changes
    refusal = EditRefused("nothing to change")
    for spoken in [known for known in VERSIONS if version in (None, known)]:
        try:
            return edited(row, paths, books=books, codec=codec_for(spoken))
        except EditRefused as error:
            refusal = error
    raise refusal


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Yield where two JSON values differ, the smallest parts that do."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{path}.{place}".lstrip("."))
    elif old != new:
        yield Difference(path, old, new)


def edit_json(edit: QuarantineEdit) -> dict[str, Any]:
    old, new = event_json(edit.old), event_json(edit.new)
    return {
        "row": edit.row_id,
        "edited_at": edit.edited_at.isoformat(timespec="seconds"),
        "edited_by": edit.edited_by,
        "note": edit.note,
        "changes": [
            {"path": found.path, "old": found.old, "new": found.new}
            for found in differences(old, new)
        ],
    }


def _paths(before: OutboxEvent, event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise EditRefused("an event is a JSON object, as the export shows it")
    return {found.path: found.new for found in differences(event_json(before), event)}
