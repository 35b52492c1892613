"""Modal gain by region of the FUV detector: its inputs, its trends, and when a region will have sagged."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ARRAY, REAL, Double, Integer, String, and_, case, cast, column, func, literal, select, values
from sqlalchemy.dialects.postgresql import aggregate_order_by

from services.monitor.monitors.framework.monitor import Columns, RowQuery, Values
from services.monitor.monitors.framework.statistics import outliers_of_group, robust_sigma
from shared.cos.detector import X_BINNING, Y_BINNING
from shared.cos.history import LIFETIME_POSITIONS
from shared.database.models.operations import File
from shared.database.models.science import Gain

__all__ = [
    "BINS_PER_LEVEL",
    "REFERENCE_LEVEL",
    "SAGGED",
    "Region",
    "Trend",
    "changes_query",
    "fit_trend",
    "pixels_query",
    "regions_of",
    "regions_query",
    "scaled",
]

SAGGED = 3.0
"""Modal gain, in bins, at which a superpixel has lost 5 % of its flux (history text of the GSAGTABs)."""

BINS_PER_LEVEL = 0.393
"""Gain of one commanded level of high voltage, in bins (legacy gain monitor)."""

REFERENCE_LEVEL = 178.0
"""Level that gains are scaled to (legacy gain monitor)."""

RAPID_BINS, RAPID_DAYS = 5.0, 28.0
"""A superpixel changed rapidly by more than these bins in fewer than these days (legacy gain monitor)."""

TREND_DAYS = 730.0
"""Trends are fitted to the newest days of a region: its gain falls only while spectra fall on it."""

LEAST_POINTS, LEAST_DAYS = 6, 30.0
"""Trends are fitted to no fewer exposures, and no shorter spans (the legacy monitor asks for more than 5 points)."""

_FALLING_SIGMAS = 2.0
_KEPT_SIGMAS = 3.0
_LEAST_KEPT = 4

OUTLIER_SIGMAS, OUTLIER_DAYS = 5.0, 180.0
"""An exposure is an outlier off the median of the trailing days by this many sigma, in gain at the same voltage."""

_FLOOR = 0.005
"""Scatter that is always believed, as a fraction of the gain: what the fit of a peak of many counts repeats to."""

_LEAST_PIXELS = 20
"""Superpixels that the median of a region needs."""

_BLOCK = 2048 // X_BINNING
"""Superpixels along dispersion of a region."""

_ROWS = {
    "FUVA": {1: (472, 502), 2: (507, 550), 3: (447, 472), 4: (406, 441)},
    "FUVB": {1: (531, 561), 2: (572, 595), 3: (505, 530), 4: (470, 493)},
}
"""Rows of the lifetime positions, in pixels (gain monitor of ``peewee4cosmo``)."""

_CENTRE_LP1 = {"FUVA": 487.0, "FUVB": 546.0}
_ROWS_PER_ARCSEC = 12.0
_HALF_HEIGHT = 15.0
"""Later positions lie where their offsets in arcsec put them: an inference from the first four, good to 6 rows."""


def _rows_of(segment: str, number: int, offset: float) -> tuple[float, float]:
    if number in _ROWS[segment]:
        return _ROWS[segment][number]
    centre = _CENTRE_LP1[segment] + _ROWS_PER_ARCSEC * offset
    return centre - _HALF_HEIGHT, centre + _HALF_HEIGHT


def regions_query() -> RowQuery:
    """Query for the median gain of each map in each region: rows of a lifetime position, 2048 columns."""
    bands = values(
        column("segment", String), column("life_adj", Integer), column("low", Integer), column("high", Integer),
        name="bands",
    ).data(
        [
            (segment, position.number, int(low) // Y_BINNING, int(high) // Y_BINNING)
            for segment in _ROWS
            for position in LIFETIME_POSITIONS
            for low, high in (_rows_of(segment, position.number, position.offset),)
        ]
    )  # fmt: skip
    block = Gain.x // _BLOCK
    groups = (Gain.file_id, Gain.rootname, Gain.segment, Gain.dethv, bands.c.life_adj, block)
    return (
        select(
            cast(Gain.file_id, Double).label("file_id"),
            Gain.rootname,
            Gain.segment,
            cast(Gain.dethv, Double).label("hvlevel"),
            cast(bands.c.life_adj, Double).label("life_adj"),
            cast(block, Double).label("block"),
            func.min(Gain.expstart, type_=Double).label("mjd"),
            cast(func.percentile_cont(0.5).within_group(Gain.gain), Double).label("gain"),
            cast(func.stddev_samp(Gain.gain), Double).label("scatter"),
            cast(func.count(), Double).label("pixels"),
        )
        .join(File, File.id == Gain.file_id)
        .join(bands, and_(bands.c.segment == Gain.segment, Gain.y.between(bands.c.low, bands.c.high)))
        .where(File.shown, Gain.dethv.is_not(None), Gain.expstart.is_not(None))
        .group_by(*groups)
        .having(func.count() >= _LEAST_PIXELS)
        .order_by(func.min(Gain.expstart))
    )


def pixels_query() -> RowQuery:
    """Query for the newest gain of each superpixel and voltage, and when it had first sagged (null if never)."""
    newest = func.array_agg(aggregate_order_by(Gain.gain, Gain.expstart.desc()), type_=ARRAY(REAL))[1]
    sagged = case((Gain.gain <= SAGGED, Gain.expstart))
    return (
        select(
            Gain.segment,
            cast(Gain.dethv, Double).label("hvlevel"),
            cast(Gain.x, Double).label("x"),
            cast(Gain.y, Double).label("y"),
            func.max(Gain.expstart, type_=Double).label("mjd"),
            cast(newest, Double).label("gain"),
            func.min(sagged, type_=Double).label("sagged"),
        )
        .join(File, File.id == Gain.file_id)
        .where(File.shown, Gain.dethv.is_not(None), Gain.expstart.is_not(None))
        .group_by(Gain.segment, Gain.dethv, Gain.y, Gain.x)
    )


def changes_query() -> RowQuery:
    """Query for how many superpixels changed rapidly, by map, in the newest days."""
    newest = select(func.max(Gain.expstart)).scalar_subquery()
    pixel = (Gain.segment, Gain.dethv, Gain.y, Gain.x)
    order = (Gain.expstart, Gain.id)
    steps = (
        select(
            Gain.rootname,
            Gain.segment,
            Gain.dethv,
            Gain.expstart,
            (Gain.gain - func.lag(Gain.gain).over(partition_by=pixel, order_by=order)).label("change"),
            (Gain.expstart - func.lag(Gain.expstart).over(partition_by=pixel, order_by=order)).label("days"),
        )
        .join(File, File.id == Gain.file_id)
        .where(File.shown, Gain.dethv.is_not(None), Gain.expstart > newest - literal(2 * RAPID_DAYS, Double))
        .subquery()
    )
    return (
        select(
            steps.c.rootname,
            steps.c.segment,
            cast(steps.c.dethv, Double).label("hvlevel"),
            func.min(steps.c.expstart, type_=Double).label("mjd"),
            cast(func.count(), Double).label("pixels"),
            cast(func.max(func.abs(steps.c.change)), Double).label("change"),
        )
        .where(func.abs(steps.c.change) > RAPID_BINS, steps.c.days < RAPID_DAYS)
        .group_by(steps.c.rootname, steps.c.segment, steps.c.dethv)
    )


def scaled(gain: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Gain that there would be at the reference level.

    Parameters
    ----------
    gain, level
        Gains in bins and the commanded levels that they were measured at, shape (n,).
    """
    result: np.ndarray = gain + BINS_PER_LEVEL * (REFERENCE_LEVEL - level)
    return result


@dataclass(frozen=True)
class Trend:
    """Straight line through gains at the reference level, fitted at the centre of their times.

    Attributes
    ----------
    mjd
        Centre of the times, MJD.
    gain, gain_error
        Gain there, in bins.
    slope, slope_error
        Bins per day.
    """

    mjd: float
    gain: float
    gain_error: float
    slope: float
    slope_error: float

    def at(self, mjd: np.ndarray) -> np.ndarray:
        """Gain of the line at times, shape (n,)."""
        line: np.ndarray = self.gain + self.slope * (mjd - self.mjd)
        return line

    def sag_date(self, level: float) -> tuple[float, float]:
        """When the gain at a level reaches `SAGGED`, MJD, and its error in d; NaN where it does not surely fall.

        Parameters
        ----------
        level
            Commanded level from now on.
        """
        if self.slope >= -_FALLING_SIGMAS * self.slope_error:
            return np.nan, np.nan
        threshold = SAGGED + BINS_PER_LEVEL * (REFERENCE_LEVEL - level)
        days = (threshold - self.gain) / self.slope
        return self.mjd + days, float(np.hypot(self.gain_error, days * self.slope_error) / abs(self.slope))


def fit_trend(mjd: np.ndarray, gain: np.ndarray) -> Trend | None:
    """Line through the newest gains of a region, without those that lie 3 sigma off it; None where they are too few.

    Parameters
    ----------
    mjd, gain
        Times in ascending order and gains at the reference level, shape (n,).
    """
    recent = mjd >= mjd[-1] - TREND_DAYS if len(mjd) else np.zeros(0, dtype=bool)
    mjd, gain = mjd[recent], gain[recent]
    if len(mjd) < LEAST_POINTS or mjd[-1] - mjd[0] < LEAST_DAYS:
        return None
    centre = float(mjd.mean())
    days = mjd - centre
    kept = np.ones(len(mjd), dtype=bool)
    for _ in range(3):
        slope, constant = np.polyfit(days[kept], gain[kept], 1)
        distance = np.abs(gain - constant - slope * days)
        near = distance <= _KEPT_SIGMAS * max(robust_sigma((gain - constant - slope * days)[kept]), 1e-6)
        if np.count_nonzero(near) < _LEAST_KEPT or np.array_equal(near, kept):
            break
        kept = near
    (slope, constant), covariance = np.polyfit(days[kept], gain[kept], 1, cov=True)
    errors = np.sqrt(np.diag(covariance))
    return Trend(centre, float(constant), float(errors[1]), float(slope), float(errors[0]))


@dataclass(frozen=True)
class Region:
    """Gains of one region by exposure, in order of time.

    Attributes
    ----------
    values
        Median gains as measured, in bins, with the errors of the medians, outliers marked; arrays of shape (n,).
    reference
        The same at the reference level, shape (n,).
    trend
        Line through the newest of them; None where they are too few.
    """

    segment: str
    life_adj: int
    block: int
    values: Values
    reference: np.ndarray
    trend: Trend | None

    @property
    def name(self) -> str:
        """Lifetime position, and columns in pixels."""
        return _name(self.life_adj, self.block)

    @property
    def level(self) -> float:
        """Newest commanded level."""
        return float(self.values.hvlevel[-1])


def regions_of(columns: Columns) -> Iterator[Region]:
    """Regions with their trends.

    Parameters
    ----------
    columns
        Columns of `regions_query`.
    """
    groups = set(zip(columns["segment"], columns["life_adj"], columns["block"], strict=True))
    for segment, life_adj, block in sorted(groups):
        mask = (columns["segment"] == segment) & (columns["life_adj"] == life_adj) & (columns["block"] == block)
        yield _region(segment, int(life_adj), int(block), {name: values[mask] for name, values in columns.items()})


def _region(segment: str, life_adj: int, block: int, mine: Columns) -> Region:
    # 1.2533: error of the median of normal values over that of their mean
    error = 1.2533 * mine["scatter"] / np.sqrt(mine["pixels"])
    reference = scaled(mine["gain"], mine["hvlevel"])
    off = np.zeros(len(reference), dtype=bool)
    for sign in (1.0, -1.0):
        off |= outliers_of_group(
            mine["mjd"], sign * reference, error, sigmas=OUTLIER_SIGMAS, days=OUTLIER_DAYS, floor=_FLOOR
        )
    names = np.full(len(off), _name(life_adj, block), dtype=object)
    measured = Values(
        "modal_gain", mine["mjd"], mine["gain"], error, mine["rootname"], mine["segment"], names, mine["hvlevel"],
        mine["life_adj"], mine["file_id"], off,
    )  # fmt: skip
    return Region(segment, life_adj, block, measured, reference, fit_trend(mine["mjd"], reference))


def _name(life_adj: int, block: int) -> str:
    first = block * _BLOCK * X_BINNING
    return f"LP{life_adj} X {first}-{first + _BLOCK * X_BINNING - 1}"
