"""What the changes at the meters say about the wiring, compared with the site file. Pure.

Currents are A RMS per phase, positive = import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.commissioning.observation import Change
from gateway.commissioning.procedure import FOLLOWS_A
from load_balancer.inputs import EvseKey
from load_balancer.phases import PHASES, Phase, PhaseCurrents
from site_config.fields import UNKNOWN, Conductor
from site_config.model import Site

SEEN_A = 1.5
"""A smaller change is nobody's."""
SEEN_PART = 0.4
"""Nor is one that is a smaller part of what the vehicle did."""
RATIO_LOW, RATIO_HIGH = 0.75, 1.33
"""A meter that shows less or more than this of the vehicle's step has another CT ratio."""


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
    mistakes: tuple[str, ...]
    """What does not agree with the site file, or cannot be right; empty: all is well."""
    notes: tuple[str, ...]
    """What could not be told, and how it could."""

    @property
    def is_as_declared(self) -> bool:
        return not self.mistakes


def find(site: Site, change: Change) -> Finding:
    """Compare what the meters showed with what the site file says."""
    station = site.stations[change.key.station_id]
    evse = station.evses[change.key.evse_id]
    step_a = _step_a(change)
    seen = {name: _seen(change, name, step_a) for name in change.currents}
    declared_path = _path(site, station.circuit)
    found_circuit = _innermost(site, [name for name, phases in seen.items() if phases])
    conductors = _conductors(change, len(evse.phases), seen.get(found_circuit or "", ()))
    found, notes = _rotation(seen.get(found_circuit or "", ()), conductors, evse.phases)
    mistakes = [
        *_wrong_circuit(seen, declared_path),
        *_wrong_phases(found, evse.conductors),
        *_wrong_meter(change, seen, step_a, site.site.voltage_v),
        *_wrong_station(change),
    ]
    return Finding(
        key=change.key,
        seen=seen,
        declared_phases=evse.conductors,
        found_phases=found,
        declared_circuit=station.circuit,
        found_circuit=found_circuit,
        is_elsewhere=found_circuit
        not in (
            None,
            _innermost(site, [name for name in declared_path if name in seen]),
        ),
        step_a=step_a,
        response_s=change.response_s,
        mistakes=tuple(mistakes),
        notes=tuple(notes),
    )


def swapped_meters(findings: Sequence[Finding]) -> list[str]:
    """Say where every EVSE is off by the same turn: then it is the meter that is swapped.

    >>> swapped_meters([])
    []
    """
    turns: dict[str, set[int | None]] = {}
    for finding in findings:
        if finding.found_circuit is not None and finding.found_phases is not None:
            turns.setdefault(finding.found_circuit, set()).add(_turn(finding))
    return [
        f"every EVSE of {circuit} is off by the same turn: rather the meter's current "
        "transformers are swapped than all the stations"
        for circuit, found in turns.items()
        if len(found) == 1
        and found != {0}
        and sum(f.found_circuit == circuit for f in findings) > 1
    ]


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


def _conductors(change: Change, wired: int, seen: Sequence[Phase]) -> tuple[int, ...]:
    """Return which of its own conductors the vehicle draws on: the first ones, if unsaid."""
    if change.drawn is not None and max(change.drawn) >= SEEN_A:
        least_a = SEEN_PART * max(change.drawn)
        return tuple(n for n in range(wired) if change.drawn[n] >= least_a)
    return tuple(range(min(wired, len(seen))))


def _rotation(
    seen: Sequence[Phase], conductors: Sequence[int], declared: Sequence[Phase]
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
    for turn in range(3):
        if {PHASES[(turn + n) % 3] for n in conductors} == set(seen):
            found = tuple(PHASES[(turn + n) % 3] for n in range(len(declared)))
            notes = []
            if len(declared) > len(seen):
                notes = [f"seen on {', '.join(seen)}; the others follow from a right-handed field"]
            return found, notes
    return None, ["what was seen fits no right-handed field: look for crossed conductors"]


def _wrong_circuit(seen: Mapping[str, Sequence[Phase]], path: Sequence[str]) -> list[str]:
    mistakes = []
    for circuit, phases in seen.items():
        if phases and circuit not in path:
            mistakes.append(f"{circuit} showed it, and should not: it is not fed from there")
        elif not phases and circuit in path:
            mistakes.append(f"{circuit} did not show it, and should: it is not fed from there")
    return mistakes


def _wrong_phases(found: Sequence[Phase] | None, declared: Sequence[Conductor]) -> list[str]:
    if found is None or all(map(_agrees, found, declared)):
        return []
    return [f"phases are [{', '.join(found)}], the site file says [{', '.join(declared)}]"]


def _wrong_meter(
    change: Change, seen: Mapping[str, Sequence[Phase]], step_a: float, voltage_v: float
) -> list[str]:
    mistakes = []
    for circuit, phases in seen.items():
        if not phases:
            continue
        shown = change.currents[circuit]
        backwards = [phase for phase in phases if shown[PHASES.index(phase)] < 0]
        expected_w = sum(abs(shown[PHASES.index(phase)]) for phase in phases) * voltage_v
        power_w = change.powers_w.get(circuit)
        if power_w is not None and power_w < -0.5 * expected_w:
            mistakes.append(
                f"the meter of {circuit} counts backwards: {power_w:.0f} W more while the vehicle "
                "takes more; turn the current transformers round"
            )
        elif backwards and (power_w is None or power_w < 0.8 * expected_w):
            mistakes.append(
                f"{circuit} {', '.join(backwards)} fell while the vehicle took more: its current "
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


def _turn(finding: Finding) -> int:
    if finding.found_phases is None:
        return 0
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
