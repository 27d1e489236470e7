"""What the changes at the meters say about the wiring, compared with the site file. Pure.

Currents are A RMS per phase, positive = import.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.commissioning.observation import SEEN_A, SEEN_PART, Change
from gateway.commissioning.trial import FOLLOWS_A
from load_balancer.inputs import EvseKey
from load_balancer.phases import PHASES, Phase, PhaseCurrents
from site_config.fields import UNKNOWN, Conductor
from site_config.model import Site

RATIO_LOW, RATIO_HIGH = 0.75, 1.33
"""A meter that shows less or more than this of the vehicle's step has another CT ratio."""


ALIKE_A, ALIKE_PART = 0.05, 0.02
"""Conductors that report the same to the last digit were not measured each by itself."""
QUIET_PART = 0.5
"""A phase that moved by more of the vehicle's step by itself hides it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One EVSE as it is wired."""

    key: EvseKey
    seen: Mapping[str, tuple[Phase, ...]]
    """Metered circuit -> phases on which it showed the vehicle; empty: on none."""
    declared_phases: tuple[Conductor, ...]
    found_phases: tuple[Phase, ...] | None
    """The circuit's phases on the EVSE's L1, L2, L3; None: what was seen does not tell."""
    declared_circuit: str
    found_circuit: str | None
    """The innermost metered circuit that showed it; None: none did."""
    is_elsewhere: bool
    """It should have been seen further in, or somewhere else."""
    step_a: float
    response_s: float | None
    backwards: tuple[str, ...]
    """Circuits whose meter counts import as export."""
    turned: Mapping[str, int]
    """Circuit -> by how many phases its meter is turned against the innermost that showed it."""
    mistakes: tuple[str, ...]
    """What does not agree with the site file, or cannot be right; empty: all is well."""
    notes: tuple[str, ...]
    """What could not be told, and how it could."""

    @property
    def is_as_declared(self) -> bool:
        return not self.mistakes

    @property
    def is_seen(self) -> bool:
        return self.found_circuit is not None


def find(site: Site, change: Change) -> Finding:
    """Compare what the meters showed with what the site file says."""
    station = site.stations[change.key.station_id]
    evse = station.evses[change.key.evse_id]
    least_a = _step_a(change)
    seen = {name: _seen(change, name, least_a) for name in change.currents}
    path = _path(site, station.circuit)
    found_circuit = _innermost(site, [name for name, phases in seen.items() if phases])
    shown = seen.get(found_circuit or "", ())
    conductors, step_a = _own(change, len(evse.phases), found_circuit, shown)
    found, notes = _rotation(shown, conductors, evse.conductors)
    backwards = tuple(name for name in seen if _is_backwards(change, name, seen[name], site))
    turned = {
        name: turn
        for name, phases in seen.items()
        if found_circuit and name != found_circuit and (turn := _turn_of(phases, shown))
    }
    hidden = [name for name in path if name in seen and _is_hidden(change, name, least_a)]
    mistakes = [
        *_wrong_circuit(seen, path, hidden),
        *_wrong_phases(found, evse.conductors),
        *_wrong_order(turned, found_circuit),
        *_wrong_meter(change, seen, step_a, backwards, site.site.voltage_v),
        *_wrong_station(change),
    ]
    inner = _innermost(site, [name for name in path if name in seen])
    return Finding(
        key=change.key,
        seen=seen,
        declared_phases=evse.conductors,
        found_phases=found,
        declared_circuit=station.circuit,
        found_circuit=found_circuit,
        is_elsewhere=found_circuit not in (None, inner) and inner not in hidden,
        step_a=step_a,
        response_s=change.response_s,
        backwards=backwards,
        turned=turned,
        mistakes=tuple(mistakes),
        notes=(*notes, *_unseen(change, seen, path, hidden)),
    )


def swapped_meters(findings: Sequence[Finding]) -> dict[str, int]:
    """Return the circuits whose meter is turned, and by how many phases: every EVSE below is off
    by the same turn, so it is not all the stations.

    >>> swapped_meters([])
    {}
    """
    turns: dict[str, list[int]] = {}
    for finding in findings:
        if finding.found_circuit is not None and finding.found_phases is not None:
            turns.setdefault(finding.found_circuit, []).append(_turn(finding))
    swapped = {
        circuit: found[0]
        for circuit, found in turns.items()
        if len(found) > 1 and len(set(found)) == 1 and found[0] != 0
    }
    for finding in findings:
        if finding.found_circuit not in swapped and not (_turn(finding) and finding.found_phases):
            swapped |= finding.turned
    return swapped


def _step_a(change: Change) -> float:
    """By how much the vehicle's current changed, per phase: as its station or its limit says."""
    reported_a = max(change.drawn) if change.drawn is not None else 0.0
    if reported_a >= SEEN_A:
        return reported_a
    # Without a word from the station: the vehicle may take less than it may.
    shown_a = max((max(map(abs, c)) for c in change.currents.values()), default=0.0)
    return min(change.limit_step_a, shown_a) if shown_a >= SEEN_A else change.limit_step_a


def _seen(change: Change, circuit: str, step_a: float) -> tuple[Phase, ...]:
    least_a = max(SEEN_A, SEEN_PART * step_a)
    changes, spread = change.currents[circuit], change.spread[circuit]
    return tuple(
        phase
        for n, phase in enumerate(PHASES)
        if abs(changes[n]) >= least_a and spread[n] <= abs(changes[n])
    )


def _own(
    change: Change, wired: int, circuit: str | None, shown: Sequence[Phase]
) -> tuple[tuple[int, ...], float]:
    """Return which of its own conductors the vehicle draws on, and by how many A more on each.

    A station that does not measure each conductor tells one current for all, or spreads a power
    over them; then the meter says on how many the vehicle draws, from the first on.
    """
    step_a, drawn = _step_a(change), change.drawn
    if drawn is None or max(drawn) < SEEN_A:
        return tuple(range(min(wired, len(shown)))), step_a
    said = tuple(n for n in range(wired) if drawn[n] >= SEEN_PART * max(drawn))
    spread_a = max(drawn[n] for n in said) - min(drawn[n] for n in said)
    is_alike = len(said) > 1 and spread_a <= ALIKE_A + ALIKE_PART * max(drawn)
    if circuit is None or not shown or len(shown) >= len(said) or not is_alike:
        return said, step_a
    rest = [n for n, phase in enumerate(PHASES) if phase not in shown]
    if any(change.spread[circuit][n] > QUIET_PART * step_a for n in rest):
        return said, step_a
    mean_a = _mean_of(change.currents[circuit], shown)
    told = (step_a, sum(drawn) / len(shown))
    return tuple(range(len(shown))), min(told, key=lambda a: abs(math.log(mean_a / a)))


def _rotation(
    seen: Sequence[Phase], conductors: Sequence[int], declared: Sequence[Conductor]
) -> tuple[tuple[Phase, ...] | None, list[str]]:
    """Return how the EVSE's conductors sit on the circuit's; mains turn right, so one is enough."""
    if not seen:
        return None, []
    if len(seen) != len(conductors):
        return None, [
            f"it drew on {len(conductors)} of its conductors and {', '.join(seen)} showed it: "
            "try again when the building is quiet"
        ]
    if len(seen) == len(PHASES):
        return None, ["all three phases alike: their order shows only with a one-phase vehicle"]
    known = tuple(phase for phase in declared if phase != UNKNOWN)
    if len(known) == len(declared) and {known[n] for n in conductors} == set(seen):
        rest = len(declared) > len(seen)
        return known, [f"seen on {', '.join(seen)}; the others as declared"] * rest
    for turn in range(3):
        if {PHASES[(turn + n) % 3] for n in conductors} == set(seen):
            found = tuple(PHASES[(turn + n) % 3] for n in range(len(declared)))
            notes = []
            if len(declared) > len(seen):
                notes = [f"seen on {', '.join(seen)}; the others follow from a right-handed field"]
            return found, notes
    return None, ["what was seen fits no right-handed field: look for crossed conductors"]


def _wrong_circuit(
    seen: Mapping[str, Sequence[Phase]], path: Sequence[str], hidden: Sequence[str]
) -> list[str]:
    mistakes = []
    for circuit, phases in seen.items():
        if phases and circuit not in path:
            mistakes.append(f"{circuit} showed it, and should not: it is not fed from there")
        elif not phases and circuit in path and circuit not in hidden:
            mistakes.append(f"{circuit} did not show it, and should: it is not fed from there")
    return mistakes


def _is_hidden(change: Change, circuit: str, step_a: float) -> bool:
    """Tell whether something else moved there so much that the vehicle could not be seen."""
    return max(change.spread[circuit]) > QUIET_PART * step_a


def _unseen(
    change: Change,
    seen: Mapping[str, Sequence[Phase]],
    path: Sequence[str],
    hidden: Sequence[str],
) -> list[str]:
    notes = [
        f"{circuit} moved by {max(change.spread[circuit]):.1f} A by itself: try again when the "
        "building is quiet"
        for circuit in hidden
        if not seen[circuit]
    ]
    if not any(seen.values()) and not set(path) & set(seen):
        notes.append("no circuit above it has a meter: nothing could be seen")
    return notes


def _wrong_order(turned: Mapping[str, int], inner: str | None) -> list[str]:
    return [
        f"the meters of {circuit} and {inner} showed it on different phases: the transformers of "
        "one of them are swapped"
        for circuit in turned
    ]


def _is_backwards(change: Change, circuit: str, phases: Sequence[Phase], site: Site) -> bool:
    power_w = change.powers_w.get(circuit)
    if power_w is None or not phases:
        return False
    total_a = _mean_of(change.currents[circuit], phases) * len(phases)
    return power_w < -0.5 * total_a * site.site.voltage_v


def _wrong_phases(found: Sequence[Phase] | None, declared: Sequence[Conductor]) -> list[str]:
    if found is None or all(map(_agrees, found, declared)):
        return []
    return [f"phases are [{', '.join(found)}], the site file says [{', '.join(declared)}]"]


def _wrong_meter(
    change: Change,
    seen: Mapping[str, Sequence[Phase]],
    step_a: float,
    backwards: Sequence[str],
    voltage_v: float,
) -> list[str]:
    mistakes = []
    for circuit, phases in seen.items():
        if not phases:
            continue
        shown, power_w = change.currents[circuit], change.powers_w.get(circuit)
        expected_w = _mean_of(shown, phases) * len(phases) * voltage_v
        fell = [phase for phase in phases if shown[PHASES.index(phase)] < 0]
        if circuit in backwards:
            mistakes.append(
                f"the meter of {circuit} counts backwards: {power_w:.0f} W more while the vehicle "
                "takes more; turn the current transformers round, or say invert: true"
            )
        elif fell and (power_w is None or power_w < 0.8 * expected_w):
            mistakes.append(
                f"{circuit} {', '.join(fell)} fell while the vehicle took more: its current "
                "transformer is mounted backwards, or that phase exports"
            )
        ratio = _mean_of(shown, phases) / step_a
        if not RATIO_LOW <= ratio <= RATIO_HIGH:
            mistakes.append(
                f"the meter of {circuit} shows {ratio:.2f} A for each A of the vehicle: "
                "look at the ratio of its current transformers"
            )
    return mistakes


def _wrong_station(change: Change) -> list[str]:
    drawn_a = change.most_drawn_a
    if drawn_a is None or drawn_a <= change.high_limit_a + FOLLOWS_A:
        return []
    return [f"drew {drawn_a:.1f} A where {change.high_limit_a:.1f} A were allowed"]


def _mean_of(currents: PhaseCurrents, phases: Sequence[Phase]) -> float:
    return sum(abs(currents[PHASES.index(phase)]) for phase in phases) / len(phases)


def _agrees(found: Phase, declared: Conductor) -> bool:
    return declared in (UNKNOWN, found)


def _turn_of(phases: Iterable[Phase], reference: Iterable[Phase]) -> int:
    """Return by how many phases one is turned against the other; 0: not, or it fits no turn."""
    at, ours = ({PHASES.index(phase) for phase in each} for each in (phases, reference))
    if len(at) != len(ours) or len(at) == len(PHASES):
        return 0
    return next((turn for turn in (1, 2) if {(n + turn) % 3 for n in ours} == at), 0)


def _turn(finding: Finding) -> int:
    if finding.found_phases is None:
        return 0
    # One is enough: mains turn right.
    pairs = zip(finding.found_phases, finding.declared_phases, strict=True)
    turns = (
        PHASES.index(found) - PHASES.index(declared)
        for found, declared in pairs
        if declared != UNKNOWN
    )
    return next(turns, 0) % 3


def _innermost(site: Site, circuits: Sequence[str]) -> str | None:
    return max(circuits, key=lambda name: len(_path(site, name)), default=None)


def _path(site: Site, circuit: str) -> list[str]:
    """Return the circuit and everything above it."""
    path = [circuit]
    while (parent := site.circuits[path[-1]].parent) is not None:
        path.append(parent)
    return path
