"""The last OCPP frames of every socket: what support asks for first. Pure.

Bounded by the frames of each socket and by the bytes of all. While there is room, everybody keeps
what they said; then whoever keeps more than a fair share forgets first, so that a talkative station
never makes the others be forgotten. The newest frames of a socket are kept as they passed, older
ones in packs of a few, compressed: a station repeats itself, and a pack takes a tenth. Secrets are
removed when somebody reads, so that keeping costs little.
"""

import heapq
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from gateway.operations import TraceEntry, TraceQuery
from gateway.trace_search import since_only, wanted

CLOUD = "cloud"
"""Its socket carries everybody's messages, and long ones."""
CLOUD_SHARE = 0.25
FRAMES_PER_STATION = 2_000
FRAMES_OF_CLOUD = 20_000
TRACE_BYTES = 8 << 20
"""Of all sockets together, also with a thousand stations."""
LOOSE_BYTES = 12_000
"""Of one socket, before they are packed: six MeterValues and their answers. With more a pack is
smaller and cheaper, but what is not packed yet takes more."""
ENTRY_BYTES = 200
"""About what an entry takes besides the text of its frame."""
PACK_BYTES = 150
"""About what a pack takes besides its bytes."""
RING_BYTES = 550
"""About what a socket takes that says nothing."""
FAST = 1
"""Level of zlib: the default takes thrice as long to save a sixth."""
SEPARATOR, INSTEAD = "\x1e", "\ufffd"
"""Of frames in a pack (RFC 7464): JSON holds none. Where a broken frame does, it is replaced."""


class _Pack(NamedTuple):
    """Some frames that passed one after the other."""

    length: int
    """How many."""
    packed: bytes

    @classmethod
    def of(cls, entries: list[TraceEntry]) -> "_Pack":
        rows = [
            f"{entry.at.isoformat()} {entry.direction} {entry.frame.replace(SEPARATOR, INSTEAD)}"
            for entry in entries
        ]
        return cls(len(rows), zlib.compress(SEPARATOR.join(rows).encode(errors="replace"), FAST))

    def entries(self, name: str) -> list[TraceEntry]:
        rows = zlib.decompress(self.packed).decode().split(SEPARATOR)
        return [
            TraceEntry(datetime.fromisoformat(at), name, direction, frame)
            for at, direction, frame in (row.split(" ", 2) for row in rows)
        ]

    @property
    def size(self) -> int:
        return PACK_BYTES + len(self.packed)


@dataclass(frozen=True, slots=True)
class _Frames:
    """The frames of one socket. To be read on a thread, too: only `loose` grows, all else is a new
    object."""

    name: str
    packs: tuple[_Pack, ...] = ()
    loose: list[TraceEntry] = field(default_factory=list)
    """What has passed since the newest pack."""

    def __iter__(self) -> Iterator[TraceEntry]:
        """Yield the newest first, unpacked while they are read."""
        yield from reversed(tuple(self.loose))
        for pack in reversed(self.packs):
            yield from reversed(pack.entries(self.name))


@dataclass(slots=True)
class _Ring:
    """The frames of one socket, and how much they are."""

    frames: _Frames
    length: int
    """How many it holds at most."""
    packed_length: int = 0
    packed_size: int = RING_BYTES
    loose_size: int = 0

    @property
    def is_too_long(self) -> bool:
        return self.packed_length + len(self.frames.loose) > self.length

    @property
    def size(self) -> int:
        """Bytes of all."""
        return self.packed_size + self.loose_size

    @property
    def may_forget(self) -> bool:
        """Whether something is left when the oldest is forgotten."""
        return len(self.frames.packs) + len(self.frames.loose) > 1

    def pack(self) -> None:
        frames = self.frames
        if frames.loose:
            pack = _Pack.of(frames.loose)
            self.packed_length += pack.length
            self.packed_size += pack.size
            self.frames = _Frames(frames.name, (*frames.packs, pack))
            self.loose_size = 0

    def forget_oldest(self) -> None:
        """Forget the oldest pack, or frame where nothing is packed."""
        frames = self.frames
        if frames.packs:
            pack, *packs = frames.packs
            self.packed_length -= pack.length
            self.packed_size -= pack.size
            self.frames = _Frames(frames.name, tuple(packs), frames.loose)
        else:
            self.loose_size -= _size(frames.loose.pop(0))


class MessageTrace:
    """A ring of frames per station, and one for the cloud.

    Args:
        length: frames kept of one station at most.
        cloud_length: frames kept of the cloud at most.
        budget: bytes kept of all sockets; the newest frames of each are kept in any case.
        loose: bytes of one socket that wait to be packed.
    """

    def __init__(
        self,
        clock_utc: Callable[[], datetime],
        length: int = FRAMES_PER_STATION,
        cloud_length: int = FRAMES_OF_CLOUD,
        budget: int = TRACE_BYTES,
        loose: int = LOOSE_BYTES,
    ) -> None:
        self._clock_utc = clock_utc
        self._length = length
        self._cloud_length = cloud_length
        self._budget = budget
        self._loose = loose
        self.size = 0
        """Bytes kept of all sockets, about."""
        self._rings: dict[str, _Ring] = {}

    def note(self, name: str, direction: str, text: str) -> None:
        """Keep one frame; `name` is a station's identity or `cloud`."""
        entry = TraceEntry(self._clock_utc(), name, direction, text)
        size = _size(entry)
        ring = self._rings.get(name)
        if ring is None:
            ring = self._rings[name] = self._new_ring(name)
        ring.frames.loose.append(entry)
        ring.loose_size += size
        self.size += size
        if ring.loose_size > self._loose or ring.is_too_long or self.size > self._budget:
            self._make_room(name, ring)

    def find(self, query: TraceQuery) -> list[TraceEntry]:
        """Return the newest frames that are asked for, oldest first, without secrets.

        May be called on a thread while frames pass.
        """
        if query.limit <= 0:
            return []
        kept = list(self._rings.items())
        rings = [ring.frames for name, ring in kept if query.station in (None, name)]
        newest_first = heapq.merge(*rings, key=lambda entry: entry.at, reverse=True)
        found = wanted(query, rings, since_only(query, newest_first))
        return list(islice(found, query.limit))[::-1]

    def _new_ring(self, name: str) -> _Ring:
        ring = _Ring(_Frames(name), self._cloud_length if name == CLOUD else self._length)
        self.size += ring.size
        return ring

    def _make_room(self, name: str, ring: _Ring) -> None:
        before = ring.size
        if ring.loose_size > self._loose:
            ring.pack()
        if ring.is_too_long:
            ring.forget_oldest()
        self.size += ring.size - before
        if self.size > self._budget:
            self._cut(name, ring)
        if self.size > self._budget:
            for other_name, other in self._rings.items():
                self._cut(other_name, other)

    def _cut(self, name: str, ring: _Ring) -> None:
        """Pack, then forget, what is above the socket's share."""
        if name == CLOUD:
            share = self._budget * CLOUD_SHARE
        else:
            share = self._budget * (1 - CLOUD_SHARE) / len(self._rings)
        before = ring.size
        if ring.size > share:
            ring.pack()
        while ring.size > share and ring.may_forget:
            ring.forget_oldest()
        self.size += ring.size - before


def _size(entry: TraceEntry) -> int:
    return ENTRY_BYTES + len(entry.frame)
