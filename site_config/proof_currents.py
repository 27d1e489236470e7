"""Whether the currents of a site fit its fuses before anything is switched on. Pure.

The safe current counts per EVSE, on each phase of the circuit that the EVSE uses, up the whole
tree: when the gateway is gone, all EVSEs may draw it at once and nobody is there to balance.
"""

from operator import gt

from site_config.circuit_tree import (
    PHASES,
    CurrentOf,
    Feed,
    feeds,
    feeds_below,
    min_current_a,
    ratings,
    safe_current_a,
)
from site_config.circuits import Circuit
from site_config.findings import Findings
from site_config.model import Site
from site_config.proof_limiters import prove_limiters
from site_config.stations import MINIMUM_CURRENT_A, ChargingRateUnit

NAMES_SHOWN = 5
ROUNDING_A = 1e-9
"""Sums of decimals such as 0.1 + 0.2 exceed their value by less than this."""


def prove_currents(site: Site, findings: Findings) -> None:
    for feed in feeds(site):
        _evse(feed, findings)
    _stations(site, findings)
    _ratings(site, findings)
    _sums(site, findings)
    _windows(site, findings)
    prove_limiters(site, findings)


def _evse(feed: Feed, findings: Findings) -> None:
    evse, path = feed.evse, feed.path
    if not evse.wirings:
        findings.error(
            f"{path}.phases",
            f"[{', '.join(evse.conductors)}] names a phase twice",
            "name each conductor of the EVSE with its own phase of the circuit",
        )
    if evse.is_dc and len(evse.conductors) != len(PHASES):
        findings.error(
            f"{path}.phases",
            f"a rectifier (power_type DC) draws on three phases, {len(evse.conductors)} are named",
            "name all three, or leave power_type out",
        )
    if evse.min_current_a > evse.max_current_a:
        findings.error(
            f"{path}.min_current_a",
            f"{evse.min_current_a:g} A is above max_current_a, {evse.max_current_a:g} A",
            "the smallest current cannot exceed the largest: correct one of them",
        )
    if evse.min_current_a < MINIMUM_CURRENT_A:
        findings.warning(
            f"{path}.min_current_a",
            f"{evse.min_current_a:g} A cannot be told to a vehicle; IEC 61851-1 begins at "
            f"{MINIMUM_CURRENT_A:g} A",
            f"write {MINIMUM_CURRENT_A:g} or more",
        )


def _stations(site: Site, findings: Findings) -> None:
    for name, station in site.stations.items():
        is_in_amperes = station.charging_rate_unit is ChargingRateUnit.A
        if is_in_amperes and any(evse.is_dc for evse in station.evses.values()):
            findings.error(
                f"stations.{name}.charging_rate_unit",
                "amperes of a DC EVSE would be direct current, not that of its input",
                "leave it out or write W",
            )
        path, safe_a = f"stations.{name}.safe_current_a", station.safe_current_a
        least_a = max(evse.min_current_a for evse in station.evses.values())
        most_a = min(evse.max_current_a for evse in station.evses.values())
        if 0 < safe_a < least_a:
            findings.error(
                path,
                f"{safe_a:g} A is less than the {least_a:g} A that a car takes at least",
                f"write 0 to pause when the gateway is lost, or {least_a:g} or more",
            )
        if safe_a > most_a:
            findings.error(
                path,
                f"{safe_a:g} A is above the {most_a:g} A that an EVSE of it can carry",
                f"write {most_a:g} or less",
            )


def _ratings(site: Site, findings: Findings) -> None:
    for name, circuit in site.circuits.items():
        parent = site.circuits.get(circuit.parent or "")
        if parent and any(map(gt, circuit.ratings_a, parent.ratings_a)):
            findings.warning(
                f"circuits.{name}.rating_a",
                f"{ratings(circuit)} is above the {ratings(parent)} of {circuit.parent}, "
                "which feeds it",
                "check both fuses; the smaller one decides",
            )


def _sums(site: Site, findings: Findings) -> None:
    for name, below in feeds_below(site).items():
        circuit = site.circuits[name]
        path = f"circuits.{name}.rating_a"
        if over := _phases_above(below, safe_current_a, circuit):
            findings.error(
                path,
                f"without the gateway {_summed(over, safe_current_a)}; the fuse allows "
                f"{ratings(circuit)} on each phase",
                _how_to_lower(over, circuit),
            )
        if over := _phases_above(below, min_current_a, circuit):
            findings.warning(
                path,
                f"the smallest currents together: {_summed(over, min_current_a)}; the fuse "
                f"allows {ratings(circuit)} on each phase",
                "not all EVSEs can charge at once; some will wait their turn",
            )


def _phases_above(
    below: dict[str, list[Feed]], current_of: CurrentOf, circuit: Circuit
) -> dict[str, list[Feed]]:
    return {
        phase: below[phase]
        for phase, rating_a in zip(PHASES, circuit.ratings_a, strict=True)
        if sum(map(current_of, below[phase])) > rating_a + ROUNDING_A
    }


def _summed(over: dict[str, list[Feed]], current_of: CurrentOf) -> str:
    sums = " and ".join(
        f"{phase} carries {sum(map(current_of, feeds)):g} A" for phase, feeds in over.items()
    )
    drawing = sorted(
        {feed.name: feed for feeds in over.values() for feed in feeds if current_of(feed)}.values(),
        key=current_of,
        reverse=True,
    )
    names = [f"{feed.name} {current_of(feed):g} A" for feed in drawing[:NAMES_SHOWN]]
    if len(drawing) > NAMES_SHOWN:
        names.append(f"and {len(drawing) - NAMES_SHOWN} more")
    return f"{sums} ({', '.join(names)})"


def _how_to_lower(over: dict[str, list[Feed]], circuit: Circuit) -> str:
    """Say what fits: the same for all if a car can take that, otherwise how many may stay on."""
    rating_a = min(circuit.ratings_a[PHASES.index(phase)] for phase in over)
    drawing = max(
        ([feed for feed in feeds if safe_current_a(feed)] for feeds in over.values()), key=len
    )
    share_a = int(rating_a / len(drawing))
    least_a = max(map(min_current_a, drawing))
    if share_a >= least_a:
        return f"lower safe_current_a of these stations; {share_a} A for each EVSE would fit"
    return (
        f"only {int(rating_a / least_a)} of {len(drawing)} EVSEs can keep {least_a:g} A: "
        "set safe_current_a: 0 for the others"
    )


def _windows(site: Site, findings: Findings) -> None:
    for name, circuit in site.circuits.items():
        for n, window in enumerate(circuit.limit_windows):
            if window.limit_a > max(circuit.ratings_a):
                findings.warning(
                    f"circuits.{name}.limit_windows.{n}.limit_a",
                    f"{window.limit_a:g} A is above the rating, {ratings(circuit)}",
                    "the window changes nothing; a limit can only lower",
                )
