"""Light curves out of the files that recalibrations with sub-exposures leave."""

from typing import Any

import numpy as np

from services.monitor.products.spectra import open_product
from services.monitor.tables.columns import Column, Values
from shared.store import Store, StoredFile

__all__ = ["COLUMNS", "read_light_curve"]

COLUMNS = (
    Column("part", str, None, "Sub-exposure; its files begin so"),
    Column("exposure", str, None, "Exposure that it is a part of"),
    Column("segment", str, None, "Segment or stripe"),
    Column("mjd", float, "d", "Middle of its good times, MJD"),
    Column("start", float, "s", "First good time, since EXPSTART"),
    Column("stop", float, "s", "Last good time, since EXPSTART"),
    Column("exptime", float, "s", "Exposure time"),
    Column("counts", float, "count", "Counts in the extracted region"),
    Column("net", float, "count / s", "Rate of the source"),
    Column("net_error", float, "count / s", "Its error (Poisson)"),
    Column("background", float, "count / s", "Rate of the background"),
    Column("flux", float, "erg / (s cm2 Angstrom)", "Mean flux, weighted by the sensitivity"),
    Column("flux_error", float, "erg / (s cm2 Angstrom)", "Its error"),
    Column("points", int, None, "Points of the spectrum that are added up"),
)


def read_light_curve(store: Store, file: StoredFile) -> dict[str, Values]:
    """Read its columns, a row for each sub-exposure and segment.

    Fluxes that are not known are masked.
    """
    with open_product(store, file) as hdus:
        table = hdus["LIGHTCURVE"].data
        return {column.name: _values(column, table[column.name]) for column in COLUMNS}


def _values(column: Column, found: Any) -> Values:
    if column.kind is str:
        return np.ma.MaskedArray(np.array([str(text).strip() for text in found], dtype=object))
    values: Values = np.ma.masked_invalid(np.asarray(found, dtype=column.kind))
    return values
