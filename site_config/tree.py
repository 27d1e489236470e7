"""The site as the gateway understood it, drawn as a tree for the person who wrote the file.

Pure. Shows what the proof compares: beside every rating, per phase, the sum of the safe
currents (drawn when the gateway is lost) and of the largest currents. Shows no secret.
"""

from collections.abc import Sequence
from operator import gt

from rich.text import Text
from rich.tree import Tree

from site_config.circuit_tree import (
    PHASES,
    CurrentOf,
    Feed,
    children,
    dimmed_feeds,
    feeds_below,
    max_current_a,
    ratings,
    roots,
    safe_current_a,
)
from site_config.circuits import Circuit
from site_config.fields import UNKNOWN
from site_config.grid_operator import GridOperator, Minimum
from site_config.meters import Meter
from site_config.model import Site
from site_config.stations import Evse, Station

Below = dict[str, dict[str, list[Feed]]]


def describe(site: Site) -> Tree:
    """Return circuits, meters, stations and EVSEs as a tree; stations nobody feeds come last."""
    tree = Tree(_headline(site))
    below = feeds_below(site)
    drawn: set[str] = set()
    for root in roots(site):
        _add_circuit(tree, site, root, below, drawn)
    for name, station in site.stations.items():
        if station.circuit not in drawn:
            _add_station(tree, name, station)
    if site.grid_operator is not None:
        tree.add(Text(_dimming_line(site.grid_operator, len(dimmed_feeds(site)))))
    return tree


def _dimming_line(operator: GridOperator, points: int) -> str:
    each = "" if operator.minimum is Minimum.TOGETHER else f"{operator.floor_w:g} W each, "
    return (
        f"the grid operator may dim {points} charge point{'' if points == 1 else 's'} to "
        f"{each}{operator.minimum_w(points):g} W together"
    )


def _headline(site: Site) -> Text:
    info = site.site
    return Text.assemble(
        (info.name, "bold"),
        f" ({info.id}), {info.timezone}, {info.voltage_v:g} V, seen by the cloud as ",
        (site.cloud.identity, "bold"),
    )


def _add_circuit(parent: Tree, site: Site, name: str, below: Below, drawn: set[str]) -> None:
    if name in drawn:
        return
    drawn.add(name)
    circuit = site.circuits[name]
    branch = parent.add(_circuit_line(name, circuit, below[name]))
    if circuit.meter in site.meters:
        branch.add(_meter_line(circuit.meter, site.meters[circuit.meter]))
    for window in circuit.limit_windows:
        branch.add(
            f"{window.limit_a:g} A {' '.join(window.days)} {window.start:%H:%M}–{window.end:%H:%M}"
            f" ({window.reason})"
        )
    for station_id, station in site.stations.items():
        if station.circuit == name:
            _add_station(branch, station_id, station)
    for child in children(site, name):
        _add_circuit(branch, site, child, below, drawn)


def _circuit_line(name: str, circuit: Circuit, below: dict[str, list[Feed]]) -> Text:
    return Text.assemble(
        (name, "bold"),
        f" {ratings(circuit)} per phase · safe ",
        _sums(below, safe_current_a, circuit.ratings_a),
        " · all at once ",
        _sums(below, max_current_a, None),
    )


def _sums(
    below: dict[str, list[Feed]], current_of: CurrentOf, ratings_a: Sequence[float] | None
) -> Text:
    sums_a = [sum(map(current_of, below[phase])) for phase in PHASES]
    is_over = ratings_a is not None and any(map(gt, sums_a, ratings_a))
    return Text("/".join(f"{sum_a:g}" for sum_a in sums_a) + " A", "bold red" if is_over else "")


def _meter_line(name: str | None, meter: Meter) -> Text:
    return Text(
        f"meter {name}: {meter.model} at {meter.url} unit {meter.unit}, every {meter.poll_s:g} s,"
        f" stale after {meter.max_age_s:g} s, then {meter.on_loss}",
        "cyan",
    )


def _add_station(branch: Tree, name: str, station: Station) -> None:
    lost = f"safe {station.safe_current_a:g} A" if station.safe_current_a else "pauses when lost"
    access = "password" if station.password else "no password"
    line = branch.add(Text.assemble((name, "green"), f" {lost}, {access}"))
    for evse_id, evse in station.evses.items():
        line.add(_evse_line(evse_id, evse))


def _evse_line(evse_id: int, evse: Evse) -> Text:
    number = "next free number" if evse.cloud_evse is None else f"EVSE {evse.cloud_evse}"
    priority = "" if evse.priority == 1 else f", priority {evse.priority:g}"
    return Text(
        f"EVSE {evse_id}: {_phases(evse)}, {evse.min_current_a:g} to "
        f"{evse.max_current_a:g} A{' into a rectifier' if evse.is_dc else ''}{priority}"
        f" → cloud {number}"
    )


def _phases(evse: Evse) -> str:
    if set(evse.conductors) == {UNKNOWN}:
        number = {1: "one conductor, ", 2: "two conductors, "}.get(len(evse.conductors), "")
        return f"phases unknown ({number}counts on each)"
    return "-".join(evse.conductors)
