"""Values that do not change, and are made for every message.

The type checker holds them frozen; the interpreter does not look. A frozen dataclass sets each
field by a call of `object.__setattr__`: four times the CPU, and some twenty such values are made
of every message of a station.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a dataclass with slots that is equal and hashed by its fields."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
