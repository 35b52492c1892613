"""Tables in the formats that astronomers and programs read."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io.votable.exceptions import W50
from astropy.table import MaskedColumn, Table
from astropy.units import UnitsWarning
from fastapi import Response
from pyarrow import csv, parquet

from services.monitor.errors import ApiError

__all__ = ["MEDIA_TYPES", "Column", "Values", "choose_format", "masked", "render"]

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "votable": "application/x-votable+xml",
    "fits": "application/fits",
    "parquet": "application/vnd.apache.parquet",
}
_ENDINGS = {"votable": "vot"}
_INTEGER_NULL = int(np.iinfo(np.int64).min)
_ARROW = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}

Values = np.ma.MaskedArray[Any, Any]
"""Values of a column, 1-D, masked where there are none."""

# VOTable asks for units that no COS product is written in; ours are the products'.
warnings.filterwarnings("ignore", category=UnitsWarning)
warnings.filterwarnings("ignore", category=W50)


@dataclass(frozen=True)
class Column:
    """Name, Python type, unit and meaning of a column."""

    name: str
    kind: type
    unit: str | None
    description: str

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"name": self.name, "type": self.kind.__name__, "unit": self.unit, "description": self.description}


def choose_format(asked: str | None, accept: str) -> str:
    """Format of the answer: ``?format=`` first, then the ``Accept`` header, else JSON.

    Raises
    ------
    ApiError
        If the format that was asked for by name is unknown.
    """
    if asked is not None:
        if asked not in MEDIA_TYPES:
            raise ApiError(400, "unknown_format", f"format {asked!r} is unknown; there are {', '.join(MEDIA_TYPES)}")
        return asked
    wishes = sorted(map(_wish, accept.lower().split(",")), key=lambda wish: -wish[1])
    names = {media: name for name, media in MEDIA_TYPES.items()} | {"*/*": "json"}
    return next((names[media] for media, weight in wishes if media in names and weight > 0), "json")


def _wish(part: str) -> tuple[str, float]:
    """Media type and weight of a part of an ``Accept`` header (RFC 9110, 12.5.1)."""
    media, _, parameters = part.partition(";")
    weight = next((text.strip()[2:] for text in parameters.split(";") if text.strip().startswith("q=")), "1")
    try:
        return media.strip(), float(weight)
    except ValueError:
        return media.strip(), 0.0


def masked(kind: type, values: Sequence[Any]) -> Values:
    """Values of a column out of Python objects, None masked."""
    mask = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    if kind is str:
        # Header values repeat: one object each instead of one a row.
        known: dict[str, str] = {}
        texts = ["" if value is None else known.setdefault(str(value), str(value)) for value in values]
        return np.ma.MaskedArray(np.array(texts, dtype=object), mask=mask)
    dtype: type = {float: np.float64, int: np.int64, bool: np.bool_}[kind]
    return np.ma.MaskedArray(np.array([0 if value is None else value for value in values], dtype=dtype), mask=mask)


def render(name: str, columns: Sequence[Column], values: Mapping[str, Values], chosen: str) -> Response:
    """Answer with a table as CSV, VOTable, FITS or Parquet; all but CSV with units and descriptions.

    Parameters
    ----------
    name
        Name of the table and, with an ending, of the file.
    columns
        Its columns.
    values
        Their values.
    chosen
        One of the formats.
    """
    buffer = io.BytesIO()
    if chosen == "csv":
        csv.write_csv(_arrow(columns, values), buffer)
    elif chosen == "parquet":
        parquet.write_table(_arrow(columns, values), buffer)
    elif chosen == "fits":
        _astropy(columns, values, for_fits=True).write(buffer, format="fits")
    else:
        # BINARY2 is the serialisation of VOTable that has nulls for every type.
        _astropy(columns, values).write(buffer, format="votable", tabledata_format="binary2")
    headers = {"Content-Disposition": f'attachment; filename="{name}.{_ENDINGS.get(chosen, chosen)}"'}
    return Response(buffer.getvalue(), media_type=MEDIA_TYPES[chosen], headers=headers)


def _arrow(columns: Sequence[Column], values: Mapping[str, Values]) -> pa.Table:
    fields, arrays = [], []
    for column in columns:
        kind, content = _ARROW[column.kind], values[column.name]
        fields.append(
            pa.field(column.name, kind, metadata={"unit": column.unit or "", "description": column.description})
        )
        arrays.append(pa.array(content.data, type=kind, mask=np.ma.getmaskarray(content)))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _astropy(columns: Sequence[Column], values: Mapping[str, Values], *, for_fits: bool = False) -> Table:
    table = Table()
    for column in columns:
        content = values[column.name]
        table[column.name] = MaskedColumn(
            _for_fits(column.kind, content) if for_fits else _plain(column.kind, content),
            unit=column.unit,
            description=column.description,
        )
    return table


def _plain(kind: type, values: Values) -> Values:
    return np.ma.MaskedArray(values.data.astype(str), mask=values.mask) if kind is str else values


def _for_fits(kind: type, values: Values) -> Any:
    """Values with the nulls that a FITS table has: NaN, TNULL for integers, blanks for text; text in ASCII."""
    if kind is float:
        return values.filled(np.nan)
    if kind is str:
        return np.char.encode(values.filled("").astype(str), "ascii", "replace")
    if kind is bool and np.ma.is_masked(values):
        values = np.ma.MaskedArray(
            values.data.astype(np.int64), mask=values.mask
        )  # astropy writes no null into a logical column
    if values.dtype == np.int64:
        values.set_fill_value(_INTEGER_NULL)
    return values
