"""What the dark monitors share: their inputs, and the rate of each exposure and region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Double, String, cast, func, or_, select

from services.monitor.figures import Figure, Mark, Panel
from services.monitor.figures.description import Layer, Line, PointColumns, numbers, scatter
from services.monitor.monitors.framework.history import Dated, lifetime_marks, value_at
from services.monitor.monitors.framework.monitor import Columns, Finding, RowQuery, Values
from services.monitor.monitors.framework.statistics import outliers_of_group, summarise
from shared.database.models.monitoring import Severity
from shared.database.models.operations import File
from shared.database.models.science import Dark, Header

__all__ = [
    "DarkRates",
    "histogram_figure",
    "histogram_query",
    "rate_figure",
    "rate_findings",
    "rates_of",
    "rates_query",
    "statistics_of",
    "temperature_figure",
]

SAA_LATITUDE, SAA_LONGITUDE = 10.0, 260.0
"""Bins are free of the SAA north of this latitude or west of this longitude, deg (the cut of STScI's dark monitor)."""

OUTLIER_SIGMAS, OUTLIER_DAYS = 5.0, 180.0
"""An exposure is an outlier above the median of the trailing days by this many sigma."""

LATEST = 5
"""Darks whose median is held against the expected rate."""

RECENT_DAYS = 30.0
"""Older outliers are flagged, but no longer alarming."""

HISTOGRAM_STEP = 5e-8
"""Width of the bins of the rates' histogram, counts / (s pix)."""


def free_of_saa() -> ColumnElement[bool]:
    """Condition that a bin is far from the South Atlantic Anomaly, or that its position is unknown."""
    return or_(Dark.latitude.is_(None), Dark.latitude > SAA_LATITUDE, Dark.longitude < SAA_LONGITUDE)


def rates_query(detectors: Sequence[str]) -> RowQuery:
    """Query for the counts of each exposure, segment and region outside the SAA, in order of time."""
    return (
        select(
            Dark.file_id,
            Dark.rootname,
            Dark.detector.label("segment"),
            Dark.region,
            func.min(Dark.mjd, type_=Double).label("mjd"),
            cast(func.sum(Dark.counts), Double).label("counts"),
            func.sum(Dark.exposure, type_=Double).label("exposure"),
            cast(func.max(Dark.npix), Double).label("npix"),
            func.avg(Dark.dark, type_=Double).label("mean"),
            func.stddev_samp(Dark.dark, type_=Double).label("scatter"),
            cast(func.count(Dark.dark), Double).label("bins"),
            func.avg(Dark.temp, type_=Double).label("temperature"),
            cast(func.max(Dark.hvlevel), Double).label("hvlevel"),
            cast(func.max(Header.life_adj), Double).label("life_adj"),
        )
        .join(File, File.id == Dark.file_id)
        .outerjoin(Header, Header.file_id == Dark.file_id)
        .where(File.shown, Dark.detector.in_(detectors), free_of_saa())
        .group_by(Dark.file_id, Dark.rootname, Dark.detector, Dark.region)
        .order_by(func.min(Dark.mjd))
    )


def histogram_query(detectors: Sequence[str], regions: Sequence[str]) -> RowQuery:
    """Query for how many 25-s bins outside the SAA had which rate, by segment and year."""
    step = func.floor(Dark.dark / HISTOGRAM_STEP, type_=Double)
    year = func.floor(Dark.date, type_=Double)
    return (
        select(
            cast(Dark.detector, String).label("segment"),
            year.label("year"),
            step.label("step"),
            cast(func.count(), Double).label("count"),
        )
        .join(File, File.id == Dark.file_id)
        .where(File.shown, Dark.detector.in_(detectors), Dark.region.in_(regions), free_of_saa())
        .group_by(Dark.detector, year, step)
        .order_by(Dark.detector, year, step)
    )


@dataclass(frozen=True)
class DarkRates:
    """Rates of one segment and region by exposure, in order of time; arrays of shape (n,).

    Attributes
    ----------
    values
        Rates (counts / (s pix)) with their Poisson errors, outliers marked.
    temperature
        Mean temperature of each exposure (deg C), NaN where unknown.
    npix
        Area of the region, pixels.
    """

    segment: str
    region: str
    values: Values
    temperature: np.ndarray
    npix: float

    @property
    def name(self) -> str:
        """Group that statistics are kept of."""
        return f"{self.segment} {self.region}"


def rates_of(columns: Columns) -> list[DarkRates]:
    """Rates by segment and region.

    Parameters
    ----------
    columns
        Columns of `rates_query`.
    """
    groups = sorted(set(zip(columns["segment"].tolist(), columns["region"].tolist(), strict=True)))
    return [_rates(columns, segment, region) for segment, region in groups]


def _rates(columns: Columns, segment: str, region: str) -> DarkRates:
    rate, error = _rate_and_error(columns)
    mask = (columns["segment"] == segment) & (columns["region"] == region) & np.isfinite(rate)
    chosen = {name: column[mask] for name, column in columns.items()}
    rate, error = rate[mask], error[mask]
    values = Values(
        "dark_rate", chosen["mjd"], rate, error, chosen["rootname"], chosen["segment"], chosen["region"],
        chosen["hvlevel"], chosen["life_adj"], chosen["file_id"], np.zeros(len(rate), dtype=bool),
    )  # fmt: skip
    outlier = outliers_of_group(chosen["mjd"], rate, error, sigmas=OUTLIER_SIGMAS, days=OUTLIER_DAYS)
    npix = float(chosen["npix"][0]) if len(rate) else 0.0
    return DarkRates(segment, region, replace(values, outlier=outlier), chosen["temperature"], npix)


def _rate_and_error(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Divide counts by area and time; of measurements without counts, take their mean and its error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        area = columns["npix"] * columns["exposure"]
        # One count stands for the error of none.
        poisson = np.sqrt(np.maximum(columns["counts"], 1.0)) / area
        counted = columns["exposure"] > 0
        rate = np.where(
            counted, columns["counts"] / area, np.where(np.isnan(columns["counts"]), columns["mean"], np.nan)
        )
        return rate, np.where(counted, poisson, columns["scatter"] / np.sqrt(columns["bins"]))


def statistics_of(rates: Sequence[DarkRates]) -> dict[str, Any]:
    """Statistics by segment and region; the configuration is the high voltage."""
    return {group.name: summarise(group.values.mjd, group.values.value, _changed(group.values)) for group in rates}


def _changed(values: Values) -> float | None:
    """When the voltage last changed."""
    level = values.hvlevel
    steps = np.flatnonzero(np.isfinite(level[1:]) & (level[1:] != level[:-1]))
    return float(values.mjd[steps[-1] + 1]) if len(steps) else None


def rate_findings(group: DarkRates, expected: Sequence[Dated]) -> list[Finding]:
    """Apply the rules: the latest darks above what is expected of them, single outliers of the last days.

    Parameters
    ----------
    group
        Rates of a region.
    expected
        Expected rates with their dates, counts / (s pix).
    """
    values = group.values
    findings: list[Finding] = []
    if len(values.mjd) >= LATEST:
        median = float(np.median(values.value[-LATEST:]))
        normal = float(value_at(expected, values.mjd[-1:])[0])
        source = expected[-1].source
        if median > 1.2 * normal:
            grave = median > 2 * normal
            factor = 2.0 if grave else 1.2
            findings.append(
                Finding(
                    "expected-rate",
                    Severity.ALERT if grave else Severity.WARN,
                    f"the last {LATEST} darks of {group.name} have {median / normal:.2f} times the expected rate",
                    f"median of the last {LATEST} darks above {factor} times the expected rate",
                    source,
                    median,
                    factor * normal,
                    group.name,
                )
            )
    recent = values.outlier & (values.mjd > (values.mjd.max(initial=0.0) - RECENT_DAYS))
    findings.extend(
        Finding(
            "outlier",
            Severity.WARN,
            f"dark rate of {group.name} is {values.value[index]:.3g} counts / (s pix), far above those before it",
            f"rate above the median of the trailing {OUTLIER_DAYS:.0f} d by more than {OUTLIER_SIGMAS:.0f} sigma",
            "inference from the legacy monitor's guide lines",
            float(values.value[index]),
            None,
            group.name,
            values.rootname[index],
        )
        for index in np.flatnonzero(recent)
    )
    return findings


def rate_figure(rates: Sequence[DarkRates], regions: Sequence[str], expected: Mapping[str, Sequence[Dated]]) -> Figure:
    """Figure of rate against date, a panel for each region."""
    panels = []
    for region in regions:
        layers: list[Layer] = []
        groups = [group for group in rates if group.region == region]
        for group in groups:
            layers += scatter(group.segment, _points(group))
            layers += _expected_line(group, expected.get(group.segment, ()), region == regions[0])
        if groups:
            layers += lifetime_marks(np.concatenate([group.values.mjd for group in groups]))
        panels.append(Panel("Date", "Dark rate (counts / s / pix)", layers, title=region, x_is_time=True))
    caption = (
        "Each point is one dark exposure outside the South Atlantic Anomaly, with its Poisson error; crosses are "
        "outliers. Dashed: the rate of the exposure-time calculator. Dotted: moves to new lifetime positions."
    )
    return Figure("rate", "Dark rate against date", caption, panels, share_x=True)


def _points(group: DarkRates) -> PointColumns:
    values = group.values
    notes = np.array(
        [
            ""
            if not np.isfinite(level)
            else f"HV {level:.0f}, {heat:.1f} C"
            if np.isfinite(heat)
            else f"HV {level:.0f}"
            for level, heat in zip(values.hvlevel, group.temperature, strict=True)
        ],
        dtype=object,
    )
    return PointColumns(
        values.mjd, values.value, values.error, rootnames=values.rootname, notes=notes, outliers=values.outlier
    )


def _expected_line(group: DarkRates, expected: Sequence[Dated], wanted: bool) -> list[Layer]:
    if not (wanted and expected and len(group.values.mjd)):
        return []
    last = float(group.values.mjd.max())
    x = [item.mjd for item in expected if item.mjd <= last]
    if not x:
        return []
    y = value_at(expected, np.array([*x, last]))
    return [Line(f"{group.segment} expected", numbers([*x, last], None), numbers(y), steps=True, dashed=True)]


def temperature_figure(rates: Sequence[DarkRates]) -> Figure:
    """Figure of rate against temperature, coloured by date."""
    panels = []
    for group in rates:
        warm = np.isfinite(group.temperature)
        years = 2000.0 + (group.values.mjd[warm] - 51544.5) / 365.25
        columns = PointColumns(
            group.temperature[warm], group.values.value[warm], group.values.error[warm], years,
            group.values.rootname[warm],
        )  # fmt: skip
        panels.append(
            Panel(
                "Temperature (deg C)",
                "Dark rate (counts / s / pix)",
                scatter(group.segment, columns, "year"),
                group.name,
            )
        )
    caption = "One point an exposure, coloured by its date: a trend along one colour is one with temperature."
    return Figure("temperature", "Dark rate against temperature", caption, panels, columns=max(1, len(panels)))


def histogram_figure(columns: Columns) -> Figure:
    """Figure of the distribution of the 25-s rates of each segment: all years, and the newest one."""
    panels = []
    for segment in sorted(set(columns["segment"].tolist())):
        mine = columns["segment"] == segment
        years = columns["year"][mine]
        newest = years.max()
        layers: list[Layer] = []
        for label, mask in (("whole mission", years > 0), (f"{newest:.0f}", years == newest)):
            steps, counts = columns["step"][mine][mask], columns["count"][mine][mask]
            unique, place = np.unique(steps, return_inverse=True)
            total = np.bincount(place, weights=counts)
            layers.append(Line(label, numbers(unique * HISTOGRAM_STEP), numbers(total / total.sum()), steps=True))
        layers += _quantiles(columns["step"][mine], columns["count"][mine])
        panels.append(Panel("Dark rate (counts / s / pix)", "Fraction of the 25-s bins", layers, segment, y_log=True))
    caption = (
        "Distribution of the rates of 25 s outside the South Atlantic Anomaly; lines mark median, 95 and 99 per cent."
    )
    return Figure("histogram", "How often which dark rate", caption, panels, columns=max(1, len(panels)))


def _quantiles(steps: np.ndarray, counts: np.ndarray) -> list[Layer]:
    order = np.argsort(steps)
    share = np.cumsum(counts[order]) / counts.sum()
    marks: list[Layer] = []
    for fraction, text in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %")):
        place = steps[order][np.searchsorted(share, fraction)]
        marks.append(Mark(text, x=float((place + 0.5) * HISTOGRAM_STEP)))
    return marks
