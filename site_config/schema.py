"""JSON Schema of the site file, so that an editor completes keys and underlines slips. Pure."""

from typing import Any

from pydantic import BaseModel

from site_config.model import Site
from site_config.shape import FILE_SUFFIX, is_secret, keys_of, shape_of

CONSTRAINTS = frozenset({"pattern", "enum", "minLength", "maxLength", "format"})
VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
"""Any text may be taken from the environment."""


def site_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a site file."""
    schema = Site.model_json_schema(by_alias=True, mode="validation")
    models = _models(Site)
    for name, definition in schema["$defs"].items():
        if name in models:
            _allow_secret_files(definition, models[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "site-gateway site file",
        **{key: value for key, value in _with_variables(schema).items() if key != "title"},
    }


def _models(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return a model and all models below it, by the names the schema gives them."""
    found = {model.__name__: model}
    for field in model.model_fields.values():
        inner = shape_of(field).model
        if inner:
            found |= _models(inner)
    return found


def _allow_secret_files(definition: dict[str, Any], model: type[BaseModel]) -> None:
    """Add `<key>_file` beside every secret; a required secret may be given either way."""
    for key, field in keys_of(model).items():
        if not is_secret(field):
            continue
        definition["properties"][key + FILE_SUFFIX] = {
            "type": "string",
            "description": f"File that holds the {key}, instead of {key}; beside the site file "
            "if relative.",
        }
        required = definition.get("required", [])
        if key in required:
            required.remove(key)
            definition["oneOf"] = [{"required": [key]}, {"required": [key + FILE_SUFFIX]}]


def _with_variables(schema: Any) -> Any:
    """Let `${VARIABLE}` stand wherever a text has to have a certain form."""
    if isinstance(schema, list):
        return [_with_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string" and CONSTRAINTS & schema.keys():
        form = {key: schema[key] for key in schema.keys() & (CONSTRAINTS | {"type"})}
        told = {key: schema[key] for key in schema if key not in form}
        return {"anyOf": [form, VARIABLE], **told}
    return {key: _with_variables(value) for key, value in schema.items()}
