"""Which keys may stand where: the models of the contract, asked by path.

Pure. A *table* is a mapping whose keys the installer chooses: circuits, stations, EVSEs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from site_config.model import Site

FILE_SUFFIX = "_file"


class Kind(Enum):
    """How the values of a model stand below a key."""

    LEAF = auto()
    MODEL = auto()
    TABLE = auto()
    LIST = auto()


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand below one key."""

    kind: Kind
    model: type[BaseModel] | None = None
    """Model of the value, or of each value of a table or list; None for a leaf."""
    is_numbered: bool = False
    """Of a table: its keys are whole numbers."""


def keys_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of a model by the key that stands in the file."""
    return {key_of(name, field): field for name, field in model.model_fields.items()}


def key_of(name: str, field: FieldInfo) -> str:
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def is_secret(field: FieldInfo) -> bool:
    return not field.repr


def shape_of(field: FieldInfo) -> Shape:
    return _shape(field.annotation)


def field_at(path: Sequence[int | str]) -> FieldInfo | None:
    """Return the field at a path from the top of the file; None for a table's entry."""
    model: type[BaseModel] | None = Site
    table: type[BaseModel] | None = None
    found: FieldInfo | None = None
    for key in path:
        if model is None:
            model, table, found = table, None, None
            continue
        found = keys_of(model).get(str(key))
        if found is None:
            return None
        shape = shape_of(found)
        model = shape.model if shape.kind is Kind.MODEL else None
        table = shape.model if shape.kind in (Kind.TABLE, Kind.LIST) else None
    return found


def _shape(annotation: Any) -> Shape:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Shape(Kind.MODEL, annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0])
    if origin is dict:
        key = arguments[0]
        key = get_args(key)[0] if get_origin(key) is Annotated else key
        return Shape(Kind.TABLE, _shape(arguments[1]).model, is_numbered=key is int)
    inner = [shape for argument in arguments if (shape := _shape(argument)).model]
    if not inner:
        return Shape(Kind.LEAF)
    return Shape(Kind.LIST, inner[0].model) if origin is tuple else inner[0]
