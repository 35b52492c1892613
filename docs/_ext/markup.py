"""reStructuredText made of names, texts and tables of the code."""

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import indent

__all__ = ["heading", "list_table", "literal", "prose", "target"]

_CODE = re.compile(r"(``?)(.+?)\1", re.DOTALL)
_SECTION = re.compile(r"\n\s*\n[A-Z][A-Za-z ]+\n-{3,}\n")
_SPECIAL = re.compile(r"([*|\\]|(?<=\w)_(?=\W|$))")


def literal(text: object) -> str:
    """Write a text as code; nothing stays nothing."""
    found = str(text).strip()
    return f"``{found}``" if found else ""


def prose(text: str | None) -> str:
    """Write a plain text of the code, of which backquotes mark names.

    Sections of a numpydoc docstring are left out.
    """
    summary = _SECTION.split(text or "", maxsplit=1)[0].strip()
    parts, end = [], 0
    for found in _CODE.finditer(summary):
        parts += [_SPECIAL.sub(r"\\\1", summary[end : found.start()]), f"``{found[2].strip()}``\\ "]
        end = found.end()
    parts.append(_SPECIAL.sub(r"\\\1", summary[end:]))
    return "".join(parts).removesuffix("\\ ")


def target(name: str) -> list[str]:
    """Place that other pages can link to."""
    return [f".. _{name}:", ""]


def heading(text: str, underline: str) -> list[str]:
    """Title of a section."""
    return [text, underline * len(text), ""]


def list_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto"
) -> Iterator[str]:
    """Table with a row of titles; without rows there is none."""
    rows = list(rows)
    if not rows:
        return
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in (header, *rows):
        for number, cell in enumerate(row):
            first, *others = indent(cell, "       ").lstrip().split("\n")
            yield f"   {'* -' if number == 0 else '  -'} {first}".rstrip()
            yield from others
    yield ""
