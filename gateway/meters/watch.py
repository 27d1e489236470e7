"""What a meter's readings say together that none of them says alone. Pure; `now` is monotonic.

A real meter's last digits move, so one that repeats itself is frozen; its counters and its power
tell the same story; a phase that was there does not vanish while cars draw on it. At night, when
nothing flows, it may repeat itself for hours.
"""

from dataclasses import dataclass, field

from gateway.meters.decode import DecodedValues
from gateway.meters.doubts import Doubt, DoubtKind
from gateway.meters.model import CURRENTS, VOLTAGES, Quantity
from gateway.meters.plausibility import PHASES, Bounds, implausible
from load_balancer.phases import PhaseCurrents

FROZEN_READINGS = 10
"""Fewer identical readings prove nothing, however long they took."""
CACHED_RUNS = 5
"""So many times in a row the values stood still for longer than they may be old."""
COUNTER_TOLERANCE_WH, COUNTER_TOLERANCE = 10.0, 1e-6
"""A float counter's last digit may fall back by this much, or this share."""
COUNTER_DOUBT_S = 60.0
"""So long nobody believes a meter whose counter has fallen: something else may be answering."""
STANDING_WH = 5_000.0
"""Flowed by the power while the counter stands: far more than the coarsest counter's step."""
DIRECTION_WH = 1_000.0
"""Flowed one way by the power, and none of it counted that way."""
LONGEST_STEP_S = 10.0
"""Between two readings further apart nobody knows what flowed."""
LIVE_VOLTAGE, LOST_VOLTAGE = 0.8, 0.5
"""Shares of the nominal voltage: a phase is there, and is gone."""
OURS_A, OURS_S = 3.0, 30.0
"""A phase shows exactly nothing while our own EVSEs draw so much there, for so long."""


@dataclass(slots=True)
class RepeatWatch:
    """Notices a meter that repeats itself, and one that is renewed too seldom.

    Only what is measured counts, not the energies; a reading of nothing but zeros may repeat.
    """

    frozen_s: float
    max_age_s: float
    _last: tuple[object, ...] = ()
    _since: float = 0.0
    _seen_at: float = 0.0
    _readings: int = 0
    _long_runs: int = 0

    def doubt(self, values: DecodedValues, now: float) -> Doubt | None:
        measured = (values.currents, values.voltages, values.powers, values.frequency_hz)
        flows = any(values.currents) or any(values.powers)
        if measured != self._last or not flows:
            stood_s = self._seen_at - self._since
            is_long = flows and stood_s >= self.max_age_s
            self._long_runs = self._long_runs + 1 if is_long else 0
            self._last, self._since, self._readings = measured, now, 0
        self._seen_at = now
        self._readings += 1
        repeated_s = now - self._since
        if self._readings >= FROZEN_READINGS and repeated_s >= self.frozen_s:
            words = f"{self._readings} identical readings in {repeated_s:.0f} s while current flows"
            return Doubt(DoubtKind.FROZEN, CURRENTS[0], words)
        if self._long_runs >= CACHED_RUNS:
            words = f"its values stand for {self.max_age_s:g} s and more: copies, or too slow"
            return Doubt(DoubtKind.CACHED, CURRENTS[0], words)
        return None


@dataclass(slots=True)
class CounterWatch:
    """Notices counters that fall, that stand while power flows, and that move the wrong way."""

    _last: dict[Quantity, float] = field(default_factory=dict)
    _fell: Doubt | None = None
    _fell_at: float = 0.0
    _power_w: float = 0.0
    _read_at: float | None = None
    _flowed_wh: float = 0.0
    """In the direction the power has now, since it turned or the counter moved."""
    _wrong_wh: float = 0.0
    """What the counter of the other direction counted meanwhile."""

    def doubts(self, values: DecodedValues, now: float) -> list[Doubt]:
        counters = {
            quantity: energy_wh
            for quantity, energy_wh in (
                (Quantity.ENERGY_IMPORT, values.energy_import_wh),
                (Quantity.ENERGY_EXPORT, values.energy_export_wh),
            )
            if energy_wh is not None
        }
        moved = {q: wh - self._last[q] for q, wh in counters.items() if q in self._last}
        self._note_falls(counters, moved, now)
        self._follow(values.power_w, moved, now)
        self._last.update(counters)
        found = [self._fell] if self._fell and now - self._fell_at < COUNTER_DOUBT_S else []
        return [*found, *self._standing(counters)]

    def _note_falls(
        self, counters: dict[Quantity, float], moved: dict[Quantity, float], now: float
    ) -> None:
        for quantity, step_wh in moved.items():
            last_wh = self._last[quantity]
            if -step_wh > max(COUNTER_TOLERANCE_WH, COUNTER_TOLERANCE * last_wh):
                name = quantity.value.replace("_", " ")
                words = f"{name} fell from {last_wh:.0f} Wh to {counters[quantity]:.0f} Wh"
                self._fell, self._fell_at = Doubt(DoubtKind.COUNTER_FELL, quantity, words), now

    def _follow(self, power_w: float | None, moved: dict[Quantity, float], now: float) -> None:
        read_at, self._read_at = self._read_at, now
        if power_w is None or power_w * self._power_w < 0 or moved.get(_counter(power_w), 0.0) > 0:
            self._flowed_wh = self._wrong_wh = 0.0
        elif read_at is not None and now - read_at <= LONGEST_STEP_S:
            self._flowed_wh += abs(power_w) * (now - read_at) / 3600
            self._wrong_wh += max(0.0, moved.get(_counter(-power_w), 0.0))
        self._power_w = power_w or 0.0

    def _standing(self, counters: dict[Quantity, float]) -> list[Doubt]:
        right, wrong = _counter(self._power_w), _counter(-self._power_w)
        if self._flowed_wh >= DIRECTION_WH and self._wrong_wh >= DIRECTION_WH / 2:
            words = (
                f"power {self._power_w:.0f} W, but {self._wrong_wh:.0f} Wh of "
                f"{wrong.value.replace('_', ' ')} counted: current transformers turned round?"
            )
            return [Doubt(DoubtKind.DIRECTION, Quantity.POWER, words)]
        if right in counters and self._flowed_wh >= STANDING_WH:
            words = f"{right.value.replace('_', ' ')} stands while {self._flowed_wh:.0f} Wh flowed"
            return [Doubt(DoubtKind.COUNTER_STANDS, right, words)]
        return []


@dataclass(slots=True)
class PhaseWatch:
    """Notices a phase that was there and is gone, or that shows nothing while our EVSEs draw."""

    voltage_v: float
    """Nominal, phase to neutral."""
    _was_live: set[int] = field(default_factory=set)
    """And those that have to be: EVSEs below are wired to them."""
    _contradicted_since: dict[int, float] = field(default_factory=dict)

    def doubt(self, values: DecodedValues, ours: PhaseCurrents | None, now: float) -> Doubt | None:
        shares = [None if v is None else v / self.voltage_v for v in values.voltages]
        live = {phase for phase, share in enumerate(shares) if (share or 0.0) >= LIVE_VOLTAGE}
        self._was_live |= live
        for phase in sorted(self._was_live - live):
            share = shares[phase]
            if live and share is not None and share < LOST_VOLTAGE:
                words = f"{share * self.voltage_v:.0f} V, the others are there"
                return _missing(VOLTAGES[phase], f"voltage of {PHASES[phase]} is gone: {words}")
        for phase, current_a in enumerate(values.currents):
            ours_a = 0.0 if ours is None else ours[phase]
            if current_a != 0 or ours_a < OURS_A:
                self._contradicted_since.pop(phase, None)
            elif now - self._contradicted_since.setdefault(phase, now) >= OURS_S:
                words = f"0 A on {PHASES[phase]} while our EVSEs draw {ours_a:.1f} A there"
                return _missing(CURRENTS[phase], words)
        return None


class MeterWatch:
    """Judges every reading of one meter: alone, and against those before it.

    Args:
        frozen_s: as long as this it may repeat itself while current flows.
        max_age_s: older than this its values may not be.
        needed: phases, 0 to 2, to which EVSEs below it are wired: without voltage from the first
            reading on, they are missing as well.
    """

    def __init__(
        self,
        bounds: Bounds,
        *,
        frozen_s: float,
        max_age_s: float,
        needed: frozenset[int] = frozenset(),
    ) -> None:
        self.bounds = bounds
        self._repeats = RepeatWatch(frozen_s, max_age_s)
        self._counters = CounterWatch()
        self._phases = PhaseWatch(bounds.voltage_v, set(needed))

    def doubts(
        self, values: DecodedValues, now: float, ours: PhaseCurrents | None = None
    ) -> list[Doubt]:
        """Return all that is doubtful about the newest reading, what refuses it first.

        Args:
            ours: what our own EVSEs below this meter draw; None: not known.
        """
        if alone := implausible(values, self.bounds):
            return [alone]
        found = [
            self._phases.doubt(values, ours, now),
            self._repeats.doubt(values, now),
            *self._counters.doubts(values, now),
        ]
        doubts = [doubt for doubt in found if doubt is not None]
        return sorted(doubts, key=lambda doubt: not doubt.is_refused)


def _counter(power_w: float) -> Quantity:
    return Quantity.ENERGY_EXPORT if power_w < 0 else Quantity.ENERGY_IMPORT


def _missing(quantity: Quantity, words: str) -> Doubt:
    return Doubt(DoubtKind.MISSING_PHASE, quantity, words)
