"""Reading keywords and columns strictly: what should be there and is not, is an error that names it."""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from sqlalchemy import BigInteger, Double

from shared.database.models.science import ScienceRow
from shared.errors import PermanentError

__all__ = ["Rows", "column", "keywords", "open_hdus", "root_of", "table_of"]

_SENTINELS: dict[type, tuple[object, ...]] = {
    str: ("", "N/A"),
    float: (-999.0, 999.0),
    int: (-999, -1),
}
"""Values that mean nothing was measured (COS Data Handbook, header keywords)."""

_MEANINGFUL = frozenset({"life_adj", "fpoffset", "lqtadpos", "lqtaxpos"})
"""Keywords in which -1 is a value."""


@dataclass(frozen=True)
class Rows:
    """Rows of one table, without their keys."""

    model: type[ScienceRow]
    rows: list[dict[str, object]] = field(default_factory=list)


@contextmanager
def open_hdus(path: Path, name: str) -> Iterator[fits.HDUList]:
    """Open a FITS file, plain or gzipped.

    Raises
    ------
    PermanentError
        If it cannot be read, here or within the block.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fits.verify.VerifyWarning)
            with fits.open(path, memmap=False) as hdus:
                yield hdus
    except (OSError, EOFError, ValueError, TypeError, zlib.error) as error:
        raise PermanentError(f"{name}: cannot be read as FITS ({error})") from error


def table_of(hdus: fits.HDUList, extension: str, name: str) -> Any:
    """Take the data of a table extension.

    Raises
    ------
    PermanentError
        If there is no such table.
    """
    if extension not in hdus or not isinstance(hdus[extension], fits.BinTableHDU):
        raise PermanentError(f"{name}: no table {extension}")
    return hdus[extension].data


def column(data: Any, extension: str, wanted: str, name: str) -> np.ndarray[Any, Any]:
    """Column of a table, in native byte order.

    Raises
    ------
    PermanentError
        If there is no such column.
    """
    if wanted not in data.names:
        raise PermanentError(f"{name}: table {extension} has no column {wanted}")
    values = np.asarray(data[wanted])
    return values.astype(values.dtype.newbyteorder("="))


def root_of(header: fits.Header, name: str) -> str:
    """Rootname, lower case.

    Raises
    ------
    PermanentError
        If the header has none.
    """
    value = str(header.get("ROOTNAME", "")).strip().lower()
    if not value:
        raise PermanentError(f"{name}: no ROOTNAME in its primary header")
    return value


def keywords(
    model: type[ScienceRow], names: dict[str, str], headers: list[fits.Header], name: str
) -> dict[str, object]:
    """Values of keywords for the columns of a table; sentinels become None.

    Parameters
    ----------
    model
        Table.
    names
        Column to keyword.
    headers
        Headers to look in, in this order.
    name
        Name of the file, for errors.

    Raises
    ------
    PermanentError
        If a value is not of its column's type.
    """
    return {column_name: _value(model, column_name, keyword, headers, name) for column_name, keyword in names.items()}


def _value(model: type[ScienceRow], column_name: str, keyword: str, headers: list[fits.Header], name: str) -> object:
    found = next((header[keyword] for header in headers if keyword in header), None)
    if found is None or isinstance(found, fits.card.Undefined):
        return None
    kind = model.__table__.columns[column_name].type
    wanted: type = float if isinstance(kind, Double) else int if isinstance(kind, BigInteger) else str
    if wanted is str:
        text = str(found).strip()
        return None if text in _SENTINELS[str] else text
    if isinstance(found, str) and found.strip() in ("", "N/A"):
        return None
    try:
        value = wanted(found)
    except (TypeError, ValueError) as error:
        raise PermanentError(f"{name}: {keyword} is {found!r} where a number belongs") from error
    if value == -1 and column_name in _MEANINGFUL:
        return value
    if value in _SENTINELS[wanted] or (wanted is float and not np.isfinite(value)):
        return None
    return value
