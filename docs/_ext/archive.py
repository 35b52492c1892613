"""Reference of the files that the stand-in archive reads, from their pydantic models."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from docs._ext.markup import list_table, literal, prose
from simulator.archive.description import Description, Token
from simulator.archive.faults import FaultRule

__all__ = ["archive_description", "archive_tokens", "fault_rules"]


def archive_description() -> Iterator[str]:
    """Describe the keys of ``archive.toml``."""
    yield from _keys(Description)


def archive_tokens() -> Iterator[str]:
    """Describe the keys of one of its tokens."""
    yield from _keys(Token)


def fault_rules() -> Iterator[str]:
    """Describe the keys of a rule."""
    yield from _keys(FaultRule)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    rows = []
    for name, field in model.model_fields.items():
        said = [f"{prose(field.description).rstrip('.')}."]
        default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
        if default not in (None, (), {}, ""):
            said.append(f"Default: {literal(str(default).lower())}.")
        rows.append((literal(name), " ".join(said)))
    yield from list_table(("Key", "Meaning"), rows, "20 80")
