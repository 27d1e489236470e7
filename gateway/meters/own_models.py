"""What is wrong with the meter models that a site brings along, each mistake with its line.

Reads the data files that the site file names (`model: ./my-meter.yaml`), opens nothing else.
"""

from pathlib import Path

from gateway.meters.model import examine
from site_config.document import read_document
from site_config.errors import Mistake, SiteConfigError
from site_config.meters import is_model_file
from site_config.model import Site

ADVICE = "compare with the data file in the README, under Extend"


def prove_own_models(site: Site) -> list[Mistake]:
    """Return every mistake in every data file of the site; each file is read once."""
    first: dict[str, str] = {}
    for name, meter in site.meters.items():
        if is_model_file(meter.model):
            first.setdefault(meter.model, f"meters.{name}.model")
    return [
        Mistake(path, site.line_of(path), message, advice)
        for file, path in first.items()
        for message, advice in _mistakes_of(file)
    ]


def _mistakes_of(file: str) -> list[tuple[str, str]]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        advice = "correct the path; it begins beside the site file"
        return [(f"{file} cannot be read: {error.strerror}", advice)]
    except UnicodeDecodeError:
        return [(f"{file} is not UTF-8 text", "save the file as UTF-8")]
    try:
        document = read_document(text)
    except SiteConfigError as error:
        return [(f"{file}:{found.line}: {found.message}", found.advice) for found in error.mistakes]
    _, mistakes = examine(file, text)
    lines = document.lines
    return [
        (f"{file}:{_line_of(lines, path)}: {path}: {words}", ADVICE) for path, words in mistakes
    ]


def _line_of(lines: dict[str, int], path: str) -> int:
    while path not in lines and path:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)
