"""`site-gateway simulate day`: what would this site have done for these cars?

For planners: how many cars can a connection carry, and what does a policy make of it. Reads two
files, writes a plot; everything but the answer goes to `notes`. Returns an exit code.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from gateway.check import print_mistakes
from gateway.meters.model import known_models
from gateway.simulation.day import Day, Weather
from gateway.simulation.day_limits import left_out
from gateway.simulation.day_optimum import SolverMissing, optimum_wh
from gateway.simulation.day_plot import PlotterMissing, save_plot
from gateway.simulation.day_record import Record, figures_of
from gateway.simulation.day_report import print_report
from gateway.simulation.day_sessions import Session, SessionsError, read_sessions
from site_config.errors import Mistake, SiteConfigError
from site_config.load import load_site
from site_config.model import Site
from site_config.proof import prove

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
    notes = outputs.notes
    try:
        site = _planned_site(site_file, notes)
        sessions = read_sessions(_text_of(sessions_file), site)
    except SiteConfigError as error:
        print_mistakes(site_file, error, notes)
        return EXIT_MISTAKES
    except SessionsError as error:
        for mistake in error.mistakes:
            notes.print(Text(f"{sessions_file}:{mistake}", "red"), soft_wrap=True)
        return EXIT_MISTAKES
    for what in left_out(site):
        notes.print(Text(f"not simulated: {what}", "yellow"), soft_wrap=True)
    day = Day(site, sessions, weather)
    began = time.perf_counter()
    bar = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*bar, console=notes, transient=True) as progress:
        task = progress.add_task(f"{len(sessions)} sessions", total=1.0)
        record = day.run(lambda part: progress.update(task, completed=part))
    seconds = time.perf_counter() - began
    best_wh = _optimum_wh(site, sessions, notes)
    figures = figures_of(record, weather.policy, best_wh, seconds)
    if outputs.plot is not None:
        _plot(outputs.plot, record, site, notes)
    if outputs.as_json:
        outputs.answer.out(orjson.dumps(asdict(figures)).decode(), highlight=False)
    else:
        print_report(figures, record, outputs.answer)
    return EXIT_OK


def _planned_site(path: Path, notes: Console) -> Site:
    """Return a site that may still be too large for its fuse: that is what is to be found out."""
    site = load_site(path)
    mistakes = prove(site, known_models()).errors
    if grave := [mistake for mistake in mistakes if not mistake.path.endswith(".rating_a")]:
        raise SiteConfigError(grave)
    for mistake in mistakes:
        notes.print(
            Text(f"{path}:{mistake}; `run` would refuse to start", "yellow"), soft_wrap=True
        )
    return site


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        what = "is not a text in UTF-8"
    raise SessionsError([Mistake("", 0, what, "name a CSV file of sessions")])


def _optimum_wh(site: Site, sessions: list[Session], notes: Console) -> float | None:
    try:
        with notes.status("finding the clairvoyant optimum"):
            return optimum_wh(site, sessions)
    except SolverMissing:
        notes.print(Text(f"no optimum without scipy: {INSTALL}", "yellow"))
        return None


def _plot(path: Path, record: Record, site: Site, notes: Console) -> None:
    try:
        save_plot(path, record, site)
    except PlotterMissing:
        notes.print(Text(f"no plot without matplotlib: {INSTALL}", "yellow"))
    except (OSError, ValueError) as error:
        notes.print(Text(f"{path} cannot be written: {error}", "red"))
    else:
        notes.print(Text(f"{path} shows the load and who waited"))
