"""Common parts of extractors: rows, typed keywords, and the file with its companions."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from math import isfinite
from typing import IO, Any

from sqlalchemy import Double, Integer

from services.ingestor.extractors.lamp_templates import References
from shared.database.models.science import ScienceRow
from shared.errors import UNREADABLE, PermanentError
from shared.fits import FitsFile, Header
from shared.logs import get_logger

__all__ = [
    "Companions",
    "Contained",
    "Rows",
    "Source",
    "as_number",
    "finite",
    "keywords",
    "level_of",
    "number",
    "root_of",
]

_KEYS = frozenset({"id", "file_id", "rootname", "preferred"})
_LARGEST = 2**63

_NO_LEVEL = 999
"""Level of the high voltage from which on it is none; levels are bytes."""

_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?|NAN|INF|INFINITY)", re.IGNORECASE | re.ASCII
)
"""Numbers as FITS writes them, and what other writers put for those that are not finite."""

Companions = Callable[[str, str], Sequence[Header] | None]
"""Headers of another file of the dataset, by the first 8 characters of its rootname and the
beginning of its suffix.
"""


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
    problems
        What is wrong with the file and costs a part of its rows.
    """

    file: FitsFile
    opener: Callable[[], AbstractContextManager[IO[bytes]]]
    rootname: str
    suffix: str
    companions: Companions
    references: References
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.file.name

    @property
    def headers(self) -> list[Header]:
        """Primary and first extension header, in which exposure keywords are."""
        return list(self.file.headers[:2])

    def note(self, problem: str) -> None:
        """Record what is wrong, with the name of the file before it, once."""
        text = problem if problem.startswith(self.name) else f"{self.name}: {problem}"
        if text not in self.problems:
            self.problems.append(text)


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
        """Yield the values of columns, row by row; None where a row has none."""
        if not self.columns:
            return (tuple([row.get(name) for name in names]) for row in self.rows)
        return zip(
            *(
                self.columns[name]
                if name in self.columns
                else repeat(self.common.get(name), len(self))
                for name in names
            ),
            strict=True,
        )

    def dicts(self) -> list[dict[str, object]]:
        """Return the rows one by one."""
        if not self.columns:
            return [dict(row) for row in self.rows]
        names = [*self.common, *self.columns]
        return [dict(zip(names, record, strict=True)) for record in self.records(names)]


def root_of(source: Source) -> str:
    """Return the rootname, lower case; where the header has none, that of the file's name, which is
    noted.

    Raises
    ------
    PermanentError
        If the header has another one than the name of the file: one of the two is of another
        exposure.
    """
    value = str(source.file.headers[0].get("ROOTNAME") or "").strip().lower()
    if value in ("", "n/a"):
        source.note("no ROOTNAME in its primary header")
        return source.rootname
    if source.rootname and value != source.rootname:
        raise PermanentError(
            f"{source.name}: ROOTNAME is {value} in its primary header; give the file its own name "
            "back, or correct "
            "the keyword"
        )
    return value


class Contained:
    """Let what is wrong with a part of a file cost this part only.

    It is noted, and work goes on behind it.

    Parameters
    ----------
    source
        File.
    part
        The part, for the note.
    """

    def __init__(self, source: Source, part: str) -> None:
        self._source = source
        self._part = part

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, PermanentError):
            self._source.note(str(error))
        elif isinstance(error, UNREADABLE):
            get_logger().warning(
                "part of a file left out", file=self._source.name, part=self._part, exc_info=error
            )
            self._source.note(f"{self._part} cannot be read ({type(error).__name__}: {error})")
        return isinstance(error, (PermanentError, *UNREADABLE))


@cache
def _wanted(model: type[ScienceRow]) -> tuple[tuple[str, str, type, tuple[object, ...]], ...]:
    """Return the column, keyword, Python type and missing values of the columns that are filled
    from keywords.
    """
    found = []
    for column in model.__table__.columns:
        if column.name not in _KEYS and "missing" in column.info:
            kind: type = (
                float
                if isinstance(column.type, Double)
                else int
                if isinstance(column.type, Integer)
                else str
            )
            found.append(
                (
                    column.name,
                    column.info["keyword"] or column.name.upper(),
                    kind,
                    column.info["missing"],
                )
            )
    return tuple(found)


def keywords(
    model: type[ScienceRow],
    source: Source,
    only: frozenset[str] | None = None,
    *,
    side: str = "",
    headers: Sequence[Header] | None = None,
) -> dict[str, object]:
    """Return the values of a table's columns from the keywords that they are named after.

    What was not measured is None.

    So is a value that is not of its column's type, which is noted.

    Parameters
    ----------
    model
        Table.
    source
        File.
    only
        Columns that are wanted; all of them otherwise.
    side
        Letter of the segment that keywords end with where their columns do not.
    headers
        Headers to look in, of which the first that has a keyword counts; those of the exposure
        otherwise.
    """
    headers = source.headers if headers is None else headers
    found: dict[str, object] = {}
    for column, keyword, kind, missing in _wanted(model):
        if only is None or column in only:
            found[column] = None
            for header in headers:
                if (value := header.get(keyword + side)) is not None:
                    try:
                        found[column] = _value(value, kind, missing)
                    except ValueError as error:
                        source.note(
                            f"{header.get('EXTNAME') or 'primary header'}: {keyword + side} {error}"
                        )
                    break
    return found


def _value(found: Any, kind: type, missing: tuple[object, ...]) -> object:
    """Return the value of a keyword for a column of a kind.

    Raises
    ------
    ValueError
        If it is no number where one belongs, or more than the column holds.
    """
    value: Any = found
    if kind is str:
        value = found.strip() if type(found) is str else str(found)
        return None if value in missing else value
    if type(found) is not kind:
        if isinstance(found, str) and found.strip() in ("", "N/A"):
            return None
        value = as_number(found)
        if value is None:
            raise ValueError(f"is {found!r} where a number belongs")
    if not isfinite(value):
        return None
    value = round(value) if kind is int else float(value)
    if value in missing:
        return None
    if kind is int and not -_LARGEST <= value < _LARGEST:
        raise ValueError(f"is {found!r}, more than a column holds")
    return value + 0  # -0.0, which JSON numbers of Postgres do not know, becomes 0.0


def as_number(value: object) -> float | None:
    """Return the value as a number, be it written as text or not finite; None for what is none."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value.strip().upper().replace("D", "E"))
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def finite(value: object) -> float | None:
    """Return the value as a finite number, be it written as text; None for what is none."""
    found = as_number(value)
    return float(found) if found is not None and isfinite(found) else None


def number(header: Header, keyword: str, name: str) -> float:
    """Return the keyword that must be a number.

    Raises
    ------
    PermanentError
        If it is not there, or is none.
    """
    value = finite(header.get(keyword))
    if value is None:
        raise PermanentError(f"{name}: {keyword} is {header.get(keyword)!r} where a number belongs")
    return value


def level_of(header: Header, keyword: str) -> int | None:
    """Return the high voltage level; None where it is none."""
    value = finite(header.get(keyword))
    return round(value) if value is not None and 0 <= value < _NO_LEVEL else None
