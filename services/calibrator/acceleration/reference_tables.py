"""Reference tables: opened once instead of some hundred times for each exposure.

Replaces ``cosutil.getTable`` and ``cosutil.findColumn`` for files in the ``lref`` folder, which
nothing changes during a run (a file that did change, by its size or time, is read again). The rows
that are handed out are selected by the same comparisons and are a copy, as before, so that callers
may write into them; only the description of the columns is shared with the open table instead of
being built twice for every call. No caller changes it, and reading does so only for columns that
are scaled (TSCAL, TZERO, unsigned numbers), which Astropy marks as converted. Tables with such
columns, with a heap or with columns of one name are left to the original. Saves 1.2 s an exposure.
"""

import os
import weakref
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from calcos import cosutil
from calcos.calcosparam import NOT_APPLICABLE, STRING_WILDCARD, MissingRowError
from numpy.typing import NDArray

from services.calibrator.acceleration.forms import is_array, is_unscaled
from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT"]

_MOST_TABLES = 64
"""More than the reference tables of any mode, with their extensions."""


def _make_get_table(original: Function) -> Function:
    def get_table(
        table: str,
        filter: dict[str, Any],  # noqa: A002 - callers give it by this name
        extension: Any = 1,
        exactly_one: bool = False,
        at_least_one: bool = False,
    ) -> Any:
        """Return the rows of a table whose columns have the values in `filter`, or None."""
        identity = _identity(table)
        if identity is None:
            return original(table, filter, extension, exactly_one, at_least_one)
        data = _open_table(table, identity, extension)
        if data is None:
            return original(table, filter, extension, exactly_one, at_least_one)
        if len(data) < 1:
            return None
        tests = [
            _matches(data.field(key), wanted)
            for key, wanted in filter.items()
            if wanted not in (STRING_WILDCARD, NOT_APPLICABLE)
        ]
        selected = reduce(np.logical_and, tests) if tests else np.ones(len(data), dtype=bool)
        if not is_array(selected, "b1") or len(selected) != len(data):
            return original(table, filter, extension, exactly_one, at_least_one)
        rows = _rows(data, selected)
        if len(rows) >= 1:
            if exactly_one and len(rows) > 1:
                cosutil.printWarning("Table has more than one matching row;")
                cosutil.printContinuation("table name is " + table)
                cosutil.printContinuation("row selection is " + repr(filter))
                cosutil.printContinuation("only the first will be used.")
            return rows
        if exactly_one or at_least_one:
            raise MissingRowError(
                f"Table has no matching row;\ntable name is {table}\nrow selection is {filter!r}"
            )
        return None

    return get_table


def _matches(column: Any, wanted: Any) -> Any:
    """Return which rows have the wanted value, or stand in the wanted relation, or have the
    wildcard.
    """
    if isinstance(wanted, tuple | list):
        relation, value = wanted
        selected = relation(column, value)
    else:
        selected = column == wanted
    if column.dtype.type == np.str_:
        selected = np.logical_or(selected, column == STRING_WILDCARD)
    return selected


def _rows(data: fits.FITS_rec, selected: NDArray[np.bool_]) -> fits.FITS_rec:
    """Return the copy of the selected rows, which shares the description of the columns and nothing
    else.
    """
    rows: Any = np.ndarray.__getitem__(data, selected)
    rows._converted = {}
    # The rows must not be told to save the columns' data when they are freed: those belong to the
    # open table.
    rows._col_weakrefs = weakref.WeakSet()
    return rows


def _make_find_column(original: Function) -> Function:
    def find_column(table: Any, colname: str) -> Any:
        """Return whether a table, given by its name or its data, has a column."""
        identity = _identity(table) if isinstance(table, str) else None
        data = None if identity is None else _open_table(table, identity, 1)
        return original(table if data is None else data, colname)

    return find_column


def _identity(table: str) -> tuple[int, int, int] | None:
    """Tell a reference file by what changes with it: inode, size, time; None for other files."""
    lref = os.environ.get("lref")  # noqa: SIM112 - CalCOS reads it in lower case
    if not lref or Path(table).parent != Path(lref):
        return None
    try:
        status = Path(table).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(_MOST_TABLES)
def _open_table(table: str, _identity: tuple[int, int, int], extension: Any) -> Any:
    """Return the rows of a table; None for what the original is to read."""
    hdus = fits.open(table, mode="copyonwrite")
    data = hdus[extension].data
    hdus.close()
    return data if _is_unchanged_by_reading(data) else None


def _is_unchanged_by_reading(data: Any) -> bool:
    if type(data) is not fits.FITS_rec or data._heapsize:
        return False
    names = [str(column.name).upper() for column in data.columns]
    same = len(set(names)) == len(names) == len(data.dtype.names)
    return same and all(is_unscaled(column) for column in data.columns)


REPLACEMENT = Replacement(
    "reference_tables",
    [
        Change(
            "calcos.cosutil:getTable",
            "0b1cd5b4f9c0ee76cf2dfb92128e6f167c60143d34d6a15b20472240524246b0",
            _make_get_table,
        ),
        Change(
            "calcos.cosutil:findColumn",
            "d76493b1a29366f98fc979cca94b7e82ea355eda0ade038bfdbfcd1aeba14fb5",
            _make_find_column,
        ),
    ],
    {
        "astropy.io.fits.fitsrec:FITS_rec.__array_finalize__": (
            "5eafdd5b1d54e35ddbebe3e0b05bfc27567242294fb777f2a489256bbd854984"
        ),
        "astropy.io.fits.fitsrec:FITS_rec.__getitem__": (
            "80f4c87f6bfcbdaba97f8e03121a53926d7e155def733c76f9ceb6a1cf0749c0"
        ),
        "astropy.io.fits.fitsrec:FITS_rec.__del__": "92ed845e898bf5bfe525839028759669508b2d5380eed9635875b80c437f11db",
        "astropy.io.fits.fitsrec:FITS_rec._convert_other": (
            "e3fb916f0f8850e48b11954084cc535fad5799073e3b8b1501b06106b25f9940"
        ),
        "astropy.io.fits.fitsrec:FITS_rec.field": "67cf6eae7481ad9c77c871dfabe0dc298cca1b35fef13259df3fdee8b37754e1",
    },
)
