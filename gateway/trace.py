"""The last OCPP frames of every socket: what support asks for first. Pure.

Bounded by the frames of each socket and by the bytes of all. While there is room, everybody keeps
what they said; then whoever keeps more than a fair share forgets first, so that a talkative station
never makes the others be forgotten. Kept as they passed; secrets are removed when somebody reads,
so that keeping costs nothing.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from gateway.operations import TraceEntry, TraceQuery
from gateway.trace_search import since_only, wanted

CLOUD = "cloud"
"""Its socket carries everybody's messages, and long ones."""
CLOUD_SHARE = 0.25
FRAMES_PER_STATION = 2_000
FRAMES_OF_CLOUD = 20_000
TRACE_BYTES = 12 << 20
"""Of all sockets together, also with a thousand stations."""
ENTRY_BYTES = 250
"""About what an entry takes besides the text of its frame."""


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
        length: frames kept of one station at most.
        cloud_length: frames kept of the cloud at most.
        budget: bytes kept of all sockets; the newest frame of each is kept in any case.
    """

    def __init__(
        self,
        clock_utc: Callable[[], datetime],
        length: int = FRAMES_PER_STATION,
        cloud_length: int = FRAMES_OF_CLOUD,
        budget: int = TRACE_BYTES,
    ) -> None:
        self._clock_utc = clock_utc
        self._length = length
        self._cloud_length = cloud_length
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
        if len(ring.entries) > (self._cloud_length if name == CLOUD else self._length):
            self._size -= ring.forget_oldest()
        if self._size > self._budget:
            self._cut(name, ring)
        if self._size > self._budget:
            for other_name, other in self._rings.items():
                self._cut(other_name, other)

    def find(self, query: TraceQuery) -> list[TraceEntry]:
        """Return the newest frames that are asked for, oldest first, without secrets.

        Looks at copies, so that it may be called on a thread while frames pass.
        """
        if query.limit <= 0:
            return []
        rings = self._copies(query)
        newest_first = heapq.merge(
            *(reversed(entries) for entries in rings), key=lambda entry: entry.at, reverse=True
        )
        found = wanted(query, rings, since_only(query, newest_first))
        return list(islice(found, query.limit))[::-1]

    def _copies(self, query: TraceQuery) -> list[list[TraceEntry]]:
        if query.station is None:
            rings = list(self._rings.values())
        else:
            rings = [ring for ring in [self._rings.get(query.station)] if ring is not None]
        if query == TraceQuery(query.station, query.limit, has_tokens=query.has_tokens):
            return [list(islice(reversed(ring.entries), query.limit))[::-1] for ring in rings]
        return [list(ring.entries) for ring in rings]

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
