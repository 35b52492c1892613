"""Formats of tables that astronomers and programs read, and columns that know their unit."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io.votable.exceptions import W50
from astropy.units import UnitsWarning

from services.monitor.tables.errors import TableError

__all__ = ["MEDIA_TYPES", "Column", "Values", "choose_format", "masked"]

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "votable": "application/x-votable+xml",
    "fits": "application/fits",
    "parquet": "application/vnd.apache.parquet",
}

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
        """Return the column as the API shows it."""
        return {
            "name": self.name,
            "type": self.kind.__name__,
            "unit": self.unit,
            "description": self.description,
        }


def choose_format(asked: str | None, accept: str) -> str:
    """Format of the answer: ``?format=`` first, then the ``Accept`` header, else JSON.

    Raises
    ------
    TableError
        If the format that was asked for by name is unknown.
    """
    if asked is not None:
        if asked not in MEDIA_TYPES:
            raise TableError(
                "unknown_format",
                f"format {asked!r} is unknown; there are {', '.join(MEDIA_TYPES)}",
            )
        return asked
    wishes = sorted(map(_wish, accept.lower().split(",")), key=lambda wish: -wish[1])
    names = {media: name for name, media in MEDIA_TYPES.items()} | {"*/*": "json"}
    return next((names[media] for media, weight in wishes if media in names and weight > 0), "json")


def _wish(part: str) -> tuple[str, float]:
    """Return the media type and weight of a part of an ``Accept`` header (RFC 9110, 12.5.1)."""
    media, _, parameters = part.partition(";")
    weight = next(
        (text.strip()[2:] for text in parameters.split(";") if text.strip().startswith("q=")), "1"
    )
    try:
        return media.strip(), float(weight)
    except ValueError:
        return media.strip(), 0.0


def masked(kind: type, values: Sequence[Any]) -> Values:
    """Return the values of a column out of Python objects, None masked."""
    mask = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    if kind is str:
        # Header values repeat: one object each instead of one a row.
        known: dict[str, str] = {}
        texts = [
            "" if value is None else known.setdefault(str(value), str(value)) for value in values
        ]
        return np.ma.MaskedArray(np.array(texts, dtype=object), mask=mask)
    dtype: type = {float: np.float64, int: np.int64, bool: np.bool_}[kind]
    return np.ma.MaskedArray(
        np.array([0 if value is None else value for value in values], dtype=dtype), mask=mask
    )
