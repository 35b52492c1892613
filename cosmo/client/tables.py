"""Tables of the service as tables of astropy and pandas."""

import io
import warnings
from functools import partial
from typing import TYPE_CHECKING

import httpx

from cosmo.client.calls import Call, Flow, QueryValue, Work, query_of
from cosmo.client.pages import following
from shared.errors import PermanentError

if TYPE_CHECKING:
    from astropy.table import QTable
    from pandas import DataFrame

__all__ = ["read_table", "table_call", "to_dataframe", "with_units"]

_SECONDS = 300.0
"""Longest wait for the begin of a file of 100,000 rows."""


def table_call(path: str, /, **values: QueryValue) -> Call[bytes]:
    """Describe a call for a table as a VOTable, which has units and missing values of every type.

    Parameters
    ----------
    path
        Address of the table.
    values
        Query parameters.
    """
    return Call(
        "GET",
        path,
        lambda response: response.content,
        query_of({**values, "format": "votable"}),
        timeout=_SECONDS,
    )


def read_table(call: Call[bytes]) -> Flow["QTable"]:
    """Read a table: all of its rows, in however many files they come."""
    parts = []
    waiting: Call[bytes] | None = call
    while waiting is not None:
        response: httpx.Response = yield waiting
        parts.append((yield Work(partial(_parse, response.content))))
        waiting = following(waiting, response)
    return (yield Work(partial(_join, parts)))


def _parse(content: bytes) -> "QTable":
    try:
        from astropy.io.votable import parse_single_table
        from astropy.table import QTable
    except ImportError as error:
        raise PermanentError("tables need astropy: run `pip install astropy`") from error
    with warnings.catch_warnings():
        # The units of COS products are not all among those of the VOTable standard.
        warnings.simplefilter("ignore")
        table = parse_single_table(io.BytesIO(content), verify="ignore")
        return QTable(table.to_table(use_names_over_ids=True))


def _join(parts: "list[QTable]") -> "QTable":
    from astropy.table import vstack

    return parts[0] if len(parts) == 1 else vstack(parts, metadata_conflicts="silent")


def to_dataframe(table: "QTable") -> "DataFrame":
    """Make a `pandas.DataFrame` of a table.

    Parameters
    ----------
    table
        Table as the client gives it.

    Returns
    -------
    pandas.DataFrame
        The same columns; missing values are missing, and whole numbers and truth values stay what
        they are. ``attrs["units"]`` has the unit of each column that has one, as a text.

    Raises
    ------
    PermanentError
        If pandas is not installed.
    """
    try:
        import pandas  # noqa: F401 - what astropy needs for it
    except ImportError as error:
        raise PermanentError("data frames need pandas: run `pip install pandas`") from error
    frame = table.to_pandas()
    truths = [column.info.name for column in table.itercols() if column.dtype.kind == "b"]
    frame = frame.astype(dict.fromkeys(truths, "boolean"))
    frame.attrs["units"] = {
        column.info.name: str(column.info.unit)
        for column in table.itercols()
        if column.info.unit is not None
    }
    return frame


def with_units(table: "QTable", names: tuple[str, ...], unit: str) -> "QTable":
    """Make a table in which columns of plain numbers have a unit.

    Parameters
    ----------
    table
        The table.
    names
        Its columns.
    unit
        The unit, as astropy reads it.
    """
    from astropy.table import QTable

    for name in names:
        table[name].unit = unit
    return QTable(table)
