"""Whether what contracts, tariffs and grid operators ask can be kept on this site. Pure."""

from site_config.circuit_tree import feeds, ratings
from site_config.circuits import Circuit
from site_config.findings import Findings
from site_config.model import Site

METERED = ("demand_w", "fuse_allowance", "unbalance_a")


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
    if operator.input is not None and not operator.input.url.startswith("tcp://"):
        findings.error(
            "grid_operator.input.url",
            "is no Modbus TCP address",
            "write it like tcp://192.168.1.21:502",
        )
    for feed in feeds(site):
        least_w = feed.evse.min_current_a * site.site.voltage_v * len(feed.evse.phases)
        if least_w > operator.floor_w:
            findings.warning(
                f"{feed.path}.min_current_a",
                f"needs {least_w:g} W on {len(feed.evse.phases)} phases, above the floor of "
                f"{operator.floor_w:g} W",
                "its cars pause while the grid operator dims",
            )
