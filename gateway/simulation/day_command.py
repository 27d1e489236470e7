"""`site-gateway simulate day`: what would this site have done for these cars?

For planners: what does a policy make of a connection, how many cars can it carry, how large has it
to be. Reads two files, writes a plot; everything but the answer goes to `notes`. Returns an exit
code.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from gateway.simulation.day import Day, Weather
from gateway.simulation.day_files import read_plan, warn_unsafe
from gateway.simulation.day_fleet import attainable_share
from gateway.simulation.day_optimum import SolverMissing, optimum_wh
from gateway.simulation.day_plot import PlotterMissing, save_curve, save_plot
from gateway.simulation.day_record import SERVED, figures_of
from gateway.simulation.day_report import print_report, verdict
from gateway.simulation.day_search import Aim, Search
from gateway.simulation.day_search_report import answer_of, as_object, print_search
from gateway.simulation.day_sessions import Session
from site_config.model import Site

EXIT_OK = 0
EXIT_MISTAKES = 2
INSTALL = "pip install 'site-gateway[planner]'"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the answer goes."""

    answer: Console
    notes: Console
    """For progress and mistakes, so that the answer can be read by a program."""
    as_json: bool = False
    plot: Path | None = None


def simulate_day(site_file: Path, sessions_file: Path, weather: Weather, outputs: Outputs) -> int:
    """Simulate all sessions of a file on a site, and print what came of it."""
    plan = read_plan(site_file, sessions_file, outputs.notes)
    if plan is None:
        return EXIT_MISTAKES
    site, sessions = plan
    day = Day(site, sessions, weather)
    began = time.perf_counter()
    with _bar(outputs.notes) as progress:
        task = progress.add_task(f"{len(sessions)} sessions", total=1.0)
        record = day.run(lambda part: progress.update(task, completed=part))
    seconds = time.perf_counter() - began
    best_wh = _optimum_wh(site, sessions, outputs.notes)
    figures = figures_of(record, weather.policy, best_wh, seconds)
    if outputs.plot is not None:
        path = outputs.plot
        _plot(path, lambda: save_plot(path, record, site, figures), outputs.notes)
    if outputs.as_json:
        _print_json(asdict(figures), outputs)
    else:
        print_report(figures, record, outputs.answer)
        outputs.answer.print(verdict(figures, record), highlight=False)
    return EXIT_OK


def find_in_days(
    site_file: Path,
    sessions_file: Path,
    weather: Weather,
    aim: Aim,
    outputs: Outputs,
) -> int:
    """Find how many cars like those of a file the site carries, or the rating that they need."""
    plan = read_plan(site_file, sessions_file, outputs.notes)
    if plan is None:
        return EXIT_MISTAKES
    site, sessions = plan
    attainable = attainable_share(site, sessions, SERVED)
    if attainable < aim.served:
        outputs.notes.print(
            f"{sessions_file}: only {attainable:.1%} of the cars stay long enough for 90 % of "
            f"their wish, even alone at the EVSE: no connection serves {aim.served:.1%} of them → "
            "correct the times and wishes, or ask for less with --served",
            style="red",
            soft_wrap=True,
            highlight=False,
        )
        return EXIT_MISTAKES
    began = time.perf_counter()
    with _bar(outputs.notes) as progress:
        task = progress.add_task("", total=1.0)

        def show(what: str, part: float) -> None:
            progress.update(task, description=what, completed=part)

        found = Search(site, sessions, weather, aim, show).find()
    seconds = time.perf_counter() - began
    if found.answer is not None:
        warn_unsafe(site_file, found.answer.site, outputs.notes)
    if outputs.plot is not None:
        path = outputs.plot
        _plot(path, lambda: save_curve(path, found, site), outputs.notes)
    if outputs.as_json:
        _print_json(as_object(found, weather.policy, seconds), outputs)
    else:
        print_search(found, weather.policy, site, outputs.answer)
        outputs.answer.print(answer_of(found, site), highlight=False)
    return EXIT_OK


def _bar(notes: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=notes, transient=True)


def _print_json(content: object, outputs: Outputs) -> None:
    outputs.answer.out(orjson.dumps(content).decode(), highlight=False)


def _optimum_wh(site: Site, sessions: Sequence[Session], notes: Console) -> float | None:
    try:
        with notes.status("finding the clairvoyant optimum"):
            return optimum_wh(site, sessions)
    except SolverMissing:
        notes.print(Text(f"no optimum without scipy: {INSTALL}", "yellow"))
        return None


def _plot(path: Path, save: Callable[[], None], notes: Console) -> None:
    try:
        save()
    except PlotterMissing:
        notes.print(Text(f"no plot without matplotlib: {INSTALL}", "yellow"))
    except (OSError, ValueError) as error:
        notes.print(Text(f"{path} cannot be written: {error}", "red"))
    else:
        notes.print(Text(f"the picture is in {path}"), soft_wrap=True)
