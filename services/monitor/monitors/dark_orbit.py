"""Dark rate over HST's orbit: maps against ground position and against the Sun, and how much the SAA's edge adds."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from astropy.io import fits
from scipy.ndimage import uniform_filter1d
from sqlalchemy import select

from services.monitor.figures import Figure, Heatmap, Outline, Panel
from services.monitor.figures.description import Layer, PointColumns, numbers, scatter
from services.monitor.monitors.framework.monitor import (
    Columns,
    Findings,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    RowQuery,
    Values,
)
from services.monitor.monitors.framework.statistics import describe, robust_sigma
from shared.cos.saa import saa_contour
from shared.database.models.operations import File
from shared.database.models.science import Dark

__all__ = ["MONITOR"]

_REGIONS = ("inner", "all", "legacy")
"""One region of each detector, so that no count is used twice."""

_CELL = (5.0, 2.5)
"""Width of the cells of the map in longitude and latitude, degrees."""

_LEAST_BINS = 3
"""Cells with fewer 25-s bins stay empty."""

_LATITUDES = (-35.0, 35.0)
"""HST's orbit is inclined by 28.5 degrees."""

_EDGE_KM, _QUIET_KM = 500.0, 2000.0
"""Within the first distance of the SAA's contour is its edge; beyond the second is quiet."""

_SMOOTHING = 91
"""Bins of the running mean that elevated rates are held against (the original dark monitor's)."""

_ELEVATED = 1.5
"""Standard deviations of that mean above it from which a rate is elevated (the original dark monitor's)."""

_BURST = 10.0
"""Rates that lie this many robust standard deviations above the median are no dark rates."""

_EXPLANATION = """
HST crosses the South Atlantic Anomaly several times a day, and detectors count more near it. These maps show where: the
median dark rate of cells of 5 degrees in longitude and 2.5 degrees in latitude, with the contour inside which the
detector is switched off.

The second map has the Sun at its origin, to tell what follows the Earth from what follows daylight. The third shows
single bins whose rate is elevated: above the running mean of 91 bins by one and a half times the scatter of that mean.

The ratio of edge to quiet is the mean rate within 500 km of the contour over that of bins farther than 2000 km away;
bins that lie 10 robust sigma above the median of either are left out.
"""


def _bins() -> RowQuery:
    return (
        select(
            Dark.rootname, Dark.detector.label("segment"), Dark.mjd, Dark.dark, Dark.exposure, Dark.latitude,
            Dark.longitude, Dark.sun_lat, Dark.sun_lon, Dark.saa_distance,
        )
        .join(File, File.id == Dark.file_id)
        .where(
            File.shown, Dark.region.in_(_REGIONS), Dark.dark.is_not(None), Dark.latitude.is_not(None),
            Dark.longitude.is_not(None),
        )
        .order_by(Dark.mjd)
    )  # fmt: skip


@dataclass(frozen=True)
class _Map:
    """Median rate by cell; arrays of shape (latitudes, longitudes).

    Attributes
    ----------
    rate, error
        Median and its error (1.2533 sigma / sqrt(n)), NaN where there are too few bins.
    count, seconds
        Bins and their time.
    """

    x_edges: np.ndarray
    y_edges: np.ndarray
    rate: np.ndarray
    error: np.ndarray
    count: np.ndarray
    seconds: np.ndarray


def _map(x: np.ndarray, y: np.ndarray, rate: np.ndarray, seconds: np.ndarray, y_range: tuple[float, float]) -> _Map:
    x_edges = np.arange(0.0, 360.0 + _CELL[0], _CELL[0])
    y_edges = np.arange(y_range[0], y_range[1] + _CELL[1], _CELL[1])
    column = np.clip(np.digitize(x % 360.0, x_edges) - 1, 0, len(x_edges) - 2)
    row = np.clip(np.digitize(y, y_edges) - 1, 0, len(y_edges) - 2)
    shape = (len(y_edges) - 1, len(x_edges) - 1)
    cell = row * shape[1] + column
    order = np.lexsort((rate, cell))
    cells, starts, counts = np.unique(cell[order], return_index=True, return_counts=True)
    medians, errors = np.full(shape, np.nan).ravel(), np.full(shape, np.nan).ravel()
    total, time = np.zeros(shape).ravel(), np.zeros(shape).ravel()
    total[cells] = counts
    np.add.at(time, cell, np.nan_to_num(seconds))
    ranked = rate[order]
    enough = counts >= _LEAST_BINS
    middle = starts + (counts - 1) / 2
    medians[cells[enough]] = ((ranked[np.floor(middle).astype(int)] + ranked[np.ceil(middle).astype(int)]) / 2)[enough]
    for index in np.flatnonzero(enough):
        scatter_of_cell = np.std(ranked[starts[index] : starts[index] + counts[index]], ddof=1)
        errors[cells[index]] = 1.2533 * scatter_of_cell / np.sqrt(counts[index])
    return _Map(
        x_edges, y_edges, medians.reshape(shape), errors.reshape(shape), total.reshape(shape), time.reshape(shape)
    )


def _heatmap(found: _Map) -> Heatmap:
    known = found.rate[np.isfinite(found.rate)]
    limits = (float(known.min()), float(np.percentile(known, 98))) if len(known) > 1 else None
    rows = [numbers(row) for row in found.rate]
    return Heatmap("counts / s / pix", found.x_edges.tolist(), found.y_edges.tolist(), rows, colour_range=limits)


def _outline(mjd: float) -> list[Layer]:
    """Contour of the SAA, parted where it crosses the zero meridian."""
    latitude, longitude = saa_contour(mjd).T
    x, y = np.append(longitude, longitude[0]), np.append(latitude, latitude[0])
    crossings = np.flatnonzero((x[:-1] < 0) != (x[1:] < 0))
    for place in crossings[::-1]:
        share = x[place] / (x[place] - x[place + 1])
        height = y[place] + share * (y[place + 1] - y[place])
        before, after = (360.0, 0.0) if x[place] < 0 else (0.0, 360.0)
        x = np.insert(x, place + 1, (before, np.nan, after))
        y = np.insert(y, place + 1, (height, np.nan, height))
    return [Outline("South Atlantic Anomaly", numbers(np.where(x < 0, x + 360.0, x)), numbers(y))]


def _elevated(rate: np.ndarray) -> np.ndarray:
    smooth = uniform_filter1d(rate, _SMOOTHING, mode="mirror")
    found: np.ndarray = rate > smooth + _ELEVATED * smooth.std()
    return found


def _figure(segment: str, columns: Columns) -> tuple[Figure, _Map]:
    x, y, rate = columns["longitude"], columns["latitude"], columns["dark"]
    ground = _map(x, y, rate, columns["exposure"], _LATITUDES)
    panels = [
        Panel(
            "Longitude East (deg)", "Latitude (deg)", [_heatmap(ground), *_outline(columns["mjd"].max())],
            "over the ground", x_range=(0.0, 360.0), y_range=_LATITUDES,
        )
    ]  # fmt: skip
    lit = np.isfinite(columns["sun_lat"]) & np.isfinite(columns["sun_lon"])
    if lit.any():
        from_sun = (x - columns["sun_lon"])[lit] % 360.0, (y - columns["sun_lat"])[lit]
        by_sun = _map(*from_sun, rate[lit], columns["exposure"][lit], (-55.0, 55.0))
        high = _elevated(rate[lit])
        points = PointColumns(
            from_sun[0][high], from_sun[1][high], colour=rate[lit][high], rootnames=columns["rootname"][lit][high]
        )
        labels = "Longitude from the sub-solar point (deg)", "Latitude from it (deg)"
        panels.append(Panel(*labels, [_heatmap(by_sun)], "against the Sun", x_range=(0.0, 360.0)))
        layers = scatter("elevated bins", points, "counts / s / pix")
        panels.append(Panel(*labels, layers, "elevated bins against the Sun", x_range=(0.0, 360.0)))
    caption = (
        "Median dark rate by cell of HST's position, with the contour of the South Atlantic Anomaly dashed; below, the "
        "same with the sub-solar point at the origin, and the single 25-s bins that stand out."
    )
    return Figure(f"map-{segment.lower()}", f"Dark rate over the orbit, {segment}", caption, panels), ground


def _artifact(segment: str, found: _Map) -> NewArtifact:
    """Map as a FITS file: rate, error, number of bins and seconds, with linear coordinates."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(TELESCOP="HST", INSTRUME="COS", FILETYPE="DARK RATE MAP", SEGMENT=segment)
    images = {"RATE": found.rate, "ERROR": found.error, "COUNT": found.count, "SECONDS": found.seconds}
    for name, image in images.items():
        hdu = fits.ImageHDU(image.astype(np.float32), name=name)
        hdu.header.update(
            CTYPE1="LON", CUNIT1="deg", CRPIX1=1.0, CRVAL1=_CELL[0] / 2, CDELT1=_CELL[0],
            CTYPE2="LAT", CUNIT2="deg", CRPIX2=1.0, CRVAL2=found.y_edges[0] + _CELL[1] / 2, CDELT2=_CELL[1],
        )  # fmt: skip
        hdus.append(hdu)
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=True)
    return NewArtifact("dark-rate map", f"dark_map_{segment.lower()}.fits", buffer.getvalue())


def _usual(rates: np.ndarray) -> np.ndarray:
    """Rates that are not far above the median: one burst would outweigh the bins of years."""
    rates = rates[np.isfinite(rates)]
    usual: np.ndarray = rates[rates <= np.median(rates) + _BURST * robust_sigma(rates)] if len(rates) else rates
    return usual


def _edge_ratio(columns: Columns) -> tuple[float, float, dict[str, Any]]:
    """Mean rate at the SAA's edge over that far from it, its error, and the statistics of both."""
    distance = columns["saa_distance"]
    edge, quiet = (_usual(columns["dark"][near]) for near in (np.abs(distance) < _EDGE_KM, distance > _QUIET_KM))
    statistics = {"edge": {"mission": describe(edge)}, "quiet": {"mission": describe(quiet)}}
    if len(edge) < 2 or len(quiet) < 2 or quiet.mean() <= 0:
        return np.nan, np.nan, statistics
    ratio = edge.mean() / quiet.mean()
    relative = np.hypot(
        edge.std(ddof=1) / np.sqrt(len(edge)) / edge.mean(), quiet.std(ddof=1) / np.sqrt(len(quiet)) / quiet.mean()
    )
    return float(ratio), float(ratio * relative), statistics


def _segments(columns: Columns) -> Iterator[tuple[str, Columns]]:
    for segment in sorted(set(columns["segment"].tolist())):
        mask = columns["segment"] == segment
        yield segment, {name: column[mask] for name, column in columns.items()}


def _ratio_values(segments: Sequence[str], mjd: Sequence[float], ratios: Sequence[tuple[float, float]]) -> Values:
    count = len(segments)
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    return Values(
        "edge_ratio", np.array(mjd), np.array([ratio for ratio, _ in ratios]), np.array([error for _, error in ratios]),
        np.array([f"map-{segment}" for segment in segments], dtype=object), np.array(segments, dtype=object), texts,
        nothing, nothing, nothing, np.zeros(count, dtype=bool),
    )  # fmt: skip


def _compute(inputs: Inputs) -> Findings:
    columns = inputs["bins"]
    if not len(columns["mjd"]):
        return Findings(None)
    figures, artifacts = [], []
    statistics: dict[str, Any] = {}
    segments, newest, ratios = [], [], []
    for segment, mine in _segments(columns):
        figure, ground = _figure(segment, mine)
        figures.append(figure)
        artifacts.append(_artifact(segment, ground))
        ratio, error, numbers_of_segment = _edge_ratio(mine)
        statistics |= {f"{segment} {name}": periods for name, periods in numbers_of_segment.items()}
        segments.append(segment)
        newest.append(float(mine["mjd"].max()))
        ratios.append((ratio, error))
    values = [_ratio_values(segments, newest, ratios)]
    return Findings(float(columns["mjd"].max()), values, figures, (), artifacts, statistics)


MONITOR = Monitor(
    name="dark-orbit",
    title="Dark rate over HST's orbit",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=2,
    tables=frozenset({"darks"}),
    inputs={"bins": _bins()},
    quantities={
        "edge_ratio": Quantity("", "Mean dark rate within 500 km of the SAA's contour over that beyond 2000 km")
    },
    compute=_compute,
    cadence=timedelta(days=30),
)
