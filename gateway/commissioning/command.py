"""`site-gateway commission`: the procedure before the electrician's eyes, with its report.

Opens nothing: the gateway that runs beneath is handed in, as is the pause between two looks.
"""

import json
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.commissioning.findings import find
from gateway.commissioning.procedure import Procedure
from gateway.commissioning.report import as_json, exit_code, print_report
from site_config.links import UnknownTokens
from site_config.model import Site

LOOK_S = 0.5


def for_trial(site: Site) -> Site:
    """Return the site as it is commissioned: any card charges, and no broker hears of it."""
    cloud = site.cloud.model_copy(update={"offline_unknown_tokens": UnknownTokens.ACCEPT})
    return site.model_copy(update={"cloud": cloud, "mqtt": None})


def what_is_missing(site: Site) -> str | None:
    """Return why this site cannot be commissioned at all; None: it can."""
    if not any(circuit.meter for circuit in site.circuits.values()):
        return "no circuit of the site file has a meter: there is nothing to watch"
    return None


async def watch(
    procedure: Procedure,
    console: Console,
    *,
    pause: Callable[[float], Awaitable[None]],
    clock: Callable[[], float],
    patience_s: float,
    is_stopped: Callable[[], bool],
) -> None:
    """Show how far it is; return when it is over, stopped, or no vehicle came for `patience_s`."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=1.0)
        waiting_since = clock()
        while not procedure.is_over and not is_stopped():
            progress.update(bar, description=procedure.progress, completed=procedure.part_done)
            if procedure.is_trying:
                waiting_since = clock()
            elif clock() - waiting_since > patience_s:
                console.print(f"no vehicle for {patience_s / 60:.0f} minutes: that is all")
                return
            await pause(LOOK_S)
        progress.update(bar, description=procedure.progress, completed=procedure.part_done)


def report(procedure: Procedure, site: Site, console: Console, *, is_json: bool) -> int:
    """Print what was found; return the exit code."""
    findings = [find(site, change) for change in procedure.changes]
    if is_json:
        found = as_json(findings, procedure.skipped, procedure.waiting)
        print(json.dumps(found, indent=2))  # noqa: T201 - the one thing on standard output
        is_complete = not procedure.skipped and not procedure.waiting
        return exit_code(findings, is_complete=is_complete)
    return print_report(findings, procedure.skipped, procedure.waiting, console)
