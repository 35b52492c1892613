"""Reference of the settings, from their pydantic models."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs._ext.markup import heading, literal, prose
from shared.settings import Settings

__all__ = ["settings"]

_PREFIX = "COSMO_"
_TITLES = {"api": "HTTP API"}


def settings() -> Iterator[str]:
    """Describe every environment variable."""
    yield from heading("Servers and logs", "-")
    groups = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            groups.append((name, kind))
        else:
            yield from _variable(f"{_PREFIX}{name.upper()}", field)
    for name, kind in groups:
        yield from heading(_TITLES.get(name, name.capitalize()), "-")
        yield from (prose(kind.__doc__), "")
        for inner, field in kind.model_fields.items():
            yield from _variable(f"{_PREFIX}{name.upper()}__{inner.upper()}", field)


def _variable(name: str, field: FieldInfo) -> Iterator[str]:
    said = [f"{prose(field.description).rstrip('.')}."]
    if (default := _default(field)) not in (None, ""):
        said.append(f"Default: {literal(default)}.")
    said += [text for limit in field.metadata if (text := _limit(limit))]
    yield from (f".. envvar:: {name}", "", f"   {' '.join(said)}", "")


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined or isinstance(value, SecretStr) else value


def _limit(limit: Any) -> str:
    words = {"gt": "Greater than", "ge": "At least", "lt": "Less than", "le": "At most"}
    return next(
        (f"{said} {value:g}." for name, said in words.items() if (value := _number(limit, name))),
        "",
    )


def _number(limit: Any, name: str) -> float | None:
    value = getattr(limit, name, None)
    return None if value is None else float(value)
