"""The site's time: the machine's clock, unless it goes back or has not been set yet. Pure.

1. It never goes back. A machine without a clock of its own starts in 1970, and NTP may set any by
   hours: then time goes on from the last instant known, and people are told.
2. It is set when nobody's bill changes by it: once no transaction runs that began in that time,
   or after a day.
3. A jump ahead is believed at once: a machine that slept has really lost that time.

`now` is monotonic s; a step of less than `STEP_S` is the machine's own business.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.writes import SaveSetting

STEP_S = 30.0
LONGEST_S = 86_400.0
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""Older than this program: a clock that shows it was never set."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
KEPT_EVERY = timedelta(minutes=10)
LAST_SEEN = "clock/last_seen"
"""The setting that keeps the newest instant."""


@dataclass(frozen=True, slots=True)
class _Held:
    at: datetime
    now: float
    counts_from: datetime
    """Transactions that began before it keep no time waiting."""


class SiteClock:
    """Args:
    wall: the machine's clock, aware UTC.
    clock: monotonic s.
    kept: settings of the store, among them the last instant seen before the restart.
    """

    def __init__(
        self,
        wall: Callable[[], datetime],
        clock: Callable[[], float],
        kept: Iterable[SaveSetting] = (),
    ) -> None:
        self._wall, self._clock = wall, clock
        self._held: _Held | None = None
        seen = [row.value for row in kept if row.key == LAST_SEEN]
        self._kept_at = datetime.fromisoformat(seen[0]) if seen else None
        self._last = max(self._kept_at or EARLIEST, EARLIEST)
        if self._is_back(wall()):
            self._held = _Held(self._last, clock(), self._last)

    @property
    def is_sound(self) -> bool:
        return self._held is None

    def now_utc(self) -> datetime:
        """Return the time of the site; it never goes back by more than `STEP_S`."""
        if self._held is not None:
            return self._held.at + timedelta(seconds=self._clock() - self._held.now)
        at = self._wall()
        if at < self._last and self._is_back(at):
            self._held = _Held(self._last, self._clock(), LONG_AGO)
            return self._last
        self._last = at
        return at

    def step(self, begun: Iterable[datetime]) -> float | None:
        """Set it if that may be; return by how much it was, s.

        `begun`: when the running transactions began.
        """
        held = self._held
        if held is None:
            return None
        at, wall = self.now_utc(), self._wall()
        by_s = (wall - at).total_seconds()
        is_set = wall >= max(EARLIEST, held.counts_from - timedelta(seconds=STEP_S))
        is_waited_for = any(began >= held.counts_from for began in begun)
        is_old = self._clock() - held.now >= LONGEST_S
        if not is_set or (is_waited_for and not is_old and abs(by_s) > STEP_S):
            return None
        self._held, self._last = None, wall
        return by_s

    def problem(self) -> str:
        """Say what is wrong with the machine's clock; empty: nothing."""
        if self._held is None:
            return ""
        wall, at = self._wall(), self.now_utc()
        return (
            f"this machine's clock shows {wall:%Y-%m-%d %H:%M} UTC, before the last time known: "
            f"the site goes on at {at:%Y-%m-%d %H:%M} UTC; check its time server"
        )

    def to_keep(self) -> SaveSetting | None:
        """Return what makes the time known after a restart, every ten minutes."""
        at = self.now_utc()
        if self._kept_at is not None and timedelta(0) <= at - self._kept_at < KEPT_EVERY:
            return None
        self._kept_at = at
        return SaveSetting(LAST_SEEN, at.isoformat())

    def _is_back(self, at: datetime) -> bool:
        return at < self._last - timedelta(seconds=STEP_S)
