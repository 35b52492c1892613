"""Common parts of the dark monitors: inputs, and the rate of each exposure and region."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Double, String, and_, cast, func, or_

from services.monitor.framework.declaration import Columns, Increment, RowQuery, Values
from services.monitor.framework.increments import by_files, file_ranges
from services.monitor.framework.rules import Rule, always
from services.monitor.framework.statistics import robust_sigma, summarise
from services.monitor.library.exposure_values import take, voltage_changed
from services.monitor.library.running_lines import away_from_lines
from services.monitor.library.shown_rows import shown
from shared.database.models.monitoring import Severity
from shared.database.models.science import Dark, Header

__all__ = [
    "HISTOGRAM_STEP",
    "OUTLIER",
    "OUTLIER_WINDOW",
    "RANGES",
    "DarkRates",
    "darks_by_files",
    "free_of_saa",
    "is_free_of_saa",
    "is_rate",
    "rates_of",
    "statistics_by_level",
    "statistics_of",
]

SAA_LATITUDE, SAA_LONGITUDE = 10.0, 260.0
"""Bins are free of the SAA north of this latitude or west of this longitude, deg (the cut of
STScI's dark monitor).
"""

SAA_EDGE_KM = 500.0
"""They are not within this distance of its contour either, which the cut leaves in to its East:
there the anomaly's edge makes up to twice the rate (3,990 measurements of 2009 to 2017: 2.1 within
300 km against 1.1 to 1.4 beyond)."""

OUTLIER_WINDOW = 25
"""Exposures that the line of median slope is laid through which outliers are above: a median of
those before one would lag behind the solar cycle, and behind the growth of the NUV rate, wherever
darks are rare."""

OUTLIER = Rule(
    name="outlier",
    severity=Severity.WARN,
    text=f"rate above the line through the {OUTLIER_WINDOW} darks about it at the same voltage by "
    "more "
    f"than {{:.0f}} sigma",
    thresholds=always(5.0, "inference from the guide lines of the original dark monitor"),
)

_HIGHEST_RATE = 1.0
"""No rate is higher, counts / (s pix): the NUV detector of a million pixels is switched off at
770,000 counts / s (COS Instrument Handbook, table 10.1), and a segment at 60,000."""

_LEAST = 10
"""Darks of a region without which nothing is an outlier.

Those of a voltage with fewer are compared with all others.
"""

HISTOGRAM_STEP = 5e-8
"""Width of the bins of the rates' histogram, counts / (s pix)."""


def is_rate() -> ColumnElement[bool]:
    """Return the condition that the rate of a bin can be one, or is unknown."""
    return or_(Dark.dark.is_(None), Dark.dark.between(0.0, _HIGHEST_RATE))


def free_of_saa() -> ColumnElement[bool]:
    """Return the condition that a bin is far from the South Atlantic Anomaly, or that its position
    is unknown.
    """
    apart = or_(Dark.saa_distance.is_(None), Dark.saa_distance > SAA_EDGE_KM)
    west = or_(Dark.latitude > SAA_LATITUDE, Dark.longitude < SAA_LONGITUDE)
    return or_(Dark.latitude.is_(None), and_(west, apart))


def is_free_of_saa(latitude: np.ndarray, longitude: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return which bins fulfil `free_of_saa`, boolean of shape (n,): by HST's position (deg) and
    distance to the SAA (km).
    """
    apart = np.isnan(distance) | (distance > SAA_EDGE_KM)
    west = (latitude > SAA_LATITUDE) | (longitude < SAA_LONGITUDE)
    found: np.ndarray = np.isnan(latitude) | (west & apart)
    return found


RANGES = file_ranges({"darks", "headers"})
"""Ranges of the files that `darks_by_files` parts darks by."""


def darks_by_files(detectors: Sequence[str], regions: Sequence[str]) -> dict[str, Increment]:
    """Return the rates of exposures (``rates``), and how many 25-s bins of some regions had which
    rate (``histogram``).

    Their rows are parted by the input ``ranges``, which is `RANGES`.

    Parameters
    ----------
    detectors
        Segments, or NUV.
    regions
        Regions that the histogram is of.
    """
    queries = {"rates": _rates_query(detectors), "histogram": _histogram_query(detectors, regions)}
    return {"by_files": by_files("ranges", queries, Dark.file_id)}


def _rates_query(detectors: Sequence[str]) -> RowQuery:
    """Return the query for the counts of each exposure, segment and region outside the SAA."""
    return (
        shown(
            Dark,
            Dark.file_id,
            Dark.rootname,
            Dark.detector.label("segment"),
            Dark.region,
            func.min(Dark.mjd, type_=Double).label("mjd"),
            func.sum(Dark.counts).label("counts"),
            func.sum(Dark.exposure, type_=Double).label("exposure"),
            func.max(Dark.npix).label("npix"),
            func.avg(Dark.dark, type_=Double).label("mean"),
            func.stddev_samp(Dark.dark, type_=Double).label("scatter"),
            func.count(Dark.dark).label("bins"),
            func.avg(Dark.temp, type_=Double).label("temperature"),
            func.max(Dark.hvlevel).label("hvlevel"),
            func.max(Header.life_adj).label("life_adj"),
            func.max(Header.proposid).label("proposid"),
        )
        .outerjoin(Header, Header.file_id == Dark.file_id)
        .where(is_rate(), Dark.detector.in_(detectors), free_of_saa())
        .group_by(Dark.file_id, Dark.rootname, Dark.detector, Dark.region)
        .order_by(Dark.file_id, Dark.rootname, Dark.detector, Dark.region)
    )


def _histogram_query(detectors: Sequence[str], regions: Sequence[str]) -> RowQuery:
    """Return the query for how many 25-s bins outside the SAA had which rate, by segment and month
    (12 times the date).
    """
    step = func.floor(Dark.dark / HISTOGRAM_STEP, type_=Double)
    month = func.floor(Dark.date * 12.0, type_=Double)
    return (
        shown(
            Dark,
            cast(Dark.detector, String).label("segment"),
            month.label("month"),
            step.label("step"),
            func.count().label("count"),
        )
        .where(is_rate(), Dark.detector.in_(detectors), Dark.region.in_(regions), free_of_saa())
        .group_by(Dark.detector, month, step)
        .order_by(Dark.detector, month, step)
    )


@dataclass(frozen=True)
class DarkRates:
    """Rates of one segment and region by exposure, in order of time; arrays of shape (n,).

    Attributes
    ----------
    values
        Rates (counts / (s pix)) with their Poisson errors, outliers marked.
    limit
        Rate above which each is an outlier, infinite where there are too few.
    temperature
        Mean temperature of each exposure (deg C), NaN where unknown.
    npix
        Area of the region, pixels.
    proposid
        Proposal of each exposure, NaN where unknown.
    """

    segment: str
    region: str
    values: Values
    limit: np.ndarray
    temperature: np.ndarray
    npix: float
    proposid: np.ndarray

    @property
    def name(self) -> str:
        """Group that statistics are kept of."""
        return f"{self.segment} {self.region}"


def rates_of(columns: Columns) -> list[DarkRates]:
    """Return the rates by segment and region.

    Parameters
    ----------
    columns
        Table ``rates`` of `darks_by_files`.
    """
    rate, error = _rate_and_error(columns)
    columns = {**columns, "rate": rate, "error": error}
    order = np.lexsort((columns["file_id"], columns["mjd"]))
    columns = take(columns, order[np.isfinite(rate)[order]])
    (segments, segment), (regions, region) = (
        np.unique(columns[name].astype(str), return_inverse=True) for name in ("segment", "region")
    )
    groups = (
        (segment == one) & (region == other)
        for one in range(len(segments))
        for other in range(len(regions))
    )
    return [_rates(take(columns, mine)) for mine in groups if mine.any()]


def _rates(columns: Columns) -> DarkRates:
    """Return the rates of one segment and region."""
    limit = _limits_by_level(columns["mjd"], columns["rate"], columns["error"], columns["hvlevel"])
    values = Values(
        quantity="dark_rate",
        mjd=columns["mjd"],
        value=columns["rate"],
        error=columns["error"],
        rootname=columns["rootname"],
        segment=columns["segment"],
        region=columns["region"],
        hvlevel=columns["hvlevel"],
        life_adj=columns["life_adj"],
        file_id=columns["file_id"],
        outlier=columns["rate"] > limit,
    )
    segment, region = (str(columns[name][0]) for name in ("segment", "region"))
    npix = float(columns["npix"][0])
    return DarkRates(
        segment, region, values, limit, columns["temperature"], npix, columns["proposid"]
    )


def _limits_by_level(
    mjd: np.ndarray, rate: np.ndarray, error: np.ndarray, hvlevel: np.ndarray
) -> np.ndarray:
    """Return the rates above which one lies above those about it at the same voltage, which alters
    the rate.
    """
    _, place, counts = np.unique(
        np.nan_to_num(hvlevel, nan=-1.0), return_inverse=True, return_counts=True
    )
    enough = counts >= _LEAST
    found = np.full(len(rate), np.inf) if enough.all() else _limits(mjd, rate, error)
    for level in np.flatnonzero(enough).tolist():
        mine = place == level
        found[mine] = _limits(mjd[mine], rate[mine], error[mine])
    return found


def _limits(mjd: np.ndarray, rate: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return rates above which one lies above those about it; infinite where there are too few."""
    if len(rate) < _LEAST:
        return np.full(len(rate), np.inf)
    line = rate - away_from_lines(mjd, rate, min(OUTLIER_WINDOW, len(rate)))
    level = np.maximum(line, np.finfo(float).tiny)
    # The scatter, of day and night above all, goes with the rate.
    scatter = np.fmax(error, robust_sigma((rate - line) / level) * level)
    found: np.ndarray = line + OUTLIER.at(mjd) * scatter
    return found


def _rate_and_error(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Divide counts by area and time.

    Of measurements without counts, take their mean and its error.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        area = columns["npix"] * columns["exposure"]
        # One count stands for the error of none.
        poisson = np.sqrt(np.maximum(columns["counts"], 1.0)) / area
        counted = columns["exposure"] > 0
        rate = np.where(
            counted,
            columns["counts"] / area,
            np.where(np.isnan(columns["counts"]), columns["mean"], np.nan),
        )
        return rate, np.where(counted, poisson, columns["scatter"] / np.sqrt(columns["bins"]))


def statistics_of(rates: Sequence[DarkRates]) -> dict[str, Any]:
    """Return the statistics by segment and region; the configuration is the high voltage."""
    return {
        group.name: summarise(
            group.values.mjd, group.values.value, voltage_changed(vars(group.values))
        )
        for group in rates
    }


def statistics_by_level(rates: Sequence[DarkRates]) -> dict[str, Any]:
    """Return the statistics by segment, region and high voltage, of those with more than one."""
    found: dict[str, Any] = {}
    for group in rates:
        values = group.values
        levels = np.unique(values.hvlevel[np.isfinite(values.hvlevel)]).tolist()
        for level in levels if len(levels) > 1 else ():
            mine = values.hvlevel == level
            found[f"{group.name} HV {level:.0f}"] = summarise(
                values.mjd[mine], values.value[mine], None
            )
    return found
