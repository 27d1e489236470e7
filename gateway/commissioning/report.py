"""What was found, for the electrician's eyes, and as lines to paste into the site file."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commissioning.findings import Finding, swapped_meters
from gateway.commissioning.procedure import Skipped
from load_balancer.inputs import EvseKey
from load_balancer.phases import PHASES
from site_config.fields import UNKNOWN
from site_config.model import Site
from site_config.stations import Evse

EXIT_OK, EXIT_DIFFERENT, EXIT_INCOMPLETE = 0, 1, 3


def print_report(
    site: Site,
    findings: Sequence[Finding],
    skipped: Sequence[Skipped],
    waiting: Sequence[EvseKey],
    console: Console,
    *,
    why_waiting: str = "no vehicle charged",
) -> int:
    """Print it; return 0, 1 where site and file differ, 3 where EVSEs were not tried."""
    table = Table("EVSE", "seen on", "phases", "reacts in", "result", title="Wiring")
    for finding in findings:
        table.add_row(*_row(finding))
    for skip in skipped:
        table.add_row(_name(skip.key), "", "", "", Text(skip.reason, "yellow"))
    for key in waiting:
        table.add_row(_name(key), "", "", "", Text(f"not tried: {why_waiting}", "yellow"))
    console.print(table)
    for line in told_of_meters(findings):
        console.print(Text(line, "bold red"))
    if lines := yaml_lines(site, findings):
        console.print("To paste into the site file, in place of what stands there:")
        console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
    is_complete = not skipped and not waiting and all(f.is_seen for f in findings)
    return exit_code(findings, is_complete=is_complete)


def told_of_meters(findings: Sequence[Finding]) -> list[str]:
    """Return a line for every meter that is turned."""
    return [
        f"all that the meter of {circuit} saw is off by the same turn: its current transformers "
        "are swapped (or the feed of all these EVSEs is, which comes to the same for the fuse)"
        for circuit in swapped_meters(findings)
    ]


def exit_code(findings: Sequence[Finding], *, is_complete: bool) -> int:
    """Return 0, 1 where site and file differ, 3 where EVSEs were not tried."""
    if any(not finding.is_as_declared for finding in findings):
        return EXIT_DIFFERENT
    return EXIT_OK if is_complete else EXIT_INCOMPLETE


def yaml_lines(site: Site, findings: Sequence[Finding]) -> list[str]:
    """Return the lines of the site file that would make it true; none where it is."""
    swapped = swapped_meters(findings)
    meters = _meter_lines(site, findings, swapped)
    stations: list[str] = []
    for name in dict.fromkeys(finding.key.station_id for finding in findings):
        own = [finding for finding in findings if finding.key.station_id == name]
        circuits = [f"    circuit: {f.found_circuit}" for f in own if f.is_elsewhere]
        evses = [
            f"      {f.key.evse_id}: {_flow(site.stations[name].evses[f.key.evse_id], f)}"
            f"{_place(site, f'stations.{name}.evses.{f.key.evse_id}')}"
            for f in own
            if f.found_phases is not None
            and f.found_phases != f.declared_phases
            and f.found_circuit not in swapped
        ]
        if circuits or evses:
            head = f"  {name}:{_place(site, f'stations.{name}')}"
            stations += [head, *circuits[:1], *(["    evses:", *evses] if evses else [])]
    return [*meters, *(["stations:", *stations] if stations else [])]


def _meter_lines(site: Site, findings: Sequence[Finding], swapped: Mapping[str, int]) -> list[str]:
    lines: list[str] = []
    backwards = {circuit for finding in findings for circuit in finding.backwards}
    for circuit in site.circuits:
        name = site.circuits[circuit].meter
        if name is None or circuit not in backwards | swapped.keys():
            continue
        meter, turn = site.meters[name], swapped.get(circuit, 0)
        lines.append(f"  {name}:{_place(site, f'meters.{name}')}")
        if turn:
            phases = (PHASES[(PHASES.index(phase) - turn) % 3] for phase in meter.phases)
            lines.append(f"    phases: [{', '.join(phases)}]")
        if circuit in backwards:
            lines.append(f"    invert: {'false' if meter.invert else 'true'}")
    return ["meters:", *lines] if lines else []


def _flow(evse: Evse, finding: Finding) -> str:
    """Return the EVSE as one line of YAML, with all else that its installer had written."""
    assert finding.found_phases is not None
    pairs = [f"phases: [{', '.join(finding.found_phases)}]"]
    written = evse.model_dump(mode="json", include=evse.model_fields_set - {"conductors"})
    pairs += [
        f"{key}: {value:g}" if isinstance(value, float) else f"{key}: {value}"
        for key, value in written.items()
    ]
    return f"{{ {', '.join(pairs)} }}"


def _place(site: Site, path: str) -> str:
    line = site.line_of(path)
    return f"   # line {line}" if line else ""


def as_json(
    site: Site, findings: Sequence[Finding], skipped: Sequence[Skipped], waiting: Sequence[EvseKey]
) -> dict[str, Any]:
    """Return the same for scripts."""
    return {
        "evses": [
            {
                "evse": _name(finding.key),
                "seen": {name: list(phases) for name, phases in finding.seen.items()},
                "declared_phases": list(finding.declared_phases),
                "found_phases": list(finding.found_phases) if finding.found_phases else None,
                "declared_circuit": finding.declared_circuit,
                "found_circuit": finding.found_circuit,
                "step_a": round(finding.step_a, 2),
                "response_s": finding.response_s and round(finding.response_s, 2),
                "backwards": list(finding.backwards),
                "mistakes": list(finding.mistakes),
                "notes": list(finding.notes),
            }
            for finding in findings
        ],
        "skipped": {_name(skip.key): skip.reason for skip in skipped},
        "not_tried": [_name(key) for key in waiting],
        "swapped_meters": sorted(swapped_meters(findings)),
        "yaml": yaml_lines(site, findings),
    }


def _row(finding: Finding) -> tuple[str | Text, ...]:
    seen = "\n".join(f"{name} {'+'.join(phases) or '–'}" for name, phases in finding.seen.items())
    phases = ", ".join(finding.found_phases or finding.declared_phases)
    response = "–" if finding.response_s is None else f"{finding.response_s:.1f} s"
    if finding.mistakes:
        result = Text("\n".join(finding.mistakes), "bold red")
    elif not finding.is_seen:
        result = Text("not seen", "yellow")
    else:
        was_known = UNKNOWN not in finding.declared_phases
        result = Text("as declared" if was_known else "found", "green")
    for note in finding.notes:
        result.append(f"\n{note}", "dim")
    return _name(finding.key), seen, phases, response, result


def _name(key: EvseKey) -> str:
    return f"{key.station_id}/{key.evse_id}"
