"""What a model refuses, in the words of the person who wrote the file.

Pure. One sentence per kind of pydantic error; no value is repeated that may be a secret.
"""

import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from site_config.document import join
from site_config.errors import Mistake
from site_config.shape import field_at

KEY_MARK = "[key]"
"""How pydantic marks that the key, not the value below it, is wrong."""
SHOWN_CHARACTERS = 60

NUMBERS = ("float_parsing", "float_type", "finite_number")
WHOLE_NUMBERS = ("int_parsing", "int_type", "int_from_float", "int_parsing_size")
TEXTS = ("string_type", "string_sub_type", "string_unicode")
LISTS = ("tuple_type", "list_type")
MAPPINGS = ("model_type", "dict_type", "model_attributes_type")
COMPARISONS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def path_of(error: ErrorDetails) -> str:
    path = ""
    for key in error["loc"]:
        path = path if key == KEY_MARK else join(path, key)
    return path


def mistake(error: ErrorDetails, line_of: Callable[[str], int], hidden: Collection[str]) -> Mistake:
    """Put one of pydantic's errors into plain words."""
    path = path_of(error)
    shown = _shown(error["input"], is_hidden=any(_is_within(path, other) for other in hidden))
    message, advice = _words(error, shown)
    return Mistake(path, line_of(path), message, advice)


def _words(error: ErrorDetails, shown: str) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing", _how_to_add(error)
    if error["loc"][-1] == KEY_MARK:
        return "is no number of an EVSE", "number the EVSEs of a station 1, 2, 3, …"
    if error["input"] is None:
        return "is empty", _how_to_add(error)
    if kind in NUMBERS + WHOLE_NUMBERS:
        return _number_words(error, shown)
    if kind in COMPARISONS:
        name, words = COMPARISONS[kind]
        bound = f"{words} {context[name]:g}"
        return f"{shown} is out of range", f"write a number of {bound}"
    if kind in ("literal_error", "enum"):
        return _choice_words(error, shown)
    return _form_words(error, shown)


def _number_words(error: ErrorDetails, shown: str) -> tuple[str, str]:
    whole = error["type"] in WHOLE_NUMBERS
    text = str(error["input"]).strip()
    if re.fullmatch(r"-?\d+,\d+", text) and not whole:
        return f"{shown} is not a number", "write a decimal point, not a comma"
    if found := re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([AVWs]|kW|ms|Amp\w*)", text):
        return (
            f"{shown} is not a number",
            f"write {found[1]} alone; the unit is part of the key's name",
        )
    return (
        f"{shown} is not a {'whole ' if whole else ''}number",
        f"write a {'whole number' if whole else 'number'}, such as {3 if whole else 16}",
    )


def _choice_words(error: ErrorDetails, shown: str) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    text = str(error["input"])
    lowered = {choice.lower(): choice for choice in choices}
    close = get_close_matches(text.lower(), lowered, n=1, cutoff=0.4)
    hint = f"did you mean {lowered[close[0]]}? " if close else ""
    return f"{shown} is not possible here", f"{hint}choose from {', '.join(choices)}"


def _form_words(error: ErrorDetails, shown: str) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind in TEXTS:
        return f"{shown} is not a text", "write one value after the colon"
    if kind in LISTS:
        return f"{shown} is not a list", f"write it in brackets: [{_item(error['input'])}]"
    if kind in MAPPINGS:
        return f"{shown} stands where keys are expected", "write its keys below it, indented"
    if kind == "value_error":
        return f"{shown} {context['error']}", _example(error) or "correct it"
    if kind == "string_pattern_mismatch":
        return f"{shown} has the wrong form", _example(error) or "correct it"
    if kind == "string_too_short":
        return "is too short", f"use at least {context['min_length']} characters"
    if kind == "string_too_long":
        return "is too long", f"use at most {context['max_length']} characters"
    if kind == "too_short":
        return "holds nothing", f"give at least {context['min_length']}"
    if kind == "too_long":
        return "holds too much", f"give at most {context['max_length']}"
    return f"{shown} is not possible here", _example(error) or "compare with the example site file"


def _how_to_add(error: ErrorDetails) -> str:
    field = field_at(error["loc"])
    key = error["loc"][-1]
    if field is None or not field.description:
        return "write its keys below it, indented"
    return f"add {key}: {field.description.rstrip('.')}"


def _example(error: ErrorDetails) -> str:
    field = field_at(error["loc"])
    return f"write it like {field.examples[0]}" if field and field.examples else ""


def _item(value: Any) -> str:
    return value if isinstance(value, str) and len(value) < SHOWN_CHARACTERS else "…"


def _shown(value: Any, *, is_hidden: bool) -> str:
    if is_hidden:
        return "its value"
    if isinstance(value, str):
        text = re.sub(r"//[^/@\s]*@", "//…@", value)
        return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")
    return "a list" if isinstance(value, list) else "a group of keys"


def _is_within(path: str, other: str) -> bool:
    return path == other or path.startswith(other + ".")
