"""Site file -> `Site`, or every mistake in it at once.

Promise: whatever stands in the file, the only thing raised is `SiteConfigError`, and it holds
every mistake that could be found, each with its path, its line and what to do. Judges single
values only; whether they fit together is `proof`'s business.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from site_config.document import read_document
from site_config.errors import Mistake, SiteConfigError
from site_config.meters import is_model_file
from site_config.model import Site
from site_config.values import Values
from site_config.wording import mistake, path_of


def load_site(path: Path | str, environment: Mapping[str, str] = os.environ) -> Site:
    """Read a site file; raise `SiteConfigError` with all its mistakes."""
    file = Path(path)
    return parse_site(_text_of(file), environment, folder=file.parent)


def parse_site(text: str, environment: Mapping[str, str], *, folder: Path | str = Path()) -> Site:
    """Turn the text of a site file into a `Site`; raise `SiteConfigError` with all its mistakes.

    Args:
        environment: what `${VARIABLE}` stands for.
        folder: where relative `<key>_file` paths and those of meter models begin.
    """
    document = read_document(text)
    values = Values(document, environment, Path(folder))
    filled = values.fill(document.value)
    _anchor_model_files(filled, Path(folder))
    mistakes = document.mistakes + values.mistakes
    errors: list[ErrorDetails] = []
    try:
        site = Site.model_validate(filled)
    except ValidationError as refusal:
        errors = refusal.errors(include_url=False)
    lines = document.lines
    mistakes += [
        mistake(error, lambda path: _line_of(lines, path), values.hidden)
        for error in _worth_telling(errors, values.excused)
    ]
    if mistakes:
        raise SiteConfigError(mistakes)
    site.remember_lines(lines)
    return site


def _anchor_model_files(filled: Any, folder: Path) -> None:
    """Let paths of the site's own meter models begin beside the site file."""
    meters = filled.get("meters") if isinstance(filled, dict) else None
    for meter in meters.values() if isinstance(meters, dict) else ():
        model = meter.get("model") if isinstance(meter, dict) else None
        if isinstance(model, str) and is_model_file(model):
            meter["model"] = str(folder / model)


def _worth_telling(errors: list[ErrorDetails], excused: set[str]) -> list[ErrorDetails]:
    """Leave out what only follows from another mistake."""
    paths = [path_of(error) for error in errors]
    return [
        error
        for error, path in zip(errors, paths, strict=True)
        if path not in excused
        # A list whose only item is wrong is "too short" to pydantic.
        and not (error["type"] == "too_short" and any(p.startswith(f"{path}.") for p in paths))
    ]


def _line_of(lines: Mapping[str, int], path: str) -> int:
    while path not in lines and "." in path:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)


def _text_of(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise SiteConfigError([Mistake("", 0, message, "check the path")]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = Mistake("", line, "is not UTF-8 text", "save the file as UTF-8")
        raise SiteConfigError([wrong]) from None
