"""The message trace as a recording of stations, one JSON object a line, to be played again. Pure.

`t` when, `cp` which station, `ev` what (`open`, `in` a frame of the station, `out` a frame of its
CSMS), `frame` the OCPP-J array, or the text of what is none.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

from gateway.operations import TraceEntry
from gateway.trace import CLOUD


def as_recording(
    entries: Iterable[TraceEntry], protocols: dict[str, str | None], cloud: str
) -> Iterator[dict[str, Any]]:
    """Yield the entries as a recording: an `open` of each peer before its first frame.

    The cloud's socket is seen from above, where the gateway is the station: `cloud` is its
    identity there.

    Args:
        protocols: subprotocol of each socket, by station, and under `cloud`; None: unknown.
    """
    opened: set[str] = set()
    for entry in entries:
        is_cloud = entry.station_id == CLOUD
        peer = cloud if is_cloud else entry.station_id
        if peer not in opened:
            opened.add(peer)
            yield _opening(entry.at, peer, protocols.get(entry.station_id) or "")
        direction = {"in": "out", "out": "in"}[entry.direction] if is_cloud else entry.direction
        yield {"t": _text(entry.at), "cp": peer, "ev": direction, "frame": _array(entry.frame)}


def _opening(at: datetime, peer: str, protocol: str) -> dict[str, Any]:
    return {
        "t": _text(at),
        "cp": peer,
        "ev": "open",
        "path": f"/ocpp/{peer}",
        "subprotocol": protocol,
        "offered": protocol,
        "extensions": None,
        "auth": None,
    }


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _array(frame: str) -> Any:
    try:
        return orjson.loads(frame)
    except orjson.JSONDecodeError:
        return frame
