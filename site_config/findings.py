"""What a proof has found so far. Pure."""

from collections.abc import Collection
from difflib import get_close_matches

from site_config.errors import Mistake
from site_config.model import Site


class Findings:
    """Collects errors and warnings and puts the line of the file beside each."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._errors: list[Mistake] = []
        self._warnings: list[Mistake] = []

    def error(self, path: str, message: str, advice: str) -> None:
        self._errors.append(Mistake(path, self._site.line_of(path), message, advice))

    def warning(self, path: str, message: str, advice: str) -> None:
        self._warnings.append(Mistake(path, self._site.line_of(path), message, advice))

    def errors(self) -> list[Mistake]:
        """Return the errors in the order of their lines."""
        return sorted(self._errors, key=_place)

    def warnings(self) -> list[Mistake]:
        """Return the warnings in the order of their lines."""
        return sorted(self._warnings, key=_place)


def _place(mistake: Mistake) -> tuple[int, str]:
    return mistake.line, mistake.path


def nearest(name: str, known: Collection[str], otherwise: str) -> str:
    """Return advice that names what was probably meant."""
    lowered = {other.lower(): other for other in known}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return f"did you mean {lowered[close[0]]}?" if close else otherwise
