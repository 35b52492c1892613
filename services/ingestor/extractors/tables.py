"""Columns of tables as far as they can be read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.rows import Source, as_number
from shared.fits import Hdu

__all__ = ["as_floats", "read_columns"]


def read_columns(
    source: Source,
    hdu: Hdu,
    scalars: Sequence[str],
    *,
    arrays: Sequence[str] = (),
    texts: Sequence[str] = (),
) -> Mapping[str, "NDArray[Any]"]:
    """Return the columns of a table, numbers as float64.

    Those that are missing or of another kind are noted and left out.

    Parameters
    ----------
    source
        File.
    hdu
        The table.
    scalars, arrays
        Columns of numbers, one or several in each cell.
    texts
        Columns of text.

    Raises
    ------
    PermanentError
        If it is no table, or it is truncated.
    """
    layout = source.file.layout(hdu)
    names, faults = layout.readable([*scalars, *arrays, *texts])
    for fault in faults:
        source.note(fault)
    if not names:
        return {}
    found: dict[str, NDArray[Any]] = {}
    for name, values in source.file.table(hdu, names).items():
        try:
            found[name] = _texts(values) if name in texts else as_floats(values)
            if name in scalars and found[name].ndim > 1:
                raise ValueError("has several values in a cell")
        except ValueError as error:
            found.pop(name, None)
            source.note(f"{hdu.name}: column {name} {error}")
    return found


def _texts(values: "NDArray[Any]") -> "NDArray[Any]":
    if values.dtype.kind != "U":
        raise ValueError("holds numbers where text belongs")
    return values


def as_floats(values: "NDArray[Any]") -> "NDArray[np.float64]":
    """Return the numbers as float64, be they written as text; NaN where the text is empty or N/A.

    Raises
    ------
    ValueError
        If a text is no number.
    """
    if values.dtype.kind != "U":
        return values.astype(np.float64)
    numbers = [
        np.nan if text in ("", "N/A") else as_number(text)
        for text in map(str.strip, values.tolist())
    ]
    if None in numbers:
        raise ValueError(f"holds {values.tolist()[numbers.index(None)]!r} where a number belongs")
    return np.array(numbers, dtype=np.float64)
