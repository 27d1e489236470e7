"""Whether what contracts, tariffs and grid operators ask can be kept on this site. Pure."""

from site_config.circuit_tree import Feed, dimmed_feeds, ratings
from site_config.circuits import Circuit
from site_config.findings import Findings, nearest
from site_config.grid_operator import Minimum
from site_config.model import Site

METERED = ("demand_w", "fuse_allowance", "unbalance_a")
COUNTS_ABOVE_W = 4200.0
"""A charge point of less is no controllable device (BK6-22-300 Annex 1, 2.4.1)."""


def prove_limiters(site: Site, findings: Findings) -> None:
    for name, circuit in site.circuits.items():
        _metered(name, circuit, findings)
        if circuit.contract_a is not None and circuit.contract_a > max(circuit.ratings_a):
            findings.warning(
                f"circuits.{name}.contract_a",
                f"{circuit.contract_a:g} A is above the rating, {ratings(circuit)}",
                "the contract changes nothing; a limit can only lower",
            )
    _grid_operator(site, findings)


def _metered(name: str, circuit: Circuit, findings: Findings) -> None:
    for key in METERED:
        if getattr(circuit, key) is not None and circuit.meter is None:
            findings.error(
                f"circuits.{name}.{key}",
                "cannot be kept without knowing what flows there",
                f"write meter: under circuit {name}, or remove {key}",
            )


def _grid_operator(site: Site, findings: Findings) -> None:
    operator = site.grid_operator
    if operator is None:
        return
    for number, station_id in enumerate(operator.exempt):
        if station_id not in site.stations:
            findings.error(
                f"grid_operator.exempt.{number}",
                f"there is no station {station_id!r}",
                nearest(station_id, site.stations, "name a station of this file"),
            )
    dimmed = dimmed_feeds(site)
    if not dimmed:
        findings.warning(
            "grid_operator",
            "there is no charge point that may be dimmed",
            "remove the section, or correct exempt",
        )
    is_together = operator.minimum is Minimum.TOGETHER
    kept_w = operator.minimum_w(len(dimmed)) if is_together else operator.floor_w
    for feed in dimmed:
        _dimmed(feed, site.site.voltage_v, kept_w, is_together, findings)


def _dimmed(
    feed: Feed, voltage_v: float, kept_w: float, is_together: bool, findings: Findings
) -> None:
    phases = len(feed.evse.phases)
    least_w, most_w = (
        current_a * voltage_v * phases
        for current_a in (feed.evse.min_current_a, feed.evse.max_current_a)
    )
    if least_w > kept_w:
        findings.warning(
            f"{feed.path}.min_current_a",
            f"needs {least_w:g} W on {phases} phases, above the floor of {kept_w:g} W",
            "its cars pause while the grid operator dims",
        )
    if is_together and most_w <= COUNTS_ABOVE_W:
        findings.warning(
            f"{feed.path}.max_current_a",
            f"draws {most_w:g} W at most, and counts for the minimum of all although only what "
            f"draws more than {COUNTS_ABOVE_W:g} W does",
            "name its station under grid_operator.exempt",
        )
