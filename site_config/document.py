"""YAML text -> plain mappings, lists and texts, and the line every one of them stands on.

Knows YAML, not what a site is. Every scalar stays the text that was written: what is a number
is decided by the model, so `no`, `17:00`, `007` and `1e3` are never turned into something else
on the way. Only an empty value, `~` and `null` become None.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from site_config.errors import Mistake, SiteConfigError

Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml reads a thousand stations in a tenth of the time, but is not everywhere."""

MAX_DEPTH = 32
MAX_OPEN_BRACKETS = 1_000
MAX_LINE_CHARACTERS = 10_000
MAX_VALUES = 250_000
"""A file that unfolds to more, through aliases, is an accident or an attack."""

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
PRINTABLE = "\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
"""Characters YAML 1.1 allows in a file (§5.1)."""

Value = dict[str, Any] | list[Any] | str | None


@dataclass(slots=True)
class Document:
    """A file's content, where each part of it stands, and what was wrong with its form."""

    value: Value = None
    lines: dict[str, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def read_document(text: str) -> Document:
    """Parse `text`; raise `SiteConfigError` when it is not YAML at all."""
    root = _compose(text)
    reader = _Reader()
    if root is None:
        raise SiteConfigError(
            [Mistake("", 1, "the file is empty", "begin with the example site file")]
        )
    try:
        reader.document.value = reader.value(root, "", 0)
    except RecursionError:
        raise SiteConfigError([_too_deep(1)]) from None
    return reader.document


def join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


class _Reader:
    """Turns nodes into values; one per document, for it counts what aliases unfold to."""

    def __init__(self) -> None:
        self.document = Document()
        self._values = 0

    def value(self, node: yaml.Node, path: str, depth: int) -> Value:
        line = node.start_mark.line + 1
        self._values += 1
        if depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise SiteConfigError([*self.document.mistakes, _too_deep(line)])
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._mistake(
                path,
                line,
                f"{node.tag} is a YAML tag, and none is known here",
                "write the value itself, ${VARIABLE} for the environment or <key>_file for a file",
            )
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path, depth)
            case yaml.SequenceNode():
                return self._sequence(node, path, depth)
            case yaml.ScalarNode():
                return None if not node.style and node.value in NULLS else str(node.value)
        raise TypeError(f"not a YAML node: {node!r}")

    def _sequence(self, node: yaml.SequenceNode, path: str, depth: int) -> Value:
        items = []
        for n, item in enumerate(node.value):
            here = join(path, n)
            self.document.lines[here] = item.start_mark.line + 1
            items.append(self.value(item, here, depth + 1))
        return items

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> Value:
        written: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistake(path, line, "a list or mapping stands as a key", "write a name")
                continue
            key = key_node.value
            here = join(path, key)
            if key == "<<" and not key_node.style:
                merged = self._merged(value_node, path, depth) | merged
            elif key in written:
                first = self.document.lines[here]
                self._mistake(
                    here, line, f"is given twice, first on line {first}", "remove one of the two"
                )
            else:
                self.document.lines[here] = line
                written[key] = self.value(value_node, here, depth + 1)
        return merged | written

    def _merged(self, node: yaml.Node, path: str, depth: int) -> dict[str, Any]:
        """Return what `<<: *anchor` or `<<: [*first, *second]` brings in; the first one wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            value = self.value(source, path, depth + 1)
            if isinstance(value, dict):
                merged = value | merged
            else:
                self._mistake(
                    path,
                    source.start_mark.line + 1,
                    "<< brings in something that has no keys",
                    "point it to an &anchor on a mapping",
                )
        return merged

    def _mistake(self, path: str, line: int, message: str, advice: str) -> None:
        self.document.mistakes.append(Mistake(path, line, message, advice))


def _compose(text: str) -> yaml.Node | None:
    if odd := re.search(f"[^{PRINTABLE}]", text):
        line = text.count("\n", 0, odd.start()) + 1
        message = f"holds a character that is no text (U+{ord(odd[0]):04X})"
        raise SiteConfigError([Mistake("", line, message, "delete it and save as UTF-8 text")])
    if line := _line_too_deep(text):
        raise SiteConfigError([_too_deep(line)])
    try:
        return yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        raise SiteConfigError(_form_mistakes(error, text)) from None
    except RecursionError:
        raise SiteConfigError([_too_deep(1)]) from None


def _line_too_deep(text: str) -> int:
    """Return the line on which a file leaves all reason, or 0: libyaml would crash, not refuse."""
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        depth += sum(line.count(sign) for sign in "[{") - sum(line.count(sign) for sign in "]}")
        if depth > MAX_OPEN_BRACKETS or len(line) > MAX_LINE_CHARACTERS:
            return number
    return 0


def _too_deep(line: int) -> Mistake:
    return Mistake("", line, "is nested without end", "remove what repeats itself")


FORM_MISTAKES = [
    (
        "mapping values are not allowed",
        "a second ':' stands on this line, or it is indented too far",
        "put one key per line; put a text that holds ': ' in quotes",
    ),
    (
        "could not find expected ':'",
        "a line above has no ':' after its key",
        "write key: value, with a space after the colon",
    ),
    (
        "unexpected end of stream",
        "a quotation mark is opened and never closed",
        "close it at the end of the text",
    ),
    (
        "flow",
        "a [ or { is opened and never closed",
        "close it, with commas between its parts; in brackets, put ${NAME} in quotes",
    ),
    (
        "cannot start any token",
        "a value begins with a character that YAML keeps for itself",
        "put the value in quotes",
    ),
    ("undefined alias", "* names an &anchor that does not exist", "put the value in quotes"),
    ("duplicate anchor", "an &anchor is defined twice", "rename one of them"),
    ("escape", 'a \\ in "…" begins an unknown sign', "use '…' quotes, where \\ is a plain sign"),
    ("another document", "--- begins a second document", "keep one site in one file"),
    (
        "block",
        "the indentation does not fit the lines above",
        "start keys that belong together in the same column, with spaces",
    ),
]
"""(part of the parser's text, what is wrong in plain words, what to do)."""

OPENED_ABOVE = ("unexpected end of stream", "flow", "could not find expected ':'")
"""Mistakes that the parser notices far below the line on which they were made."""


def _form_mistakes(error: yaml.MarkedYAMLError, text: str) -> list[Mistake]:
    lines = text.splitlines()
    if tabs := [n for n, line in enumerate(lines, 1) if re.match(r" *\t\s*[^\s#]", line)]:
        advice = "indent with spaces, two per level"
        return [Mistake("", n, "is indented with a tab", advice) for n in tabs]
    mark = error.problem_mark or error.context_mark
    number = min(mark.line + 1 if mark else 1, max(len(lines), 1))
    said = f"{error.context or ''} {error.problem or ''}"
    for part, message, advice in FORM_MISTAKES:
        if part in said:
            if error.context_mark and part in OPENED_ABOVE:
                number = error.context_mark.line + 1
            return [Mistake("", number, message, advice)]
    return [Mistake("", number, f"is not YAML: {error.problem}", "compare with the example")]
