"""What was found, for the electrician's eyes, and as lines to paste into the site file."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commissioning.findings import Finding, swapped_meters
from gateway.commissioning.procedure import Skipped
from load_balancer.inputs import EvseKey
from site_config.fields import UNKNOWN

EXIT_OK, EXIT_DIFFERENT, EXIT_INCOMPLETE = 0, 1, 3


def print_report(
    findings: Sequence[Finding],
    skipped: Sequence[Skipped],
    waiting: Sequence[EvseKey],
    console: Console,
) -> int:
    """Print it; return 0, 1 where site and file differ, 3 where EVSEs were not tried."""
    table = Table("EVSE", "circuit", "seen on", "phases", "reacts in", "result", title="Wiring")
    for finding in findings:
        table.add_row(*_row(finding))
    for skip in skipped:
        table.add_row(_name(skip.key), "", "", "", "", Text(skip.reason, "yellow"))
    for key in waiting:
        table.add_row(_name(key), "", "", "", "", Text("not tried: no vehicle charged", "yellow"))
    console.print(table)
    for line in swapped_meters(findings):
        console.print(Text(line, "bold red"))
    if lines := yaml_lines(findings):
        console.print("To paste into the site file:")
        console.print("\n".join(lines), highlight=False)
    return exit_code(findings, is_complete=not skipped and not waiting)


def exit_code(findings: Sequence[Finding], *, is_complete: bool) -> int:
    """Return 0, 1 where site and file differ, 3 where EVSEs were not tried."""
    if any(not finding.is_as_declared for finding in findings):
        return EXIT_DIFFERENT
    return EXIT_OK if is_complete else EXIT_INCOMPLETE


def yaml_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the lines of the site file that would make it true; none where it is."""
    lines = []
    for name in dict.fromkeys(finding.key.station_id for finding in findings):
        own = [finding for finding in findings if finding.key.station_id == name]
        circuits = [f"    circuit: {f.found_circuit}" for f in own if f.is_elsewhere]
        evses = [
            f"      {f.key.evse_id}: {{ phases: [{', '.join(f.found_phases)}] }}"
            for f in own
            if f.found_phases is not None and f.found_phases != f.declared_phases
        ]
        if circuits or evses:
            lines += [f"  {name}:", *circuits[:1], *(["    evses:", *evses] if evses else [])]
    return ["stations:", *lines] if lines else []


def as_json(
    findings: Sequence[Finding], skipped: Sequence[Skipped], waiting: Sequence[EvseKey]
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
                "mistakes": list(finding.mistakes),
                "notes": list(finding.notes),
            }
            for finding in findings
        ],
        "skipped": {_name(skip.key): skip.reason for skip in skipped},
        "not_tried": [_name(key) for key in waiting],
        "meters": swapped_meters(findings),
    }


def _row(finding: Finding) -> tuple[str | Text, ...]:
    seen = "; ".join(f"{name} {'+'.join(phases) or '–'}" for name, phases in finding.seen.items())
    phases = ", ".join(finding.found_phases or finding.declared_phases)
    response = "–" if finding.response_s is None else f"{finding.response_s:.1f} s"
    result = (
        Text("\n".join(finding.mistakes), "bold red")
        if finding.mistakes
        else Text("as found" if UNKNOWN in finding.declared_phases else "as declared", "green")
    )
    for note in finding.notes:
        result.append(f"\n{note}", "dim")
    return _name(finding.key), finding.found_circuit or "–", seen, phases, response, result


def _name(key: EvseKey) -> str:
    return f"{key.station_id}/{key.evse_id}"
