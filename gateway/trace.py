"""The last OCPP frames of every socket: what support asks for first. Pure, bounded.

Kept as they passed; secrets are removed when somebody reads, so that keeping costs nothing.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain

from gateway.operations import TraceEntry

FRAMES_PER_SOCKET = 500

SECRETS = ("AuthorizationKey", "BasicAuthPassword")
_VALUE = re.compile(r'("(?:value|attributeValue)"\s*:\s*")(?:[^"\\]|\\.)*"')


class MessageTrace:
    """A ring of frames per station, and one for the cloud."""

    def __init__(self, clock_utc: Callable[[], datetime], length: int = FRAMES_PER_SOCKET) -> None:
        self._clock_utc = clock_utc
        self._length = length
        self._rings: dict[str, deque[TraceEntry]] = {}

    def note(self, name: str, direction: str, text: str) -> None:
        """Keep one frame; `name` is a station's identity or `cloud`."""
        ring = self._rings.get(name)
        if ring is None:
            ring = self._rings[name] = deque(maxlen=self._length)
        ring.append(TraceEntry(self._clock_utc(), name, direction, text))

    def newest(self, name: str | None, limit: int) -> list[TraceEntry]:
        """Return the newest frames, oldest first, without secrets; None: of all sockets."""
        rings: Iterable[deque[TraceEntry]] = (
            self._rings.values() if name is None else [self._rings.get(name, deque())]
        )
        entries = sorted(chain.from_iterable(rings), key=lambda entry: entry.at)
        return [_without_secrets(entry) for entry in entries[-limit:]] if limit > 0 else []


def _without_secrets(entry: TraceEntry) -> TraceEntry:
    """Mask every value of a frame that names a secret: whichever of them it is, it stays ours."""
    if not any(secret in entry.frame for secret in SECRETS):
        return entry
    frame = _VALUE.sub(r'\1***"', entry.frame)
    return TraceEntry(entry.at, entry.station_id, entry.direction, frame)
