"""Forms that replacements were proven on.

Arrays of one type, and columns that are stored as they are read.

Files may hold the same values in many forms. A replacement asks here whether it has been given
those of the files that CalCOS and its pipeline write, and hands everything else to the original,
which converts it, or refuses it, in its own way.
"""

from typing import Any

import numpy as np
from astropy.io import fits

__all__ = ["in_int16", "is_array", "is_stored_number", "is_unscaled"]


def is_array(value: Any, kind: str, dimensions: int = 1) -> bool:
    """Return whether a value is an array, and not a masked one or another subclass, of numbers of
    one type.

    Parameters
    ----------
    value
        Anything.
    kind
        Type of NumPy without its byte order, which may be either, such as ``f4``.
    dimensions
        Their number.
    """
    return (
        type(value) is np.ndarray
        and value.ndim == dimensions
        and value.dtype.newbyteorder("=") == np.dtype(f"={kind}")
    )


def in_int16(value: Any) -> bool:
    """Return whether a value is a whole number that flags of 16 bits can be compared with."""
    limits = np.iinfo(np.int16)
    return isinstance(value, int | np.integer) and bool(limits.min <= value <= limits.max)


def is_unscaled(column: fits.Column) -> bool:
    """Return whether reading a column leaves its description as it is.

    No TSCAL, no TZERO, no heap, no bits, no text table.
    """
    return (
        not column.ascii
        and column.format.format in "ALBIJKEDCM"
        and column.bscale in ("", None, 1)
        and column.bzero in ("", None, 0)
    )


def is_stored_number(columns: fits.ColDefs, name: str, formats: str) -> bool:
    """Return whether a table has a column of one plain number in each row.

    Parameters
    ----------
    columns
        Of the table.
    name
        Of the column, in any case.
    formats
        Letters of FITS that it may have.
    """
    found = [column for column in columns if column.name and column.name.upper() == name.upper()]
    if len(found) != 1:
        return False
    (column,) = found
    return (
        is_unscaled(column)
        and column.format.format in formats
        and column.format.repeat == 1
        and not column.dim
    )
