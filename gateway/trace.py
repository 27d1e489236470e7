"""The last OCPP frames of every socket: what support asks for first. Pure.

Bounded by the frames of each socket and by the bytes of all. While there is room, everybody keeps
what they said; then whoever keeps more than a fair share forgets first, so that a talkative station
never makes the others be forgotten. Kept as they passed; secrets are removed when somebody reads,
so that keeping costs nothing.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from gateway.operations import TraceEntry

CLOUD = "cloud"
"""Its socket carries everybody's messages, and long ones."""
CLOUD_SHARE = 0.25
FRAMES_PER_SOCKET = 500
TRACE_BYTES = 8 << 20
"""Of all sockets together, also with a thousand stations."""
ENTRY_BYTES = 250
"""About what an entry takes besides the text of its frame."""

SECRETS = ("AuthorizationKey", "BasicAuthPassword")
_VALUE = re.compile(r'("(?:value|attributeValue)"\s*:\s*")(?:[^"\\]|\\.)*"')


@dataclass(slots=True)
class _Ring:
    """The frames of one socket, the oldest first."""

    entries: deque[TraceEntry] = field(default_factory=deque)
    size: int = 0
    """Bytes of all entries."""

    def forget_oldest(self) -> int:
        """Return the bytes it took."""
        size = _size(self.entries.popleft())
        self.size -= size
        return size


class MessageTrace:
    """A ring of frames per station, and one for the cloud.

    Args:
        length: frames kept of one socket at most.
        budget: bytes kept of all sockets; the newest frame of each is kept in any case.
    """

    def __init__(
        self,
        clock_utc: Callable[[], datetime],
        length: int = FRAMES_PER_SOCKET,
        budget: int = TRACE_BYTES,
    ) -> None:
        self._clock_utc = clock_utc
        self._length = length
        self._budget = budget
        self._size = 0
        self._rings: dict[str, _Ring] = {}

    def note(self, name: str, direction: str, text: str) -> None:
        """Keep one frame; `name` is a station's identity or `cloud`."""
        ring = self._rings.get(name)
        if ring is None:
            ring = self._rings[name] = _Ring()
        entry = TraceEntry(self._clock_utc(), name, direction, text)
        size = _size(entry)
        ring.entries.append(entry)
        ring.size += size
        self._size += size
        if len(ring.entries) > self._length:
            self._size -= ring.forget_oldest()
        if self._size > self._budget:
            self._cut(name, ring)
        if self._size > self._budget:
            for other_name, other in self._rings.items():
                self._cut(other_name, other)

    def newest(self, name: str | None, limit: int) -> list[TraceEntry]:
        """Return the newest frames, oldest first, without secrets; None: of all sockets."""
        rings: Iterable[_Ring] = (
            self._rings.values() if name is None else [self._rings.get(name, _Ring())]
        )
        frames = chain.from_iterable(ring.entries for ring in rings)
        entries = sorted(frames, key=lambda entry: entry.at)
        return [_without_secrets(entry) for entry in entries[-limit:]] if limit > 0 else []

    def _cut(self, name: str, ring: _Ring) -> None:
        """Forget what is above the socket's share."""
        if name == CLOUD:
            share = self._budget * CLOUD_SHARE
        else:
            share = self._budget * (1 - CLOUD_SHARE) / len(self._rings)
        while ring.size > share and len(ring.entries) > 1:
            self._size -= ring.forget_oldest()


def _size(entry: TraceEntry) -> int:
    return ENTRY_BYTES + len(entry.frame)


def _without_secrets(entry: TraceEntry) -> TraceEntry:
    """Mask every value of a frame that names a secret: whichever of them it is, it stays ours."""
    if not any(secret in entry.frame for secret in SECRETS):
        return entry
    frame = _VALUE.sub(r'\1***"', entry.frame)
    return TraceEntry(entry.at, entry.station_id, entry.direction, frame)
