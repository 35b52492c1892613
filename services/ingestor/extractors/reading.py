"""What extractors share: rows, typed keywords, and the file with its surroundings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from math import isfinite
from typing import IO, Any

import numpy as np
from sqlalchemy import Double, Integer

from services.ingestor.extractors.references import References
from shared.database.models.science import ScienceRow
from shared.errors import PermanentError
from shared.fits import FitsFile, Header

__all__ = ["Companions", "Rows", "Source", "keywords", "number", "root_of"]

_KEYS = frozenset({"id", "file_id", "rootname", "preferred"})
_LARGEST = 2**63

Companions = Callable[[str, str], Sequence[Header] | None]
"""Headers of another file of the dataset, by the first 8 characters of its rootname and the beginning of its suffix."""


@dataclass(frozen=True)
class Source:
    """A file that rows are made of.

    Attributes
    ----------
    file
        The file.
    opener
        Opens the file as it is.
    rootname
        Rootname that its name says, lower case.
    suffix
        Kind of file.
    companions
        Headers of the other files of its dataset.
    references
        Reference files.
    """

    file: FitsFile
    opener: Callable[[], AbstractContextManager[IO[bytes]]]
    rootname: str
    suffix: str
    companions: Companions
    references: References

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.file.name

    @property
    def headers(self) -> list[Header]:
        """Primary and first extension header, in which exposure keywords are."""
        return list(self.file.headers[:2])


@dataclass(frozen=True)
class Rows:
    """Rows of one table, without their keys.

    Attributes
    ----------
    model
        Table.
    rows
        Values by column, one mapping a row.
    common
        Values that all rows share, where there are very many rows.
    columns
        Values by column, one a row, where there are very many rows; then ``rows`` is empty.
    """

    model: type[ScienceRow]
    rows: Sequence[Mapping[str, object]] = ()
    common: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else len(self.rows)

    def records(self, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
        """Values of columns, row by row; None where a row has none."""
        if not self.columns:
            return (tuple([row.get(name) for name in names]) for row in self.rows)
        return zip(
            *(
                self.columns[name] if name in self.columns else repeat(self.common.get(name), len(self))
                for name in names
            ),
            strict=True,
        )

    def dicts(self) -> list[dict[str, object]]:
        """Rows one by one."""
        if not self.columns:
            return [dict(row) for row in self.rows]
        names = [*self.common, *self.columns]
        return [dict(zip(names, record, strict=True)) for record in self.records(names)]


def root_of(source: Source) -> str:
    """Rootname, lower case.

    Raises
    ------
    PermanentError
        If the header has none.
    """
    value = str(source.file.headers[0].get("ROOTNAME") or "").strip().lower()
    if not value:
        raise PermanentError(f"{source.name}: no ROOTNAME in its primary header")
    return value


@cache
def _wanted(model: type[ScienceRow]) -> tuple[tuple[str, str, type, tuple[object, ...]], ...]:
    """Column, keyword, Python type and missing values of the columns that are filled from keywords."""
    found = []
    for column in model.__table__.columns:
        if column.name not in _KEYS and "missing" in column.info:
            kind: type = float if isinstance(column.type, Double) else int if isinstance(column.type, Integer) else str
            found.append((column.name, column.info["keyword"] or column.name.upper(), kind, column.info["missing"]))
    return tuple(found)


def keywords(
    model: type[ScienceRow], headers: Sequence[Header], name: str, only: frozenset[str] | None = None
) -> dict[str, object]:
    """Values of a table's columns from the keywords that they are named after; what was not measured is None.

    Parameters
    ----------
    model
        Table.
    headers
        Headers to look in; the first that has a keyword counts.
    name
        Name of the file, for errors.
    only
        Columns that are wanted; all of them otherwise.

    Raises
    ------
    PermanentError
        If a value is not of its column's type.
    """
    merged: dict[str, Any] = {}
    for header in reversed(headers):
        merged.update(header)
    get = merged.get
    return {
        column: None if (found := get(keyword)) is None else _value(found, kind, missing, keyword, name)
        for column, keyword, kind, missing in _wanted(model)
        if only is None or column in only
    }


def _value(found: Any, kind: type, missing: tuple[object, ...], keyword: str, name: str) -> object:
    value: Any
    if kind is str:
        value = found.strip() if type(found) is str else str(found)
        return None if value in missing else value
    if type(found) is kind:
        value = found
    elif isinstance(found, str):
        if found.strip() in ("", "N/A"):
            return None
        raise PermanentError(f"{name}: {keyword} is {found!r} where a number belongs")
    elif isinstance(found, int | float) and isfinite(found):
        value = kind(round(found) if kind is int else found)
    else:
        return None
    if value in missing or not isfinite(value):
        return None
    if kind is int and not -_LARGEST <= value < _LARGEST:
        raise PermanentError(f"{name}: {keyword} is {value}, more than a column holds")
    return value


def number(header: Header, keyword: str, name: str) -> float:
    """Keyword that must be a number.

    Raises
    ------
    PermanentError
        If it is not there, or is none.
    """
    value = header.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise PermanentError(f"{name}: {keyword} is {value!r} where a number belongs")
    return float(value)
