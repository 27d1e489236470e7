"""What must hold before a socket opens: references, the tree of fuses, numbers upstream.

Pure. An *error* stops the gateway from starting: somebody could be harmed, billed wrongly, or
the site could not work. A *warning* is probably not meant so. `proof_currents` and
`proof_access` hold the sums of currents and the rules about addresses and secrets.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from site_config.addresses import SerialBus, parse_bus
from site_config.circuit_tree import feeds, roots, upwards
from site_config.errors import Mistake
from site_config.findings import Findings, nearest
from site_config.meters import is_model_file
from site_config.model import Site
from site_config.proof_access import prove_access
from site_config.proof_currents import prove_currents


class Proof(NamedTuple):
    """What was found; the gateway may start when `errors` is empty."""

    errors: list[Mistake]
    warnings: list[Mistake]


def prove(site: Site, known_meter_models: Collection[str]) -> Proof:
    """Return everything that does not fit together, in the order of the file's lines."""
    findings = Findings(site)
    _time_zone(site, findings)
    _roots(site, findings)
    _parents(site, findings)
    _cycles(site, findings)
    _stations(site, findings)
    _circuit_meters(site, findings)
    _meters(site, findings, known_meter_models)
    _buses(site, findings)
    _cloud_numbers(site, findings)
    prove_currents(site, findings)
    prove_access(site, findings)
    return Proof(findings.errors(), findings.warnings())


def _time_zone(site: Site, findings: Findings) -> None:
    name = site.site.timezone
    try:
        ZoneInfo(name)
    # OSError: a folder of zones such as "Europe"; ValueError: a path that leads outside.
    except (KeyError, OSError, ValueError):
        advice = nearest(name, available_timezones(), "write an IANA name such as Europe/Berlin")
        findings.error("site.timezone", f"there is no time zone {name!r}", advice)


def _roots(site: Site, findings: Findings) -> None:
    names = roots(site)
    if not names:
        findings.error(
            "circuits",
            "every circuit has a parent, so none is the grid connection point",
            "remove the parent of the circuit that the grid feeds",
        )
    for name in names[1:]:
        findings.error(
            f"circuits.{name}",
            f"has no parent, but {names[0]} is the grid connection point already",
            f"write parent: {names[0]}, or the circuit that feeds it",
        )


def _parents(site: Site, findings: Findings) -> None:
    for name, circuit in site.circuits.items():
        if circuit.parent is not None and circuit.parent not in site.circuits:
            others = [other for other in site.circuits if other != name]
            findings.error(
                f"circuits.{name}.parent",
                f"there is no circuit {circuit.parent!r}",
                nearest(circuit.parent, others, "name the circuit that feeds it"),
            )


def _cycles(site: Site, findings: Findings) -> None:
    told: set[str] = set()
    for name in site.circuits:
        chain = list(upwards(site, name))
        parent = site.circuits[chain[-1]].parent
        if parent not in chain:
            continue
        ring = chain[chain.index(parent) :]
        if not told & set(ring):
            told |= set(ring)
            findings.error(
                f"circuits.{ring[0]}.parent",
                f"feeds itself: {' → '.join([*reversed(ring), ring[-1]])}",
                "one of these hangs on a circuit outside the ring: correct its parent",
            )


def _stations(site: Site, findings: Findings) -> None:
    for name, station in site.stations.items():
        if station.circuit not in site.circuits:
            findings.error(
                f"stations.{name}.circuit",
                f"there is no circuit {station.circuit!r}",
                nearest(station.circuit, site.circuits, "name the circuit that feeds it"),
            )
        missing = set(range(1, len(station.evses) + 1)) - station.evses.keys()
        if missing:
            findings.error(
                f"stations.{name}.evses",
                f"has EVSEs {_listed(sorted(station.evses))}, but no {min(missing)}",
                "number the EVSEs of a station 1, 2, 3 without gaps, as OCPP does",
            )


def _circuit_meters(site: Site, findings: Findings) -> None:
    first_use: dict[str, str] = {}
    for name, circuit in site.circuits.items():
        if circuit.meter is None:
            continue
        path = f"circuits.{name}.meter"
        if circuit.meter not in site.meters:
            advice = nearest(circuit.meter, site.meters, "describe it under meters")
            findings.error(path, f"there is no meter {circuit.meter!r}", advice)
        elif circuit.meter in first_use:
            findings.warning(
                path,
                f"{circuit.meter} measures {first_use[circuit.meter]} as well",
                "a meter sits in one circuit: keep it where it sits",
            )
        else:
            first_use[circuit.meter] = name


def _meters(site: Site, findings: Findings, known_models: Collection[str]) -> None:
    used = {circuit.meter for circuit in site.circuits.values()}
    for name, meter in site.meters.items():
        if meter.model not in known_models and not is_model_file(meter.model):
            findings.error(
                f"meters.{name}.model",
                f"there is no meter model {meter.model!r} in the library",
                nearest(meter.model, known_models, f"known are {_listed(sorted(known_models))}"),
            )
        if meter.max_age_s <= meter.poll_s:
            findings.error(
                f"meters.{name}.max_age_s",
                f"a reading would be stale after {meter.max_age_s:g} s, before the next one "
                f"comes after {meter.poll_s:g} s",
                f"write at least {3 * meter.poll_s:g}, or poll more often",
            )
        if name not in used:
            findings.warning(
                f"meters.{name}",
                "measures no circuit",
                f"write meter: {name} under the circuit it sits in, or remove it",
            )


def _buses(site: Site, findings: Findings) -> None:
    first: dict[object, str] = {}
    for name, meter in site.meters.items():
        place = (parse_bus(meter.url), meter.unit)
        if place in first:
            findings.warning(
                f"meters.{name}.unit",
                f"is the same address and unit as {first[place]}",
                "give each meter its own unit",
            )
        first.setdefault(place, name)
    _ports(site, findings)


def _ports(site: Site, findings: Findings) -> None:
    """Find serial ports that are to run in two ways at once."""
    first: dict[str, tuple[SerialBus, str]] = {}
    for path, url in site.modbus_urls.items():
        bus = parse_bus(url)
        if not isinstance(bus, SerialBus):
            continue
        other, place = first.setdefault(bus.device, (bus, path))
        if bus != other:
            findings.error(
                path,
                f"runs {bus.device} at {_settings(bus)}, and {place} at {_settings(other)}",
                "devices on one line have the same baudrate, parity and stopbits: correct one",
            )


def _settings(bus: SerialBus) -> str:
    return f"{bus.baudrate} 8{bus.parity}{bus.stopbits}"


def _cloud_numbers(site: Site, findings: Findings) -> None:
    """Numbers upstream are 1..N; those not written are the lowest that are free."""
    owners: dict[int, list[str]] = defaultdict(list)
    unnumbered = 0
    for feed in feeds(site):
        if feed.evse.cloud_evse is None:
            unnumbered += 1
        else:
            owners[feed.evse.cloud_evse].append(feed.path)
    for number, paths in owners.items():
        for path in paths[1:]:
            findings.error(
                f"{path}.cloud_evse",
                f"{number} is taken by {paths[0]} on line {site.line_of(paths[0])}",
                f"give it a number of its own; {_free(owners)} is free",
            )
    gaps = [number for number in range(1, max(owners, default=0)) if number not in owners]
    if left := gaps[unnumbered:]:
        findings.warning(
            "stations",
            f"no EVSE has the number {_listed(left)} upstream",
            "the cloud sees each of them as Unavailable; close the gap unless an EVSE was removed",
        )


def _free(taken: Collection[int]) -> int:
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


def _listed(items: Collection[object], shown: int = 8) -> str:
    return ", ".join(_parts(items, shown))


def _parts(items: Collection[object], shown: int) -> Iterator[str]:
    for n, item in enumerate(items):
        if n == shown:
            yield f"and {len(items) - shown} more"
            return
        yield str(item)
