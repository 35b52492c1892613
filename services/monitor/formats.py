"""Tables in the formats that astronomers and programs read."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from fastapi import Response

from services.monitor.errors import ApiError

__all__ = ["MEDIA_TYPES", "Column", "choose_format", "render"]

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "votable": "application/x-votable+xml",
    "fits": "application/fits",
    "parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class Column:
    """Name, Python type, unit and meaning of a column."""

    name: str
    kind: type
    unit: str | None
    description: str


def choose_format(asked: str | None, accept: str) -> str:
    """Format of the answer: ``?format=`` first, then the ``Accept`` header, else JSON.

    Raises
    ------
    ApiError
        If the format is unknown.
    """
    if asked is not None:
        if asked not in MEDIA_TYPES:
            raise ApiError(400, "unknown_format", f"format {asked!r} is unknown; there are {', '.join(MEDIA_TYPES)}")
        return asked
    return next((name for name, media in MEDIA_TYPES.items() if media in accept), "json")


def render(name: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], chosen: str) -> Response:
    """Answer with a table as CSV, VOTable, FITS or Parquet, units and descriptions included.

    Parameters
    ----------
    name
        Name of the table.
    columns
        Its columns.
    rows
        Its rows.
    chosen
        One of the formats.
    """
    table = _table(columns, rows)
    buffer = io.BytesIO()
    if chosen == "csv":
        text = io.StringIO()
        table.write(text, format="ascii.csv")
        buffer.write(text.getvalue().encode())
    elif chosen == "parquet":
        buffer.write(_parquet(columns, rows))
    else:
        table.write(buffer, format=chosen)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{"xml" if chosen == "votable" else chosen}"'}
    return Response(buffer.getvalue(), media_type=MEDIA_TYPES[chosen], headers=headers)


def _table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table()
    for column in columns:
        values = [row[column.name] for row in rows]
        table[column.name] = _values(column.kind, values)
        table[column.name].unit = column.unit
        table[column.name].description = column.description
    return table


def _values(kind: type, values: Sequence[Any]) -> Any:
    if kind is float:
        return np.array([np.nan if value is None else value for value in values], dtype=float)
    if kind is str:
        return np.array(["" if value is None else str(value) for value in values], dtype=str)
    missing = [value is None for value in values]
    filled = np.array(
        [kind(0) if value is None else value for value in values], dtype=bool if kind is bool else np.int64
    )
    return np.ma.MaskedArray(filled, mask=missing) if any(missing) else filled


def _parquet(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    fields = [
        pa.field(
            column.name, kinds[column.kind], metadata={"unit": column.unit or "", "description": column.description}
        )
        for column in columns
    ]
    content = {
        column.name: [
            str(row[column.name]) if column.kind is str and row[column.name] is not None else row[column.name]
            for row in rows
        ]
        for column in columns
    }
    sink = io.BytesIO()
    parquet.write_table(pa.table(content, schema=pa.schema(fields)), sink)
    return sink.getvalue()
