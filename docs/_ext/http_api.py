"""Reference of the HTTP API, from its OpenAPI schema."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from docs._ext.markup import heading, list_table, literal, prose, target
from services.monitor.web.app import create_app
from shared.settings import Settings

__all__ = ["http_api"]

Schema = Mapping[str, Any]

_PREFIX = "/api/v1"
_FIRST_ERROR = 400
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
        _Operation(path.removeprefix(_PREFIX), method.upper(), operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    operations.sort(key=lambda operation: operation.tag)
    yield from target("api-operations")
    yield from heading("Operations", "-")
    yield from list_table(
        ("Operation", "What it does"),
        ((operation.link, prose(operation.schema["summary"])) for operation in operations),
        "50 50",
    )
    everywhere = set.intersection(*(set(operation.errors) for operation in operations))
    yield from _errors(operations, everywhere)
    for tag, group in groupby(operations, key=lambda operation: operation.tag):
        yield from target(f"api-{tag}")
        yield from heading(tag.capitalize(), "-")
        for operation in group:
            yield from operation.described(everywhere)
    yield from target("api-models")
    yield from heading("Models", "-")
    for name, model in sorted(schema["components"]["schemas"].items()):
        yield from _model(name, model)


@dataclass(frozen=True)
class _Operation:
    path: str
    method: str
    schema: Schema

    @property
    def tag(self) -> str:
        return str(self.schema["tags"][0])

    @property
    def title(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def label(self) -> str:
        return "api-" + re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")

    @property
    def link(self) -> str:
        return f":ref:`{self.title} <{self.label}>`"

    @property
    def errors(self) -> dict[str, str]:
        """What its errors mean, by status."""
        answers: Schema = self.schema["responses"]
        return {
            status: str(answer["description"])
            for status, answer in answers.items()
            if int(status) >= _FIRST_ERROR
        }

    def described(self, everywhere: Set[str]) -> Iterator[str]:
        """Describe it; errors that every operation has are not repeated."""
        yield from target(self.label)
        yield from heading(literal(self.title), "~")
        yield from (f"**{prose(self.schema['summary'])}**", "")
        yield from (prose(self.schema.get("description")), "")
        yield from list_table(
            ("Parameter", "In", "Type", "Meaning"),
            map(_parameter, self.schema.get("parameters", ())),
            "20 10 30 40",
        )
        if body := self.schema.get("requestBody"):
            yield from (f"Body: {_content(body)}", "")
        yield from ("Answers:", "")
        for status, answer in self.schema["responses"].items():
            if int(status) < _FIRST_ERROR:
                said = filter(None, (_success(answer), _content(answer)))
                yield f"* {status}: {'; '.join(said)}"
        yield ""
        if others := [status for status in self.errors if status not in everywhere]:
            yield from (f":ref:`Errors <api-errors>` beside the common ones: {', '.join(others)}.",)
            yield ""


def _errors(operations: Sequence[_Operation], everywhere: Set[str]) -> Iterator[str]:
    """Describe the errors, each of which means the same wherever it occurs."""
    meanings = {status: meaning for one in operations for status, meaning in one.errors.items()}
    yield from target("api-errors")
    yield from heading("Errors", "-")
    yield from (f"Their content is {_type({'$ref': f'{_REFERENCE}ErrorResponse'})}.", "")
    yield from list_table(
        ("Status", "Meaning", "Operations"),
        (
            (status, meaning, "all" if status in everywhere else "some")
            for status, meaning in sorted(meanings.items())
        ),
        "10 70 20",
    )


def _success(answer: Schema) -> str:
    """Return what an answer means, but for the words that stand where nothing was said."""
    said = prose(answer["description"])
    return ("" if answer.get("content") else "done") if said == "Successful Response" else said


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
    return f": {kind}" if kind not in ("", "string") else ""


def _model(name: str, model: Schema) -> Iterator[str]:
    yield from target(f"model-{name.lower()}")
    yield from heading(_shown(name), "~")
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


def _shown(name: str) -> str:
    """Return the name of a model as Python writes it, ``Page[JobRecord]``."""
    return re.sub(r"^(\w+?)_(\w+)_$", r"\1[\2]", name)


def _meaning(schema: Schema) -> str:
    said = [f"{text.rstrip('.')}." for text in [prose(schema.get("description"))] if text]
    if schema.get("default") not in (None, "", [], {}) and not isinstance(schema["default"], dict):
        said.append(f"Default: {literal(schema['default'])}.")
    limits = [text.format(schema[name]) for name, text in _LIMITS.items() if name in schema]
    if limits:
        said.append(f"{', '.join(limits)}.".capitalize())
    return " ".join(said)


def _type(schema: Schema) -> str:
    """Type in words, with links to models."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_REFERENCE)
        return f":ref:`{_shown(name)} <model-{name.lower()}>`"
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
