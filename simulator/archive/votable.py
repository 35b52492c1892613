"""VOTables as CADC writes them, row by row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

__all__ = ["VOTABLE", "Field", "error_table", "table"]

VOTABLE: Final = "application/x-votable+xml"
_START: Final = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="1.3">
  <RESOURCE type="results">
"""
_END: Final = "  </RESOURCE>\n</VOTABLE>\n"


@dataclass(frozen=True)
class Field:
    """Column of a table; empty is what it has not.

    Attributes
    ----------
    name, datatype, arraysize, utype, xtype, unit, ucd
        Attributes of its FIELD.
    """

    name: str
    datatype: str = "char"
    arraysize: str = ""
    utype: str = ""
    xtype: str = ""
    unit: str = ""
    ucd: str = ""


def table(
    fields: Sequence[Field],
    rows: Iterable[Sequence[Any]],
    *,
    query: str | None = None,
    most: int | None = None,
) -> Iterator[str]:
    """Yield a VOTable in parts.

    Parameters
    ----------
    fields
        Its columns.
    rows
        Its rows; None is null.
    query
        Query that it answers.
    most
        Rows after which it is cut, and says OVERFLOW.
    """
    yield _START
    if query is not None:
        moment = datetime.now(UTC).replace(tzinfo=None).isoformat("T", "milliseconds")
        for name, value in (("STATUS", "OK"), ("TIMESTAMP", moment), ("", query)):
            yield _info(f"QUERY_{name}".rstrip("_"), value)
    yield "    <TABLE>\n"
    for field in fields:
        named = ((name, value) for name, value in field.__dict__.items() if value)
        attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in named)
        description = f"<DESCRIPTION>{escape(field.name)}</DESCRIPTION>"
        yield f"      <FIELD {attributes}>{description}</FIELD>\n"
    yield "      <DATA>\n        <TABLEDATA>\n"
    status = "OK"
    for number, row in enumerate(rows):
        if most is not None and number >= most:
            status = "OVERFLOW"
            break
        yield f"          <TR>{''.join(map(_cell, row))}</TR>\n"
    yield "        </TABLEDATA>\n      </DATA>\n    </TABLE>\n"
    yield _info("QUERY_STATUS", status)
    yield _END


def error_table(message: str) -> str:
    """Return the VOTable of a query that failed."""
    status = f'    <INFO name="QUERY_STATUS" value="ERROR">{escape(message)}</INFO>\n'
    return f"{_START}{status}{_END}"


def _info(name: str, value: str) -> str:
    return f"    <INFO name={quoteattr(name)} value={quoteattr(value)} />\n"


def _cell(value: Any) -> str:
    if value is None:
        return "<TD />"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<TD>{escape(text)}</TD>"
