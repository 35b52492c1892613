"""Docstrings as the code has them, in the form that napoleon reads."""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

__all__ = ["prepare"]

_NAMES = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)+)( : .*)?")


def prepare(
    _app: Sphinx, what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Prepare a docstring, line by line.

    A colon in the summary of an attribute does not end a type, and an entry for several names
    (``value, error``) becomes one for each.
    """
    if what in ("attribute", "data", "property") and lines:
        lines[0] = lines[0].replace(": ", " -- ")
    lines[:] = _one_name_each(lines)


def _one_name_each(lines: list[str]) -> Iterator[str]:
    position = 0
    while position < len(lines):
        found = _NAMES.fullmatch(lines[position])
        end = position + 1
        while end < len(lines) and lines[end].startswith("    "):
            end += 1
        if found is None or end == position + 1:
            yield lines[position]
            position += 1
            continue
        for name in found[1].split(", "):
            yield f"{name}{found[2] or ''}"
            yield from lines[position + 1 : end]
        position = end
