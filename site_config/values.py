"""Fill in what a site file only points to: `${VARIABLE}`, `<key>_file`, misspelt keys.

Hands on what the models can judge, and keeps a list of what it found wrong itself. Reads the
secret files and nothing else. Never repeats a secret.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from site_config.document import Document, join
from site_config.errors import Mistake
from site_config.model import Site
from site_config.shape import FILE_SUFFIX, Kind, is_secret, key_of, keys_of, shape_of

VARIABLE = re.compile(r"\$(\$\{)|\$\{([^}]*)(\}?)")
"""`$${` stands for a plain `${`; otherwise the name between the braces."""


class Values:
    """One pass over a document.

    Args:
        folder: where relative `<key>_file` paths begin: beside the site file.
    """

    def __init__(self, document: Document, environment: Mapping[str, str], folder: Path) -> None:
        self.mistakes: list[Mistake] = []
        self.hidden: set[str] = set()
        """Paths whose value must not be repeated: secrets, and what came from the environment."""
        self.excused: set[str] = set()
        """Paths already complained about: whatever a model says of them is a consequence."""
        self._lines = document.lines
        self._environment = environment
        self._folder = folder

    def fill(self, value: Any) -> Any:
        return self._model(value, Site, "")

    def _model(self, value: Any, model: type[BaseModel], path: str) -> Any:
        if not isinstance(value, dict):
            return self._leaf(value, path)
        fields = keys_of(model)
        filled: dict[str, Any] = {}
        for written, item in value.items():
            key = self._known_key(written, value, model, path)
            if key in fields:
                if item is not None or fields[key].is_required():
                    filled[key] = self._field(item, fields[key], join(path, key))
            elif key:
                secret = key.removesuffix(FILE_SUFFIX)
                filled[secret] = self._from_file(item, value, secret, path)
        return filled

    def _field(self, value: Any, field: FieldInfo, path: str) -> Any:
        shape = shape_of(field)
        if is_secret(field):
            self.hidden.add(path)
        if shape.model is None:
            return self._leaf(value, path)
        if shape.kind is Kind.TABLE and isinstance(value, dict):
            entries = {
                key: self._model(item, shape.model, join(path, key)) for key, item in value.items()
            }
            return self._numbered(entries, path) if shape.is_numbered else entries
        if shape.kind is Kind.LIST and isinstance(value, list):
            return [self._model(item, shape.model, join(path, n)) for n, item in enumerate(value)]
        return self._model(value, shape.model, path)

    def _numbered(self, entries: dict[str, Any], path: str) -> dict[str, Any]:
        """Find `1` and `01`, which are one EVSE to the model and two keys to YAML."""
        seen: dict[str, str] = {}
        for key in entries:
            number = key.lstrip("0") if key.isdecimal() else key
            if number in seen:
                message = f"is the same number as {seen[number]!r}"
                self._mistake(join(path, key), message, "remove one of the two")
            seen.setdefault(number, key)
        return entries

    # Environment.

    def _leaf(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return self._substituted(value, path)
        if isinstance(value, list):
            return [self._leaf(item, join(path, n)) for n, item in enumerate(value)]
        return value

    def _substituted(self, text: str, path: str) -> str:
        def replacement(found: re.Match[str]) -> str:
            escaped, name, closed = found.groups()
            if escaped:
                return str(escaped)
            self.hidden.add(path)
            if not closed or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                self._excused(
                    path,
                    "holds ${ without the name of a variable and }",
                    "write ${NAME}, or $${ where the two signs are meant",
                )
            elif name not in self._environment:
                self._excused(
                    path,
                    f"the environment variable {name} is not set",
                    f"set {name} where the gateway is started, or write the value here",
                )
            return self._environment.get(name, "")

        return VARIABLE.sub(replacement, text)

    # Secrets in files.

    def _from_file(self, item: Any, siblings: Mapping[str, Any], secret: str, path: str) -> str:
        here, target = join(path, secret + FILE_SUFFIX), join(path, secret)
        self.hidden.add(target)
        self._lines.setdefault(target, self._lines.get(here, 0))
        name = self._leaf(item, here)
        if siblings.get(secret) is not None:
            self.excused.add(target)
            self._mistake(here, f"{secret} is given as well", "keep one of the two")
        elif not isinstance(name, str) or not name:
            self.excused.add(target)
            if here not in self.excused:
                self._mistake(here, "names no file", "write the path of the file")
        else:
            return self._read(self._folder / name, here, target)
        return ""

    def _read(self, file: Path, here: str, target: str) -> str:
        problem = "is empty"
        try:
            secret = file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        except ValueError:
            problem = "is not UTF-8 text"
        else:
            if secret:
                return secret
        self.excused.add(target)
        advice = "put the secret there, readable for the user that runs the gateway"
        self._mistake(here, f"{file} {problem}", advice)
        return ""

    # Unknown keys.

    def _known_key(
        self, written: str, siblings: Mapping[str, Any], model: type[BaseModel], path: str
    ) -> str:
        """Return the key that was meant, or "" when nobody can tell."""
        fields = keys_of(model)
        secrets = [key + FILE_SUFFIX for key, field in fields.items() if is_secret(field)]
        known = [*fields, *secrets]
        if written in known:
            return written
        meant = _meant(written, model, known)
        here = join(path, written)
        if not meant:
            self._mistake(here, "is not a key that may stand here", _elsewhere(written, known))
            return ""
        advice = f"did you mean {meant}?"
        self._mistake(here, "is not a key that may stand here", advice)
        if meant in siblings:
            return ""
        self._lines.setdefault(join(path, meant), self._lines.get(here, 0))
        return meant

    def _excused(self, path: str, message: str, advice: str) -> None:
        self.excused.add(path)
        self._mistake(path, message, advice)

    def _mistake(self, path: str, message: str, advice: str) -> None:
        self.mistakes.append(Mistake(path, self._line(path), message, advice))

    def _line(self, path: str) -> int:
        while path not in self._lines and "." in path:
            path = path.rpartition(".")[0]
        return self._lines.get(path, 1)


def _meant(written: str, model: type[BaseModel], known: list[str]) -> str:
    for name, field in model.model_fields.items():
        if written == name:
            return key_of(name, field)
    like = written.lower().replace("-", "_")
    unit_forgotten = [key for key in known if key.startswith(f"{like}_") and len(like) > 2]
    close = get_close_matches(like, known, n=1, cutoff=0.7)
    return next(iter([*unit_forgotten[:1], *close]), "")


def _elsewhere(written: str, known: list[str]) -> str:
    places = {
        name: place
        for place, model in _places(Site, "")
        for name in keys_of(model)
        if name == written and place
    }
    if written in places:
        return f"{written} belongs under {places[written]}; here may stand: {', '.join(known)}"
    return f"remove it; here may stand: {', '.join(known)}"


def _places(model: type[BaseModel], path: str) -> list[tuple[str, type[BaseModel]]]:
    places = [(path, model)]
    for key, field in keys_of(model).items():
        shape = shape_of(field)
        if shape.model:
            entry = "" if shape.kind is Kind.MODEL else ".<name>"
            entry = ".<number>" if shape.is_numbered else entry
            places += _places(shape.model, f"{join(path, key)}{entry}")
    return places
