"""`site-gateway check`: what is wrong with a site file, and the site as the gateway understands it.

Prints every mistake as `site.yaml:17: path: what is wrong → what to do`, so that editors and
terminals can jump to the line. Opens no socket.
"""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gateway.meters.lines import impossible_lines, slow_lines
from gateway.meters.model import known_models
from gateway.meters.own_models import prove_own_models
from site_config.certificates import prove_certificates
from site_config.errors import Mistake, SiteConfigError
from site_config.load import load_site
from site_config.model import Site
from site_config.proof import prove
from site_config.tree import describe

EXIT_OK = 0
EXIT_MISTAKES = 2


def proved_site(path: Path) -> Site:
    """Return the site of a file that may start; raises SiteConfigError with every mistake."""
    site = load_site(path)
    mistakes = [*prove(site, known_models()).errors, *_mistakes_around(site)]
    if mistakes:
        raise SiteConfigError(mistakes)
    return site


def run_check(path: Path, console: Console) -> int:
    """Print all mistakes, the warnings and the tree; return 0, or 2 if the site cannot start."""
    try:
        site = load_site(path)
    except SiteConfigError as error:
        _print_mistakes(path, error.mistakes, "error", console)
        console.print(Text(f"{path.name}: {_count(len(error.mistakes), 'error')}", "bold red"))
        if any(mistake.line for mistake in error.mistakes):
            console.print("Names that refer to each other, and the fuses, are judged after these.")
        return EXIT_MISTAKES
    proof = prove(site, known_models())
    errors = [*proof.errors, *_mistakes_around(site)]
    _print_mistakes(path, errors, "error", console)
    warnings = [*proof.warnings, *slow_lines(site)]
    _print_mistakes(path, warnings, "warning", console)
    console.print(describe(site))
    counts = f"{_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}"
    style = "bold red" if errors else "bold green"
    console.print(Text(f"{path.name}: {counts}", style))
    return EXIT_MISTAKES if errors else EXIT_OK


def _mistakes_around(site: Site) -> list[Mistake]:
    """Return what is wrong with the files and the serial lines that the site file names."""
    return [*prove_certificates(site), *prove_own_models(site), *impossible_lines(site)]


def print_mistakes(path: Path, error: SiteConfigError, console: Console) -> None:
    """Print why a site file cannot be used, one line per mistake."""
    _print_mistakes(path, error.mistakes, "error", console)


def _print_mistakes(
    path: Path, mistakes: Iterable[Mistake], severity: str, console: Console
) -> None:
    for mistake in mistakes:
        style = "red" if severity == "error" else "yellow"
        place = f"{path}:{mistake.line}: " if mistake.line else f"{path}: "
        subject = f"{mistake.path}: " if mistake.path else ""
        line = Text.assemble(
            place,
            (f"{severity}: " if severity == "warning" else "", style),
            (subject, "bold"),
            (mistake.message, style),
            f" → {mistake.advice}",
        )
        console.print(line, soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
