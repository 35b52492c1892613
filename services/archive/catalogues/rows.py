"""Rows of archives' replies: values that are checked, and a record of those that make no sense."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from services.archive.catalogues.base import Access, ArchiveFile, product_uri
from services.archive.metadata import is_input
from shared.cos.names import FileName, is_product, parse_name
from shared.errors import PermanentError
from shared.logs import get_logger

__all__ = [
    "BadRowError",
    "FileLists",
    "LeftOut",
    "batches",
    "file_of",
    "integer",
    "moment",
    "number",
    "rootname",
]

_ROOTNAME: Final = re.compile(r"[a-z0-9]{9}")
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
"""Hubble was launched in 1990; data are public at some time of this century."""

_LONGEST_NAME: Final = 255
"""Bytes of a file name on Linux (``NAME_MAX``)."""

_SHOWN: Final = 3
_TEXT: Final = 80
"""Characters of a wrong value that are shown."""


class BadRowError(ValueError):
    """A row makes no sense; the message says why."""


class LeftOut:
    """Rows that were left out because they make no sense.

    Parameters
    ----------
    catalogue
        Whose rows they are.
    """

    def __init__(self, catalogue: str) -> None:
        self._catalogue = catalogue
        self.reasons: list[str] = []
        self.count = 0

    def add(self, reason: object) -> None:
        """Note a row."""
        self.count += 1
        if len(self.reasons) < _SHOWN:
            self.reasons.append(str(reason))

    def report(self) -> None:
        """Write into the log how many there were, and why the first ones."""
        if self.count:
            get_logger().warning(
                "rows of a catalogue left out",
                catalogue=self._catalogue,
                rows=self.count,
                reasons=self.reasons,
            )


class FileLists:
    """Lists of the files of datasets, as far as COSMO uses them, that grow row by row.

    Parameters
    ----------
    catalogue
        Whose lists they are.
    datasets
        Rootnames that were asked for.

    Attributes
    ----------
    found
        Files by the rootname of their dataset.
    """

    def __init__(self, catalogue: str, datasets: Iterable[str]) -> None:
        self.found: dict[str, list[ArchiveFile]] = {}
        self._asked = frozenset(datasets)
        self._names: dict[tuple[str, str], str] = {}
        self._left_out = LeftOut(catalogue)

    def add(
        self,
        dataset: object,
        name: object,
        *,
        size: object = None,
        md5: str = "",
        version: str = "",
        access: Access = Access.UNKNOWN,
    ) -> None:
        """Add a file of a dataset; one that makes no sense is noted.

        Parameters
        ----------
        dataset, name, size
            As the catalogue has them.
        md5, version, access
            Attributes of the `ArchiveFile`.
        """
        try:
            root = rootname(dataset)
            if root not in self._asked:
                raise BadRowError(f"a file of {root}, which was not asked for")
            files = self.found.setdefault(root, [])
            given = _file_name(name)
            parsed = file_of(given)
            if parsed is None:
                return
            former = self._names.setdefault((root, parsed.name), given)
            if former != given:
                raise BadRowError(f"two files of {root} have one name: {former}, {given}")
        except BadRowError as error:
            self.leave_out(error)
            return
        if all(file.name != parsed.name for file in files):
            files.append(
                ArchiveFile(
                    root,
                    product_uri(given),
                    parsed.name,
                    size=integer(size),
                    md5=md5,
                    version=version,
                    access=access,
                )
            )

    def leave_out(self, reason: object) -> None:
        """Note what makes no sense."""
        self._left_out.add(reason)

    def report(self) -> None:
        """Write into the log what was left out."""
        self._left_out.report()


def batches(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield names in their order, so many at a time."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def file_of(name: str) -> FileName | None:
    """Return the parts of the name of a file that COSMO fetches; None of all others."""
    try:
        parsed = parse_name(name)
    except PermanentError:
        return None
    return parsed if is_input(parsed) and not is_product(parsed) else None


def rootname(value: object) -> str:
    """Return the rootname of a dataset, lower case.

    Raises
    ------
    BadRowError
        If it is none.
    """
    found = value.strip().lower() if isinstance(value, str) else ""
    if not _ROOTNAME.fullmatch(found):
        raise BadRowError(f"{_shown(value)} is no rootname of 9 letters and digits")
    return found


def moment(value: object) -> datetime | None:
    """Return a time, UTC; None where there is none.

    Parameters
    ----------
    value
        A time, ISO 8601 and UTC where it names no zone, or nothing.

    Raises
    ------
    BadRowError
        If it is no time, or of another century.
    """
    if value is None or value == "":
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise BadRowError(f"{_shown(value)} is no time") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise BadRowError(
            f"{_shown(value)} is not between the years {_FIRST_YEAR} and {_LAST_YEAR}"
        )
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def number(value: object) -> float | None:
    """Return a number; None for anything else."""
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def integer(value: object) -> int | None:
    """Return a whole number; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def _file_name(value: object) -> str:
    """Return a name that may be used for a file.

    Raises
    ------
    BadRowError
        If it may not.
    """
    if not isinstance(value, str) or not value:
        raise BadRowError(f"{_shown(value)} is no file name")
    if len(value.encode(errors="replace")) > _LONGEST_NAME:
        raise BadRowError(f"{_shown(value)} is too long for a file name")
    if not value.isprintable() or "/" in value or "\\" in value or value.startswith("."):
        raise BadRowError(f"{_shown(value)} is no file name")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
