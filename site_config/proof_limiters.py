"""Whether what contracts and tariffs ask can be kept on this site. Pure."""

from site_config.circuit_tree import ratings
from site_config.findings import Findings
from site_config.model import Circuit, Site

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


def _metered(name: str, circuit: Circuit, findings: Findings) -> None:
    for key in METERED:
        if getattr(circuit, key) is not None and circuit.meter is None:
            findings.error(
                f"circuits.{name}.{key}",
                "cannot be kept without knowing what flows there",
                f"write meter: under circuit {name}, or remove {key}",
            )
