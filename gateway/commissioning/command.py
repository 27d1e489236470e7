"""`site-gateway commission`: the procedure before the electrician's eyes, with its report.

Opens nothing: the gateway that runs beneath is handed in, as is the pause between two looks.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.commissioning.findings import find
from gateway.commissioning.procedure import Procedure
from gateway.commissioning.report import as_json, exit_code, print_report
from site_config.links import UnknownTokens
from site_config.model import Site

LOOK_S = 0.5
REST_PATIENCE_S = 15.0
"""So long the end waits for every vehicle to be back at its minimum."""


class Stop(Protocol):
    """Set by whoever wants an end, with every Ctrl-C; an `asyncio.Event`."""

    def is_set(self) -> bool: ...

    def clear(self) -> None: ...


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
    stop: Stop,
) -> None:
    """Show how far it is; return when it is over, stopped, or no vehicle came for `patience_s`:
    every time with every vehicle back at its minimum.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=1.0)
        waiting_since = clock()
        while not procedure.is_over and not stop.is_set():
            progress.update(bar, description=_words(procedure), completed=procedure.part_done)
            if procedure.is_trying:
                waiting_since = clock()
            elif clock() - waiting_since > patience_s:
                console.print(f"no vehicle for {patience_s / 60:.0f} minutes: that is all")
                break
            await pause(LOOK_S)
        if not procedure.is_over and stop.is_set():
            stop.clear()
            await _come_to_rest(procedure, console, pause, clock, stop)
        progress.update(bar, description=procedure.progress, completed=procedure.part_done)


def _words(procedure: Procedure) -> str:
    if not procedure.is_trying:
        return procedure.progress
    return f"{procedure.progress}; {max(1.0, procedure.remaining_s / 60):.0f} min to go"


async def _come_to_rest(
    procedure: Procedure,
    console: Console,
    pause: Callable[[float], Awaitable[None]],
    clock: Callable[[], float],
    stop: Stop,
) -> None:
    """Leave nobody with the limit of a trial; a station that says nothing falls by itself."""
    console.print("putting every vehicle back to its minimum; Ctrl-C again leaves at once")
    procedure.end()
    since = clock()
    while not (procedure.is_at_rest or stop.is_set() or clock() - since > REST_PATIENCE_S):
        await pause(LOOK_S)
    if not procedure.is_at_rest:
        console.print("not confirmed: what is not falls to the safe current by its own clock")


def report(procedure: Procedure, site: Site, console: Console, *, is_json: bool) -> int:
    """Print what was found; return the exit code."""
    findings = [find(site, change) for change in procedure.changes]
    if not is_json:
        why = "ended before" if procedure.has_ended else "no vehicle charged"
        skipped, waiting = procedure.skipped, procedure.waiting
        code = print_report(site, findings, skipped, waiting, console, why_waiting=why)
        console.print(
            "Unplug the vehicles before the gateway starts: nobody bills what they began here."
        )
        return code
    found = as_json(site, findings, procedure.skipped, procedure.waiting)
    print(json.dumps(found, indent=2))  # noqa: T201 - the one thing on standard output
    is_complete = not procedure.skipped and not procedure.waiting
    return exit_code(findings, is_complete=is_complete and all(f.is_seen for f in findings))
