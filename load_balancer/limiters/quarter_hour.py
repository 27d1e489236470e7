"""What may still be drawn in this quarter of an hour, under a tariff that bills its mean power.

Pure. The meter bills clock-aligned quarters (:00, :15, :30, :45 of UTC, and so of every civil time
zone). What was drawn so far is known from the meter; the rest of the quarter's energy, spread over
the rest of its time, is the limit. So a quiet beginning may be made up for, and a loud one has to
be paid back before the quarter ends. There is no tolerance: a tariff has no thermal mass.

Energy Wh, power W (positive = import), currents A per phase, `now` monotonic seconds, `at` the
same instant as aware UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

QUARTER_S = 900.0
LAST_S = 60.0
"""Nearer to its end a quarter's limit only falls: no leap in the last seconds."""
LONGEST_GAP_S = 10.0
"""Between two readings; in a longer one the limit's own power, or more, is taken to have flowed."""
STEADY_S = 10.0
"""A limit that was told stays for so long, unless it has to fall by more than a step."""
STEP_A = 0.5
"""Limits are told in such steps, rounded down, so that nobody is bothered by crumbs."""


@dataclass(frozen=True, slots=True)
class QuarterEnergy:
    """What a quarter of an hour has used; kept on disk so that a restart does not forget it."""

    circuit: str
    begins_at: datetime
    used_wh: float
    counted_to: datetime
    """Until when; what follows is not in it."""


class QuarterHour:
    """One circuit's quarter.

    Args:
        limit_w: the mean power of a quarter that must not be exceeded.
        voltage_v: phase to neutral, nominal.
    """

    def __init__(self, circuit: str, limit_w: float, voltage_v: float) -> None:
        self.circuit, self.limit_w = circuit, limit_w
        self._voltage_v = voltage_v
        self.begins_at = datetime.min.replace(tzinfo=UTC)
        self.used_wh = 0.0
        self._power_w = limit_w
        """As of the last reading; before the first the limit's own."""
        self._read_at: float | None = None
        self._counted_to: datetime | None = None
        self._told_a: float | None = None
        self._told_at = 0.0

    def take_up(self, kept: QuarterEnergy) -> None:
        """Go on with what was used before a restart."""
        self.begins_at, self.used_wh = kept.begins_at, kept.used_wh
        self._counted_to = kept.counted_to

    def observe(
        self, power_w: float | None, taken_at: float | None, now: float, at: datetime
    ) -> None:
        """Count what flowed since the last step.

        Args:
            power_w: of the newest reading, import positive; None: the meter is lost.
            taken_at: when it was taken; one that was taken in already is not new.
        """
        # Before the first step nobody counted: as if the limit had flowed since the quarter began.
        since = self._counted_to or quarter_of(at)
        self._counted_to = at
        begins_at = quarter_of(at)
        if begins_at != self.begins_at:
            self.begins_at, self.used_wh, self._told_a = begins_at, 0.0, None
            since = max(since, begins_at)
        if power_w is not None and taken_at is not None and taken_at != self._read_at:
            self._read_at, self._power_w = taken_at, power_w
        elapsed_s = max(0.0, (at - since).total_seconds())
        is_fresh = self._read_at is not None and now - self._read_at <= LONGEST_GAP_S
        is_known = is_fresh and elapsed_s <= LONGEST_GAP_S
        flowing_w = self._power_w if is_known else max(self._power_w, self.limit_w)
        self.used_wh += max(0.0, flowing_w) * elapsed_s / 3600

    @property
    def rest_wh(self) -> float:
        """What is left of this quarter's energy; negative: it has been exceeded."""
        return self.limit_w * QUARTER_S / 3600 - self.used_wh

    def limit_a(self, now: float) -> float:
        """Return what may flow on each phase now, so that the quarter ends within its limit.

        Evenly on three phases: a phase that carries more makes the others carry less than they
        might, never the sum more.
        """
        assert self._counted_to is not None
        rest_s = QUARTER_S - (self._counted_to - self.begins_at).total_seconds()
        told_a, is_last = self._told_a, rest_s < LAST_S
        shortest_s = LAST_S if told_a is None else 1.0
        power_w = max(0.0, self.rest_wh * 3600 / max(rest_s, shortest_s))
        exact_a = power_w / (3 * self._voltage_v)
        if told_a is None or exact_a < told_a - STEP_A * (not is_last):
            is_new = True
        else:
            is_new = not is_last and now - self._told_at >= STEADY_S
        if is_new:
            self._told_a, self._told_at = exact_a // STEP_A * STEP_A, now
        assert self._told_a is not None
        return self._told_a

    def kept(self) -> QuarterEnergy | None:
        """Return what has to survive a restart; None: nothing was counted yet."""
        if self._counted_to is None:
            return None
        return QuarterEnergy(self.circuit, self.begins_at, self.used_wh, self._counted_to)


def quarter_of(at: datetime) -> datetime:
    """Return the beginning of the quarter of an hour in which an instant lies.

    >>> quarter_of(datetime(2026, 6, 1, 18, 29, 59, tzinfo=UTC)).isoformat()
    '2026-06-01T18:15:00+00:00'
    """
    return at - timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
