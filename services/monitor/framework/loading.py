"""Columns of a query, read at the speed of COPY: a monitor's inputs may have millions of rows."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import REAL, BigInteger, Boolean, Double, Integer, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from services.monitor.framework.declaration import Columns, RowQuery

__all__ = ["load", "texts_of"]


def _arrow_type(name: str, kind: TypeEngine[Any]) -> pa.DataType:
    if isinstance(kind, Boolean):
        return pa.bool_()
    if isinstance(kind, REAL):
        # Half as many digits say the same number.
        return pa.float32()
    if isinstance(kind, (Double, Integer, BigInteger)):
        return pa.float64()
    if isinstance(kind, String):
        return pa.string()
    raise TypeError(
        f"the column {name} of a query is of type {kind!r}, which a monitor cannot read: it must "
        "be a number, a boolean or text; name the type of a function, as in "
        "`func.avg(column, type_=Double)`, or use `cast`"
    )


_BLOCK = 1 << 24
"""Bytes that are parsed at once; no row may be longer."""


async def load(session: AsyncSession, query: RowQuery) -> Columns:
    """Return the columns of a query.

    Parameters
    ----------
    session
        Session of the transaction to read in.
    query
        Columns of numbers, booleans or text, each with a name.

    Returns
    -------
    Mapping of str to ndarray
        Numbers as float64 with NaN for null and for infinities, booleans as bool (null is False),
        text as objects with None for null.

    Raises
    ------
    TypeError
        If a column is of another type.
    """
    # COPY takes no parameters; every value in such a query is a constant of the monitor's module.
    text = str(query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
    types = {
        column.name: _arrow_type(column.name, column.type) for column in query.selected_columns
    }
    connection = await (await session.connection()).get_raw_connection()
    buffer = io.BytesIO()
    driver: Any = connection.driver_connection
    await driver.copy_from_query(text, output=buffer, format="csv", header=True)
    buffer.seek(0)
    table = csv.read_csv(
        buffer,
        read_options=csv.ReadOptions(block_size=_BLOCK),
        # a row of one column that is null is an empty line
        parse_options=csv.ParseOptions(ignore_empty_lines=False, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return {name: _array(table.column(name)) for name in types}


def texts_of(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column of text, encoded or not: objects, None for null; rows share what is equal."""
    encoded = column.dictionary_encode().combine_chunks()
    texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    found: np.ndarray = texts[encoded.indices.fill_null(len(texts) - 1).to_numpy()]
    return found


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_floating(column.type):
        values: np.ndarray = (
            column.fill_null(float("nan")).to_numpy().astype(np.float64, copy=False)
        )
        infinite = np.isinf(values)
        return np.where(infinite, np.nan, values) if infinite.any() else values
    if pa.types.is_boolean(column.type):
        flags: np.ndarray = column.fill_null(False).to_numpy()
        return flags
    return texts_of(column)
