"""Bodies of requests: their shape, and how much they may hold."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["RequestModel", "document_limits"]

_MOST_ELEMENTS, _MOST_TEXT, _MOST_DEPTH = 1000, 10_000, 20
"""Elements of a list or object, characters of a text, and how deep one may stand in the other."""
_LIMITS = {
    "array": {"maxItems": _MOST_ELEMENTS},
    "object": {"maxProperties": _MOST_ELEMENTS},
    "string": {"maxLength": _MOST_TEXT},
}
_BOUNDED = frozenset({"const", "enum", "properties"})
"""Words of a schema that leave no room for more than they name."""


class RequestModel(BaseModel):
    """Body of a request: no unknown fields, no list, text or depth beyond what anybody means to
    send.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, body: Any) -> Any:
        waiting: list[tuple[Any, tuple[str | int, ...]]] = [(body, ())]
        while waiting:
            value, place = waiting.pop()
            where = ".".join(map(str, place)) or "the body"
            if isinstance(value, str):
                _check_text(value, where)
            if not isinstance(value, (list, dict)):
                continue
            if len(value) > _MOST_ELEMENTS:
                raise ValueError(f"{where} has {len(value)} elements; it may have {_MOST_ELEMENTS}")
            if len(place) >= _MOST_DEPTH:
                raise ValueError(f"{where} is nested more than {_MOST_DEPTH} deep")
            if isinstance(value, dict):
                for key, inner in value.items():  # the key is looked at before what it names
                    waiting += [(inner, (*place, key[:40])), (key, (*place, "a name"))]
            else:
                waiting += [(inner, (*place, number)) for number, inner in enumerate(value)]
        return body


def _check_text(text: str, where: str) -> None:
    if len(text) > _MOST_TEXT:
        raise ValueError(f"{where} has {len(text)} characters; a text may have {_MOST_TEXT}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{where} has half a character (a surrogate without its pair)")


def document_limits(schema: dict[str, Any]) -> None:
    """Say in an OpenAPI schema how much a JSON body may hold where its model does not say it.

    Parameters
    ----------
    schema
        The schema, which is changed.
    """
    models = dict(schema["components"]["schemas"])
    waiting: list[Any] = [
        operation.get("requestBody", {}).get("content", {}).get("application/json")
        for methods in schema["paths"].values()
        for operation in methods.values()
    ]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            kind, reference = part.get("type"), part.get("$ref")
            if isinstance(reference, str):
                waiting.append(models.pop(reference.rsplit("/", 1)[-1], None))
            if isinstance(kind, str) and not _BOUNDED & part.keys():
                part.update(_LIMITS.get(kind, {}) | part)
            waiting += part.values()
