"""Tables in other forms.

Columns scaled, unsigned, wider, renamed or left out, rows doubled, reversed or taken away.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

__all__ = [
    "COLUMN_FORMS",
    "TABLE_FORMS",
    "change_column",
    "change_rows",
    "change_values",
    "replace_file",
]

Random = np.random.Generator
_Form = tuple[fits.Column | None, dict[str, float]]
"""A column, None for none, and the header cards of its scaling."""


def _scaled(column: fits.Column, values: Any, random: Random) -> _Form:
    """Return the whole numbers with TSCAL and TZERO."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    zero = float(random.choice([0.0, low, 1.0]))
    scale = max(abs(high - zero), abs(low - zero), 1e-3) / 2**30
    stored = np.round((np.nan_to_num(values) - zero) / scale).astype(np.int32)
    return _like(column, _form(column, "J"), stored), {"TSCAL": scale, "TZERO": zero}


def _halved(column: fits.Column, values: Any, random: Random) -> _Form:
    """Return the numbers of the same type with TSCAL or TZERO.

    The same values if they are not odd whole numbers.
    """
    scale, zero = [(2.0, 0.0), (0.5, 0.0), (1.0, 2.0)][random.integers(3)]
    with np.errstate(all="ignore"):
        stored = ((values - zero) / scale).astype(values.dtype.newbyteorder("="))
    return _like(column, column.format, stored), {"TSCAL": scale, "TZERO": zero}


def _unsigned(column: fits.Column, values: Any, random: Random) -> _Form:
    letter, zero = [("I", 1 << 15), ("J", 1 << 31)][random.integers(2)]
    stored = np.clip(np.nan_to_num(values).astype(np.int64), 0, 2 * zero - 1) - zero
    return _like(column, _form(column, letter), stored.astype(np.int32)), {"TZERO": zero}


def _other_type(column: fits.Column, values: Any, random: Random) -> _Form:
    letter, kind = [("D", np.float64), ("E", np.float32), ("J", np.int32), ("I", np.int16)][
        random.integers(4)
    ]
    with np.errstate(all="ignore"):
        return _like(column, _form(column, letter), np.nan_to_num(values).astype(kind)), {}


def _double(column: fits.Column, values: Any, _random: Random) -> _Form:
    return _like(column, _form(column, "D"), values.astype(np.float64)), {}


def _null(column: fits.Column, values: Any, random: Random) -> _Form:
    with np.errstate(all="ignore"):
        stored = np.nan_to_num(values).astype(np.int32)
    return _like(column, _form(column, "J"), stored), {"TNULL": int(random.integers(3))}


def _vector(column: fits.Column, values: Any, random: Random) -> _Form:
    count = int(random.integers(1, 3))
    letter = column.format.lstrip("0123456789")[0]
    flat = np.asarray(values).reshape(len(values), -1)
    new = fits.Column(
        column.name,
        f"{count * flat.shape[1]}{letter}",
        dim=f"({flat.shape[1]},{count})",
        array=np.tile(flat, count),
    )
    return new, {}


def _variable(column: fits.Column, values: Any, _random: Random) -> _Form:
    letter = column.format.lstrip("0123456789")[0]
    rows = np.empty(len(values), dtype=object)
    for index, row in enumerate(np.asarray(values).reshape(len(values), -1)):
        rows[index] = row.astype(row.dtype.newbyteorder("="))
    return fits.Column(column.name, f"P{letter}()", array=rows), {}


def _text(column: fits.Column, values: Any, _random: Random) -> _Form:
    first = np.asarray(values).reshape(len(values), -1)[:, 0]
    return fits.Column(column.name, "24A", array=[str(value) for value in first]), {}


def _renamed(column: fits.Column, _values: Any, random: Random) -> _Form:
    new = column.copy()
    new.name = [column.name.lower(), column.name.title(), f"{column.name}_2"][
        random.choice(3, p=[0.4, 0.4, 0.2])
    ]
    return new, {}


def _not_a_number(column: fits.Column, values: Any, random: Random) -> _Form:
    new = np.asarray(values, dtype=np.float64).copy()
    new.reshape(-1)[random.integers(new.size)] = random.choice([np.nan, np.inf, -1.0, 0.0, 1e9])
    with np.errstate(all="ignore"):
        return _like(column, column.format, new.astype(values.dtype.newbyteorder("="))), {}


def _left_out(_column: fits.Column, _values: Any, _random: Random) -> _Form:
    return None, {}


COLUMN_FORMS: dict[str, Callable[[fits.Column, Any, Random], _Form]] = {
    "scaled": _scaled,
    "halved": _halved,
    "unsigned": _unsigned,
    "other type": _other_type,
    "double": _double,
    "null": _null,
    "vector": _vector,
    "variable length": _variable,
    "text": _text,
    "renamed": _renamed,
    "not a number": _not_a_number,
    "left out": _left_out,
}
"""How a column of numbers may be stored otherwise."""

_FREQUENT = ("scaled", "halved", "unsigned", "other type")

TABLE_FORMS = (
    "reversed",
    "shuffled",
    "first row doubled",
    "all rows doubled",
    "empty",
    "one row",
    "more columns",
    "wild",
)
"""How the rows of a table may lie otherwise."""


def _form(column: fits.Column, letter: str) -> str:
    return (
        f"{column.format[: len(column.format) - len(column.format.lstrip('0123456789'))]}{letter}"
    )


def _like(column: fits.Column, form: str, values: Any) -> fits.Column:
    return fits.Column(column.name, form, unit=column.unit, dim=column.dim, array=values)


def change_column(
    path: Path, random: Random, extension: int | None = None, name: str = "", form: str = ""
) -> str:
    """Store a column of a table in another form; what is not given is chosen.

    Returns
    -------
    str
        What was done; empty if nothing could be.
    """
    with fits.open(path, memmap=False) as hdus:
        if extension is None:
            tables = [index for index, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU)]
            if not tables:
                return ""
            extension = int(random.choice(tables))
        table = hdus[extension]
        numbers = [
            column.name
            for column in table.columns
            if column.format.lstrip("0123456789")[:1] in tuple("BIJKED")
        ]
        if not numbers or len(table.data) == 0:
            return ""
        name = name or str(random.choice(numbers))
        form = form or str(
            random.choice(_FREQUENT if random.random() < 0.6 else list(COLUMN_FORMS))
        )
        number = table.columns.names.index(name)
        new, scaling = COLUMN_FORMS[form](table.columns[number], table.data[name], random)
        columns = [
            *table.columns[:number],
            *([] if new is None else [new]),
            *table.columns[number + 1 :],
        ]
        hdus[extension] = _table(columns, table)
        replace_file(path, hdus)
    for keyword, value in scaling.items():  # afterwards, because Astropy would scale what is stored
        fits.setval(path, f"{keyword}{number + 1}", value=value, ext=extension)
    return f"{path.name}[{extension}].{name}: {form}"


def change_rows(path: Path, random: Random, extension: int | None = None, form: str = "") -> str:
    """Let the rows of a table lie otherwise; returns what was done."""
    with fits.open(path, memmap=False) as hdus:
        tables = [index for index, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU)]
        if extension is None:
            extension = int(random.choice(tables))
        table, form = hdus[extension], form or str(random.choice(TABLE_FORMS))
        count = len(table.data)
        if count == 0:
            return ""
        if form == "more columns":
            more = [
                fits.Column("NOTE", "6A", array=["note"] * count),
                fits.Column("MARK", "L", array=[True] * count),
                fits.Column("BITS", "5X", array=np.ones((count, 5), dtype=bool)),
            ]
            hdus[extension] = _table([*table.columns, *more][:: random.choice([1, -1])], table)
        else:
            order = {
                "reversed": np.arange(count)[::-1],
                "shuffled": random.permutation(count),
                "first row doubled": np.r_[0, np.arange(count)],
                "all rows doubled": np.repeat(np.arange(count), 2),
                "empty": np.arange(0),
                "one row": np.arange(1),
                "wild": np.arange(count),
            }[form]
            rows = np.array(table.data.view(np.ndarray))[order]
            if form == "wild":
                _make_wild(rows, random)
            hdus[extension] = fits.BinTableHDU(rows.view(fits.FITS_rec), header=table.header)
        replace_file(path, hdus)
    return f"{path.name}[{extension}]: {form}"


def _make_wild(rows: Any, random: Random) -> None:
    for name in rows.dtype.names:
        kind = rows.dtype[name]
        if kind.kind in "fi" and kind.shape == () and random.random() < 0.3:
            worst = (
                [np.nan, np.inf, -np.inf, -1e9, 1e9]
                if kind.kind == "f"
                else [-32768, 32767, -1, 16384]
            )
            rows[name][:: int(random.integers(20, 400))] = random.choice(worst)


def change_values(path: Path, random: Random) -> str:
    """Set one value of a table to another one of its column, or to one that is nowhere."""
    return change_column(path, random, form="not a number")


def _table(columns: Any, table: Any) -> fits.BinTableHDU:
    new = fits.BinTableHDU.from_columns(columns, header=table.header)
    for key in ("EXTNAME", "EXTVER"):
        if key in table.header:
            new.header[key] = table.header[key]
    return new


def replace_file(path: Path, hdus: fits.HDUList) -> None:
    """Write a file in place of one that others may be linked to."""
    staged = path.parent.parent / f"{path.name}.part"
    hdus.writeto(staged, output_verify="silentfix", overwrite=True)
    staged.replace(path)
