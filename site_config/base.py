"""What every part of the site file's model is made of: a frozen model, and what a secret is. Pure.

A field that is left out of `repr` is a secret: `load` accepts `<key>_file` for it and never
repeats its value. The text below a field is shown by editors, so it speaks to installers.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Secret = Annotated[str, Field(repr=False)]
OptionalSecret = Annotated[str | None, Field(repr=False)]


class Model(BaseModel):
    """Frozen; an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )
