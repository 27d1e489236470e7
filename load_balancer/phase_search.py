"""On which phases an EVSE sits, where the site file does not know: found beside the meter.

Pure. Whole deci-amps; instants are monotonic seconds. A *wiring* is the node (or the phase) of
each of the EVSE's conductors.

Rule 1: Until it is known, an EVSE counts on every phase it could be on: what is promised to it
        stays within each of them, and nothing is taken off a meter reading where it might not be.
Rule 2: When its reported current changes and the meter changes by the same on the phases that a
        wiring says, and on no others, that speaks against the wirings that say otherwise. What
        fits none of them is the building's, and speaks for nobody.
Rule 3: Only several changes that agree exclude a wiring; one that fits it, and none that is left,
        brings it back.
Rule 4: What was found holds while the station is in sight. After a longer absence, of it or of us,
        somebody may have moved its conductors: it counts as in Rule 1 again, until one change fits
        what was found (or a few small ones, if nothing contradicts them).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from math import inf, isfinite
from operator import sub
from typing import NamedTuple

from load_balancer.inputs import MeterReading
from load_balancer.phases import PHASES, Phase

Currents = tuple[int, ...]

STEP_DA = 10
"""A smaller change of an EVSE is not looked for."""
TOLERANCE_DA = 5
TOLERANCE_PART = 0.2
"""By so much of the change a meter may show something else, and still the same."""
EXCLUDED_BY = 2
"""So many changes in a row must speak against a wiring,"""
EXCLUDED_FROM_DA = 70
"""and together be so large: two small ones may be the building's noise."""
CALM_S = 3.0
"""A report is compared with the readings up to so long before and after it,"""
CALM_DA = 8
"""if they agree within this."""
KEPT_S = 30.0
"""Readings are kept for reports that come late."""
COMPARED_WITHIN_S = 90.0
"""Between two reports; in a longer time a building does much by itself."""
OUT_OF_SIGHT_S = 90.0
"""Nobody moves a conductor within it: to switch off, open, move, close and boot takes longer."""


class FoundWirings(NamedTuple):
    """What was found of an EVSE's wiring, to be kept over a restart."""

    wirings: tuple[tuple[Phase, ...], ...]
    """The phases of its conductors in every way that is still possible."""
    in_sight_at: float
    """When the station was last in sight since it was found, monotonic seconds; -inf: out of sight
    for so long that it may have changed."""


class CalmLevels:
    """What one meter showed in the last half minute."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, Currents]] = deque()

    @property
    def newest_at(self) -> float:
        """When the newest reading was taken; there is one as soon as any was read."""
        return self._readings[-1][0] if self._readings else 0.0

    def take(self, reading: MeterReading | None) -> None:
        if reading is None or not all(map(isfinite, reading.currents)):
            return
        if self._readings and reading.taken_at <= self.newest_at:
            return
        currents_da = tuple(round(current_a * 10) for current_a in reading.currents)
        self._readings.append((reading.taken_at, currents_da))
        while self._readings[0][0] < reading.taken_at - KEPT_S:
            self._readings.popleft()

    def at(self, instant: float) -> Currents | None:
        """Return what it showed around an instant; None: nothing, or not twice the same."""
        near = [da for taken_at, da in self._readings if abs(taken_at - instant) <= CALM_S]
        by_phase = list(zip(*near, strict=True))
        if len(near) < 2 or any(max(phase) - min(phase) > CALM_DA for phase in by_phase):
            return None
        return tuple(round(sum(phase) / len(phase)) for phase in by_phase)


class PhaseSearch:
    """Which wirings of one EVSE are still possible.

    Args:
        wirings: for each possible one, the node of each conductor; a node's phase is its number
            modulo 3.
    """

    def __init__(self, wirings: Sequence[tuple[int, ...]]) -> None:
        self.nodes = tuple(sorted({node for wiring in wirings for node in wiring}))
        """All that any wiring names."""
        if len(wirings) == 1:
            self.nodes = wirings[0]
        self.possible = tuple(wirings)
        self._all = tuple(wirings)
        self._found: dict[tuple[int, ...], tuple[int, ...]] = {}
        """What `of` has answered since the last change."""
        self._against: dict[tuple[int, ...], tuple[int, int]] = {}
        """For each wiring how many changes in a row speak against it, and how large together."""
        self._doubted: tuple[tuple[int, ...], ...] = ()
        """What was found before it was out of sight, if no change has spoken for or against it."""
        self._in_sight_at = -inf
        self._named: tuple[tuple[Phase, ...], ...] = ()
        """The phases of what was found."""
        self._pending: tuple[float, Currents] | None = None
        self._last: tuple[float, Currents, Currents] | None = None
        """When it reported last beside a calm meter, what, and what the meter showed."""

    @property
    def is_open(self) -> bool:
        """Whether the site file leaves anything to find out."""
        return len(self._all) > 1

    @property
    def found(self) -> FoundWirings | None:
        """What was found, though it may be in doubt; None: nothing."""
        return FoundWirings(self._named, self._in_sight_at) if self._named else None

    @property
    def _believed(self) -> tuple[tuple[int, ...], ...]:
        return self._doubted or self.possible

    def take_up(self, found: FoundWirings) -> None:
        """Begin with what was found before a restart."""
        was_found = {wiring for wiring in self._all if _phases_of(wiring) in found.wirings}
        if was_found:
            self._against = dict.fromkeys(
                set(self._all) - was_found, (EXCLUDED_BY, EXCLUDED_FROM_DA)
            )
            self._in_sight_at = found.in_sight_at
            self._conclude()
        if found.in_sight_at == -inf:
            self._doubt()

    def keep_in_sight(self, is_reachable: bool, now: float) -> bool:
        """Let time pass; return whether other wirings are possible now."""
        was_possible = self.possible
        if -inf < self._in_sight_at < now - OUT_OF_SIGHT_S:
            self._in_sight_at = -inf
            self._doubt()
        if is_reachable and not self._doubted:
            self._in_sight_at = now
        return self.possible != was_possible

    def of(self, conductors: tuple[int, ...]) -> tuple[int, ...]:
        """Return every node on which these conductors may be."""
        found = self._found.get(conductors)
        if found is None:
            found = tuple(dict.fromkeys(w[c] for w in self.possible for c in conductors))
            self._found[conductors] = found
        return found

    def at_least(self, currents_da: Sequence[int]) -> Sequence[int]:
        """Return for each of `nodes` what surely flows there.

        Args:
            currents_da: on each conductor.
        """
        return self._placed(currents_da, min) if self.is_open else currents_da

    def at_most(self, currents_da: Sequence[int]) -> Sequence[int]:
        """Return for each of `nodes` what may flow there."""
        return self._placed(currents_da, max) if self.is_open else currents_da

    def observe(self, drawn_da: Currents, at: float, levels: CalmLevels) -> bool:
        """Take in the newest report of the EVSE; return whether another wiring is possible now.

        Args:
            drawn_da: on each conductor.
            at: when it was so.
            levels: of the innermost meter that measures it.
        """
        if self._pending is None or self._pending[0] < at:
            self._pending = (at, drawn_da)
        # What the meter showed just after the report is awaited: it may come late.
        at, drawn_da = self._pending
        if levels.newest_at < at + CALM_S or (self._last and self._last[0] >= at):
            return False
        level_da, last = levels.at(at), self._last
        self._pending = None
        if level_da is None:
            return False
        self._last = (at, drawn_da, level_da)
        if last is None or at - last[0] > COMPARED_WITHIN_S:
            return False
        return self._judge(_minus(drawn_da, last[1]), _minus(level_da, last[2]))

    def _judge(self, change_da: Currents, seen_da: Currents) -> bool:
        step_da = max(map(abs, change_da[: len(self._all[0])]))
        if step_da < STEP_DA:
            return False
        tolerance_da = max(TOLERANCE_DA, TOLERANCE_PART * step_da)
        misfits = {wiring: _misfit(wiring, change_da, seen_da) for wiring in self._all}
        if min(misfits.values()) > tolerance_da:
            return False
        differs_from_da = max(2 * tolerance_da, STEP_DA)
        fitting = {wiring for wiring, misfit_da in misfits.items() if misfit_da < differs_from_da}
        believed = self._believed
        is_contradicted = fitting.isdisjoint(believed)
        if is_contradicted and self._doubted:
            self._doubted, self._against = (), {}
        for wiring in self._all:
            if wiring not in fitting:
                count, sum_da = self._against.get(wiring, (0, 0))
                self._against[wiring] = (count + 1, sum_da + step_da)
            elif is_contradicted or wiring in believed:
                self._against.pop(wiring, None)
        before = self.possible
        self._conclude()
        return self.possible != before

    def _doubt(self) -> None:
        """Let everything be possible, but as if one change had spoken for what was found."""
        believed = self._believed
        if believed == self._all:
            return
        self._doubted = believed
        self._against = dict.fromkeys(
            set(self._all) - set(believed), (EXCLUDED_BY - 1, EXCLUDED_FROM_DA // 2)
        )
        self._conclude()

    def _conclude(self) -> None:
        self.possible = tuple(wiring for wiring in self._all if not self._is_excluded(wiring))
        if set(self.possible) <= set(self._doubted):
            self._doubted = ()
        self._found.clear()
        believed = self._believed
        self._named = () if believed == self._all else tuple(map(_phases_of, believed))

    def _is_excluded(self, wiring: tuple[int, ...]) -> bool:
        count, sum_da = self._against.get(wiring, (0, 0))
        return count >= EXCLUDED_BY and sum_da >= EXCLUDED_FROM_DA

    def _placed(
        self, currents_da: Sequence[int], extreme: Callable[[Iterable[int]], int]
    ) -> Sequence[int]:
        on_nodes = [dict(zip(w, currents_da, strict=False)) for w in self.possible]
        return tuple(extreme(placed.get(node, 0) for placed in on_nodes) for node in self.nodes)


def _phases_of(wiring: Sequence[int]) -> tuple[Phase, ...]:
    return tuple(PHASES[node % 3] for node in wiring)


def _misfit(wiring: Sequence[int], change_da: Currents, seen_da: Currents) -> int:
    """Return by how much a meter showed something else than a wiring says, on the worst phase."""
    expected_da = [0, 0, 0]
    for node, current_da in zip(wiring, change_da, strict=False):
        expected_da[node % 3] += current_da
    return max(abs(seen - expected) for seen, expected in zip(seen_da, expected_da, strict=True))


def _minus(later: Currents, earlier: Currents) -> Currents:
    return tuple(map(sub, later, earlier))
