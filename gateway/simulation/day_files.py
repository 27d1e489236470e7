"""The two files of a planner, read: a site that need not be safe yet, and its cars.

Touches the files and prints, on the console that it is handed, what is wrong with them.
"""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gateway.check import print_mistakes
from gateway.meters.model import known_models
from gateway.simulation.day_limits import left_out
from gateway.simulation.day_sessions import Session, SessionsError, read_sessions
from site_config.errors import Mistake, SiteConfigError
from site_config.load import load_site
from site_config.model import Site
from site_config.proof import prove

KWH_BELOW_WH = 200.0
"""Half of all cars wish for less: it was written in kWh."""


def read_plan(
    site_file: Path, sessions_file: Path, notes: Console
) -> tuple[Site, Sequence[Session]] | None:
    """Return site and sessions; None: something is wrong with them, and told."""
    try:
        site = _planned_site(site_file, notes)
        sessions = read_sessions(_text_of(sessions_file), site)
    except SiteConfigError as error:
        print_mistakes(site_file, error, notes)
        return None
    except SessionsError as error:
        for mistake in error.mistakes:
            place = f"{sessions_file}:{mistake}" if mistake.line else f"{sessions_file}: "
            rest = "" if mistake.line else f"{mistake.message} → {mistake.advice}"
            notes.print(Text(f"{place}{rest}", "red"), soft_wrap=True)
        return None
    for what in left_out(site):
        notes.print(Text(f"not simulated: {what}", "yellow"), soft_wrap=True)
    wishes_wh = sorted(session.energy_wh for session in sessions)
    median_wh = wishes_wh[len(wishes_wh) // 2]
    if median_wh < KWH_BELOW_WH:
        what = f"half of the cars wish for {median_wh:g} Wh or less: energy_wh is in Wh, not in kWh"
        notes.print(Text(f"{sessions_file}: {what}", "yellow"), soft_wrap=True)
    return site, sessions


def _planned_site(path: Path, notes: Console) -> Site:
    """Return a site that may still be too large for its fuse: that is what is to be found out."""
    site = load_site(path)
    errors = prove(site, known_models()).errors
    if grave := [mistake for mistake in errors if not _is_of_a_fuse(mistake)]:
        raise SiteConfigError(grave)
    _warn(path, errors, "`run` would refuse to start", notes)
    return site


def warn_unsafe(path: Path, site: Site, notes: Console) -> None:
    """Tell why the site of an answer could not start as it is."""
    unsafe = [mistake for mistake in prove(site, known_models()).errors if _is_of_a_fuse(mistake)]
    _warn(path, unsafe, "with the answer `run` would refuse to start", notes)


def _is_of_a_fuse(mistake: Mistake) -> bool:
    """Whether currents that are always allowed are more than a fuse bears."""
    return mistake.path.endswith(".rating_a")


def _warn(path: Path, mistakes: Sequence[Mistake], consequence: str, notes: Console) -> None:
    for mistake in mistakes:
        notes.print(Text(f"{path}:{mistake}; {consequence}", "yellow"), soft_wrap=True)


def _text_of(path: Path) -> str:
    advice = "name a CSV file of sessions"
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        what, advice = "is not a text in UTF-8", "save it as CSV UTF-8"
    raise SessionsError([Mistake("", 0, what, advice)])
