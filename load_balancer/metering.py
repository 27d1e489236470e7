"""What a circuit's meter says about the current that is not ours, and whether to believe it.

Pure. Whole deci-amps per phase, positive whatever the direction; instants monotonic seconds.

What others draw is the reading less what our EVSEs draw, but the meter speaks every second and
a station every ten, so one reading proves little: a step may be a kettle or one of our vehicles
that has not reported yet. Hence two estimates, which change only by what a whole report interval
has shown, so that a vehicle that starts is not counted twice and nothing swings:

    others_da           believed now; limits are cut to it. Rises at once where our EVSEs cannot
                        explain the reading, or where the reading is above what is allowed.
    others_at_most_da   the highest seen during that interval; limits rise only beside it
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite

from load_balancer.decision import MeterBack, MeterLost
from load_balancer.evse_memory import ROUNDING, SETTLE_S
from load_balancer.inputs import MeterReading
from load_balancer.phases import PhaseCurrents
from site_config.meters import Meter

GOOD_READINGS = 3
"""So many in a row until a meter that was lost, or never seen, is trusted."""

LATE_AFTER = 1.5
"""A reading is late after so many times what lay between the last two: many meters on one line, or
a long `poll_s`, make that more than half of `max_age_s`."""

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Draws:
    """What our EVSEs below a meter draw, per phase; the words are those of `evse_memory`."""

    low_da: Sequence[int]
    drawn_da: Sequence[int]
    most_da: Sequence[int]
    """The highest they may be drawing."""
    is_complete: bool = True
    """Everybody who was charging when we began has told what he draws. Until then only what our
    own vehicles cannot explain is taken for others', and nobody may rise on it."""


class MeteredCircuit:
    """The estimates for one circuit; `observe` once a step.

    Args:
        report_interval_s: how often stations are asked to report what they draw.
    """

    def __init__(self, circuit: str, meter: Meter, report_interval_s: float) -> None:
        self._circuit = circuit
        self.on_loss = meter.on_loss
        self.others_da: Triple = (0, 0, 0)
        self.others_at_most_da: Triple = (0, 0, 0)
        self.measured: PhaseCurrents | None = None
        """The newest reading; None: stale, or never read."""
        self.is_trusted = False
        """Fresh, and not just come back."""
        self._max_age_s = meter.max_age_s
        self._heard_at, self._apart_s = -inf, 0.0
        """When a reading was last heard, and how long after the one before."""
        self._window_s = SETTLE_S + report_interval_s + meter.poll_s
        self._seen: deque[tuple[float, Triple]] = deque()
        """What others seemed to draw, with the reading's instant; oldest first."""
        self._drawn: deque[tuple[float, Draws]] = deque()
        """What our EVSEs were taken to draw, with the step's instant; oldest first."""
        self._newest_at = -inf
        self._was_within = [False, False, False]
        """Whether the reading before showed no overload, for each phase."""
        self._good = 0
        self._silent_since: float | None = None
        """The last good reading, or the first step without one; None: trusted."""
        self._is_announced = False

    def observe(
        self, reading: MeterReading | None, draws: Draws, allowed_da: Sequence[int], now: float
    ) -> MeterLost | MeterBack | None:
        """Take in the newest reading; returns what is worth telling about the meter.

        Args:
            draws: as they are known now; a reading that comes late is compared with those
                that were known when it was taken.
            allowed_da: the limit of each phase.
        """
        self._drawn.append((now, draws))
        if reading is None or not all(map(isfinite, reading.currents)):
            return self._be_silent(None, now)
        if now - reading.taken_at > self._max_age_s:
            return self._be_silent(reading.taken_at, now)
        while len(self._drawn) > 1 and self._drawn[1][0] <= reading.taken_at:
            self._drawn.popleft()
        draws = self._drawn[0][1]
        self.measured = PhaseCurrents(*map(abs, reading.currents))
        measured_da = _triple(ceil(current * 10 - ROUNDING) for current in self.measured)
        event = None
        if reading.taken_at > self._newest_at:
            self._apart_s = now - self._heard_at
            self._newest_at, self._heard_at = reading.taken_at, now
            event = self._trust_more(now)
            self._estimate(measured_da, draws)
        self._react_to_overload(measured_da, draws, allowed_da)
        return event

    def is_overdue(self, now: float) -> bool:
        """Return whether nothing new was heard for half the age at which a reading is stale, and
        for longer than usual: too long to let anybody rise, not long enough to let everybody
        fall."""
        usual_s = max(self._max_age_s / 2, LATE_AFTER * self._apart_s)
        return now - self._heard_at > usual_s

    def _be_silent(self, read_at: float | None, now: float) -> MeterLost | None:
        if self._silent_since is None:
            self._silent_since = now if read_at is None else read_at
        was_trusted, self.is_trusted = self.is_trusted, False
        self.measured = None
        self._good = 0
        self._seen.clear()
        while self._drawn[0][0] < now - self._max_age_s:
            self._drawn.popleft()
        if self._is_announced or not (was_trusted or now - self._silent_since > self._max_age_s):
            return None
        self._is_announced = True
        silent_s = now - self._newest_at if isfinite(self._newest_at) else None
        return MeterLost(self._circuit, silent_s, self.on_loss)

    def _trust_more(self, now: float) -> MeterBack | None:
        self._good += 1
        if self.is_trusted or self._good < GOOD_READINGS:
            return None
        since, self._silent_since, self.is_trusted = self._silent_since, None, True
        if not self._is_announced or since is None:
            return None
        self._is_announced = False
        return MeterBack(self._circuit, now - since)

    def _estimate(self, measured_da: Triple, draws: Draws) -> None:
        unexplained_da = _triple(map(_excess, measured_da, draws.most_da))
        if not draws.is_complete:
            self.others_da = self.others_at_most_da = unexplained_da
            return
        seemed_da = _triple(map(_excess, measured_da, draws.low_da))
        if not self._seen:
            # Nothing to compare with: for one window no less than before the silence.
            self._seen.append(
                (self._newest_at, _triple(map(max, seemed_da, self.others_at_most_da)))
            )
        self._seen.append((self._newest_at, seemed_da))
        while self._seen[0][0] < self._newest_at - self._window_s:
            self._seen.popleft()
        by_phase = list(zip(*(seen for _, seen in self._seen), strict=True))
        least_da, most_da = _triple(map(min, by_phase)), _triple(map(max, by_phase))
        within_da = map(min, map(max, self.others_da, least_da), most_da)
        self.others_da = _triple(map(max, within_da, unexplained_da))
        self.others_at_most_da = _triple(map(max, most_da, self.others_da))

    def _react_to_overload(
        self, measured_da: Triple, draws: Draws, allowed_da: Sequence[int]
    ) -> None:
        # A cut on its way excuses an overload, until a reading has shown that it worked: from
        # then on an overload is a new one, and what was told is what is drawn.
        ours_da = [
            low if is_within else drawn
            for low, drawn, is_within in zip(
                draws.low_da, draws.drawn_da, self._was_within, strict=True
            )
        ]
        self._was_within = [m <= a for m, a in zip(measured_da, allowed_da, strict=True)]
        likely_da = map(_excess, measured_da, ours_da)
        self.others_da = _triple(
            max(others, likely) if measured > allowed else others
            for others, likely, measured, allowed in zip(
                self.others_da, likely_da, measured_da, allowed_da, strict=True
            )
        )
        self.others_at_most_da = _triple(map(max, self.others_at_most_da, self.others_da))


def _excess(measured_da: int, ours_da: int) -> int:
    return max(0, measured_da - ours_da)


def _triple(currents: Iterable[int]) -> Triple:
    l1, l2, l3 = currents
    return l1, l2, l3
