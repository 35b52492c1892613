"""Light curves out of the files that recalibrations with sub-exposures leave."""

from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.products.spectra import open_product
from services.monitor.tables.columns import Column, Values
from services.monitor.web.error_responses import ApiError
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import File
from shared.store import Store

__all__ = ["COLUMNS", "light_curve_file", "read_light_curve"]

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


async def light_curve_file(session: AsyncSession, calibration: Calibration) -> File:
    """Find the light curve of a recalibration.

    Raises
    ------
    ApiError
        404 if it has none.
    """
    query = select(File).where(
        File.run_id == calibration.run_id, File.origin == "extra", File.suffix == "lightcurve"
    )
    file = (await session.execute(query)).scalar_one_or_none() if calibration.run_id else None
    if file is None:
        message = (
            f"calibration {calibration.id} has no light curve; a recipe with sub_exposures "
            "leaves one"
        )
        raise ApiError(404, "no_light_curve", message)
    return file


def read_light_curve(store: Store, file: File) -> dict[str, Values]:
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
