"""Reference of a recipe, from its JSON Schema."""

from collections.abc import Iterator
from typing import Any

from docs._ext.markup import heading, list_table, literal, prose, target
from shared.recipes import recipe_schema

__all__ = ["recipe"]

_REFERENCE = "#/$defs/"


def recipe() -> Iterator[str]:
    """Describe every key of the document and of its parts."""
    schema = recipe_schema()
    for name, part in {"Recipe": schema, **schema["$defs"]}.items():
        yield from target(f"recipe-{name.lower()}")
        yield from heading(name, "~")
        yield from (prose(part.get("description")), "")
        rows = ((literal(key), _type(found), _meaning(found)) for key, found in _keys(part))
        yield from list_table(("Key", "Value", "Meaning"), rows, "25 30 45")


def _keys(part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from part.get("properties", {}).items()


def _meaning(schema: dict[str, Any]) -> str:
    said = [f"{text.rstrip('.')}." for text in [prose(schema.get("description"))] if text]
    if names := schema.get("propertyNames", {}).get("enum"):
        said.append(f"Keys: {', '.join(map(literal, names))}.")
    if values := schema.get("properties"):
        said.append(
            "Keys: " + ", ".join(f"{literal(key)} ({_type(values[key])})" for key in values)
        )
    if (default := schema.get("default")) not in (None, "", [], {}) and not isinstance(
        default, dict
    ):
        said.append(f"Default: {literal(default)}.")
    return " ".join(said)


def _type(schema: dict[str, Any]) -> str:
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_REFERENCE)
        return f":ref:`{name} <recipe-{name.lower()}>`"
    if options := schema.get("anyOf"):
        kinds = [_type(option) for option in options if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if values := schema.get("enum"):
        return ", ".join(map(literal, values))
    if "const" in schema:
        return literal(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    for inner in schema.get("patternProperties", {}).values():
        return f"object of {_type(inner)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    low, high = schema.get("minimum"), schema.get("maximum")
    limits = f", {low:g} to {high:g}" if low is not None and high is not None else ""
    return f"{schema.get('type', 'any')}{limits}"
