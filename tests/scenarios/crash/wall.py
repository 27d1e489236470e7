"""One clock on the wall of several processes: a file of eight bytes that the test turns."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEGAN = datetime(2026, 6, 1, 12, tzinfo=UTC)
_SECONDS = struct.Struct("d")


class WallClock:
    """Seconds since `BEGAN`; called, it tells the time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_SECONDS.pack(0.0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SECONDS.size)

    def __call__(self) -> datetime:
        return BEGAN + timedelta(seconds=self.now)

    @property
    def now(self) -> float:
        seconds: float = _SECONDS.unpack_from(self._memory)[0]
        return seconds

    def pass_by(self, seconds: float) -> None:
        _SECONDS.pack_into(self._memory, 0, self.now + seconds)
