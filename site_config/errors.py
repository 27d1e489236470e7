"""What an installer is told: every mistake of a site file at once, each with line and cure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, or (as a warning) probably not meant so. Never holds a secret."""

    path: str
    """Keys from the top of the file, joined by dots: `stations.CP-01.evses.1.phases`."""
    line: int
    """Line of the site file, from 1; 0: unknown, the site did not come from a file."""
    message: str
    """What is wrong."""
    advice: str
    """What to do about it."""

    def __str__(self) -> str:
        where = f"{self.line}: {self.path}: " if self.path else f"{self.line}: "
        return f"{where}{self.message} → {self.advice}"


class SiteConfigError(Exception):
    """The site file cannot be used; `mistakes` holds all of them, in the order of their lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: (mistake.line, mistake.path)))
        super().__init__("\n".join(map(str, self.mistakes)))
