"""What the meters showed while one EVSE was given less, more, less, more and less again. Pure.

Currents are A RMS per phase, positive = import; power W; instants are monotonic seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import fmean

from load_balancer.inputs import EvseKey, MeterReading
from load_balancer.phases import PhaseCurrents

SEEN_A = 1.5
"""A smaller change is nobody's."""
SEEN_PART = 0.4
"""Nor is one that is a smaller part of what the vehicle did."""
READINGS = 5
"""Averaged for each level."""
MANY_READINGS = 30
"""When one meter has so many, the others are not waited for."""
CALM_READINGS = 4
"""So many in a row must agree before a level counts as reached."""
CALM_S = 4.0
"""And for so long: a limit that rises in steps stands still in between."""
CALM_A = 0.8
CALM_PART = 0.05
"""Agree: within this many A, or this part of the current."""


@dataclass(frozen=True, slots=True)
class EvseSight:
    is_charging: bool
    """A transaction is running."""
    limit_a: float | None
    """What it has been told; None: nothing yet."""
    drawn: PhaseCurrents | None
    """As its station reports, on its own conductors; None: it does not."""
    drawn_at: float | None = None
    """Of that report, monotonic."""
    believed_a: float | None = None
    """The most that its station may still allow it; None: not known."""
    minimum_a: float | None = None
    """Less than this its station cannot allow it now; None: its own minimum will do."""
    why: str = ""
    """A sentence on what limits it."""

    def drawn_since(self, begun_at: float) -> PhaseCurrents | None:
        """Return what it drew after an instant; None: its station has not said so yet."""
        if self.drawn_at is None or self.drawn_at < begun_at:
            return None
        return self.drawn


@dataclass(frozen=True, slots=True)
class Sight:
    """The site at one instant."""

    readings: Mapping[str, MeterReading]
    """The newest of each metered circuit; one that cannot be believed is left out."""
    evses: Mapping[EvseKey, EvseSight]


@dataclass(frozen=True, slots=True)
class Level:
    """The site while the EVSE's limit stood still."""

    limit_a: float
    currents: Mapping[str, PhaseCurrents]
    """Circuit -> mean of its readings."""
    powers_w: Mapping[str, float]
    """Only of meters that measure power."""
    drawn: PhaseCurrents | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one step of the EVSE's current did to the meters, averaged over all steps."""

    key: EvseKey
    limit_step_a: float
    drawn: PhaseCurrents | None
    """More than before on each of its own conductors; None: its station does not say."""
    most_drawn_a: float | None
    high_limit_a: float
    currents: Mapping[str, PhaseCurrents]
    """Circuit -> how much more it showed."""
    spread: Mapping[str, PhaseCurrents]
    """Circuit -> by how much the single steps differed: what the building did meanwhile."""
    powers_w: Mapping[str, float]
    response_s: float | None
    """From the lower limit to the first reading that shows it; None: no meter showed it."""

    @property
    def is_seen(self) -> bool:
        """A meter showed something, every time."""
        return any(
            abs(changes[n]) >= SEEN_A and self.spread[name][n] <= abs(changes[n])
            for name, changes in self.currents.items()
            for n in range(3)
        )


@dataclass(slots=True)
class Gathering:
    """The readings of one level: keeps `READINGS` of them that follow one another calmly."""

    limit_a: float
    settled_at: float = inf
    """Since when it is calm; what its station reported before is of another level."""
    recent: dict[str, list[MeterReading]] = field(default_factory=dict)
    kept: dict[str, list[MeterReading]] = field(default_factory=dict)
    drawn: list[PhaseCurrents] = field(default_factory=list)

    @property
    def is_calm(self) -> bool:
        return self.settled_at < inf

    def take(self, sight: Sight, key: EvseKey, *, is_patience_over: bool) -> None:
        """Take what is seen; a reading that was there before counts once."""
        for circuit, reading in sight.readings.items():
            seen = self.recent.setdefault(circuit, [])
            if seen and seen[-1].taken_at == reading.taken_at:
                continue
            seen.append(reading)
            while len(seen) > CALM_READINGS and reading.taken_at - seen[1].taken_at >= CALM_S:
                del seen[0]
            if self.is_calm:
                self.kept.setdefault(circuit, []).append(reading)
        is_calm = is_patience_over or self._has_calmed_down()
        if is_calm and not self.is_calm:
            self.settled_at = max(seen[0].taken_at for seen in self.recent.values())
        elif not is_calm and self.is_calm:
            # A vehicle that follows in steps is still on its way.
            self.settled_at, self.kept, self.drawn = inf, {}, []
        drawn = sight.evses[key].drawn_since(self.settled_at)
        if drawn is not None:
            self.drawn.append(drawn)

    @property
    def has_report(self) -> bool:
        """Its station has said what it draws on this level."""
        return bool(self.drawn)

    @property
    def is_complete(self) -> bool:
        counts = [len(kept) for kept in self.kept.values()]
        # A meter that has gone silent is not waited for.
        return bool(counts) and (min(counts) >= READINGS or max(counts) >= MANY_READINGS)

    def level(self) -> Level:
        return Level(
            self.limit_a,
            {name: _mean([r.currents for r in kept]) for name, kept in self.kept.items()},
            {
                name: fmean(powers_w)
                for name, kept in self.kept.items()
                if (powers_w := [r.power_w for r in kept if r.power_w is not None])
            },
            # The last ones: a station reports later than a meter is read.
            _mean(self.drawn[-1:]) if self.drawn else None,
        )

    def _has_calmed_down(self) -> bool:
        return bool(self.recent) and all(_is_calm(seen) for seen in self.recent.values())


def change_of(
    key: EvseKey, levels: list[Level], response_s: float | None, most_drawn_a: float | None
) -> Change:
    """Compare levels low, high, low, high, …, low: each high one with its two neighbours."""
    highs, lows = levels[1::2], levels[0::2]
    steps = list(zip(highs, lows[:-1], lows[1:], strict=True))
    circuits = set.intersection(*(set(level.currents) for level in levels))
    metered = set.intersection(*(set(level.powers_w) for level in levels))
    single = {
        name: [
            _minus(high.currents[name], _mean([before.currents[name], after.currents[name]]))
            for high, before, after in steps
        ]
        for name in circuits
    }
    drawn = [
        _minus(high.drawn, _mean([before.drawn, after.drawn]))
        for high, before, after in steps
        if high.drawn is not None and before.drawn is not None and after.drawn is not None
    ]
    return Change(
        key=key,
        limit_step_a=fmean(high.limit_a for high in highs) - fmean(low.limit_a for low in lows),
        drawn=_mean(drawn) if drawn else None,
        most_drawn_a=most_drawn_a,
        high_limit_a=max(high.limit_a for high in highs),
        currents={name: _mean(changes) for name, changes in single.items()},
        spread={name: _spread(changes) for name, changes in single.items()},
        powers_w={
            name: fmean(
                high.powers_w[name] - (before.powers_w[name] + after.powers_w[name]) / 2
                for high, before, after in steps
            )
            for name in metered
        },
        response_s=response_s,
    )


def _is_calm(readings: list[MeterReading]) -> bool:
    if len(readings) < CALM_READINGS or readings[-1].taken_at - readings[0].taken_at < CALM_S:
        return False
    for phase in zip(*(reading.currents for reading in readings), strict=True):
        if max(phase) - min(phase) > max(CALM_A, CALM_PART * max(map(abs, phase))):
            return False
    return True


def _mean(currents: list[PhaseCurrents]) -> PhaseCurrents:
    return PhaseCurrents(*(fmean(phase) for phase in zip(*currents, strict=True)))


def _minus(more: PhaseCurrents, less: PhaseCurrents) -> PhaseCurrents:
    return PhaseCurrents(*(a - b for a, b in zip(more, less, strict=True)))


def _spread(currents: list[PhaseCurrents]) -> PhaseCurrents:
    return PhaseCurrents(*(max(phase) - min(phase) for phase in zip(*currents, strict=True)))
