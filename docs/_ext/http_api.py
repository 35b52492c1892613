"""Reference of the HTTP API, from its OpenAPI schema."""

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any

from docs._ext.markup import heading, list_table, literal, prose, target
from services.monitor.web.app import create_app
from shared.settings import Settings

__all__ = ["http_api"]

Schema = Mapping[str, Any]

_PREFIX = "/api/v1"
_REFERENCE = "#/components/schemas/"
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} names",
}


def http_api() -> Iterator[str]:
    """Describe every operation, and every model of bodies and answers."""
    schema = create_app(Settings()).openapi()
    operations = [
        (path.removeprefix(_PREFIX), method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    operations.sort(key=lambda item: str(item[2]["tags"][0]))
    common = set.intersection(*(set(operation["responses"]) for _, _, operation in operations))
    yield from target("api-statuses")
    yield from heading("Statuses of every operation", "-")
    yield from _statuses(operations[0][2], common)
    for tag, group in groupby(operations, key=lambda item: str(item[2]["tags"][0])):
        yield from target(f"api-{tag}")
        yield from heading(tag.capitalize(), "-")
        for path, method, operation in group:
            yield from _operation(path, method, operation, common)
    yield from target("api-models")
    yield from heading("Models", "-")
    for name, model in sorted(schema["components"]["schemas"].items()):
        yield from _model(name, model)


def _operation(path: str, method: str, operation: Schema, common: Collection[str]) -> Iterator[str]:
    yield from heading(literal(f"{method.upper()} {path}"), "~")
    summary, description = operation.get("summary", ""), operation.get("description", "")
    yield from (f"**{prose(summary)}**", "", prose(description), "")
    yield from list_table(
        ("Parameter", "In", "Type", "Meaning"),
        map(_parameter, operation.get("parameters", ())),
        "20 10 30 40",
    )
    if body := operation.get("requestBody"):
        yield from (f"Body: {_content(body)}", "")
    yield from _statuses(operation, operation["responses"].keys() - common)


def _statuses(operation: Schema, statuses: Collection[str]) -> Iterator[str]:
    """Say what some answers of an operation mean and have."""
    return list_table(
        ("Status", "Meaning", "Content"),
        (
            (status, prose(answer.get("description")), _content(answer))
            for status, answer in operation["responses"].items()
            if status in statuses
        ),
        "10 45 45",
    )


def _parameter(parameter: Schema) -> tuple[str, str, str, str]:
    name = literal(parameter["name"]) + (" (required)" if parameter.get("required") else "")
    kind = parameter["schema"]
    return name, parameter["in"], _type(kind), _meaning({**kind, **parameter})


def _content(answer: Schema) -> str:
    return ", ".join(
        f"{literal(media)}{_of(content)}" for media, content in answer.get("content", {}).items()
    )


def _of(content: Schema) -> str:
    kind = _type(content.get("schema", {}))
    return f": {kind}" if kind else ""


def _model(name: str, model: Schema) -> Iterator[str]:
    yield from target(f"model-{name.lower()}")
    yield from heading(name, "~")
    yield from (prose(model.get("description")), "")
    if "enum" in model:
        yield from (f"One of {', '.join(map(literal, model['enum']))}.", "")
    required = model.get("required", ())
    rows = (
        (
            literal(field) + (" (required)" if field in required else ""),
            _type(schema),
            _meaning(schema),
        )
        for field, schema in model.get("properties", {}).items()
    )
    yield from list_table(("Field", "Type", "Meaning"), rows, "25 30 45")


def _meaning(schema: Schema) -> str:
    said = [f"{text.rstrip('.')}." for text in [prose(schema.get("description"))] if text]
    if schema.get("default") not in (None, "", [], {}) and not isinstance(schema["default"], dict):
        said.append(f"Default: {literal(schema['default'])}.")
    parts = (schema, *schema.get("anyOf", ()))
    limits = [
        text.format(part[name]) for part in parts for name, text in _LIMITS.items() if name in part
    ]
    if limits:
        said.append(f"{', '.join(limits)}.".capitalize())
    return " ".join(said)


def _type(schema: Schema) -> str:
    """Type in words, with links to models."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_REFERENCE)
        return f":ref:`{name} <model-{name.lower()}>`"
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return ", ".join(literal(value) for value in values if value is not None)
    if options := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [_type(option) for option in options]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    match schema.get("type"):
        case "array":
            inner = _type(schema.get("items", {}))
            return f"array of {inner}" if inner else "array"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            inner = _type(schema["additionalProperties"])
            return f"object of {inner}" if inner else "object"
        case str(kind):
            return f"{kind} ({schema['format']})" if "format" in schema else kind
    return ""
