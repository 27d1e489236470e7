"""What a proof has found so far. Pure."""

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
