"""Dark rate over HST's orbit: maps against ground position and against the Sun, and how much the SAA's edge adds."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from astropy.io import fits
from scipy.ndimage import uniform_filter1d
from sqlalchemy import Double, cast, select

from services.monitor.figures import Figure, Heatmap, Outline, Panel
from services.monitor.figures.description import Layer, numbers, scatter
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
from services.monitor.monitors.parts.darks import is_free_of_saa
from services.monitor.monitors.parts.exposures import points_of, take
from shared.cos.saa import saa_contour
from shared.database.models.operations import File
from shared.database.models.science import Dark

__all__ = ["MONITOR"]

_REGIONS = ("inner", "all", "legacy")
"""One region of each detector, and that which another team measured, which has maps of its own: counts of a dark that
both measured are not used twice."""

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

Each segment has a map for each high voltage, and one for what other teams measured. The second map has the Sun at its
origin, to tell what follows the Earth from what follows daylight. The third shows single bins whose rate is elevated:
above the running mean of 91 bins by one and a half times the scatter of that mean; of the NUV detector it shows all.
Bins near the anomaly (those that the dark monitors leave out) are in the first map only.

The ratio of edge to quiet is the mean rate within 500 km of the contour over that of bins farther than 2000 km away;
bins that lie 10 robust sigma above the median of either are left out. Values are of all voltages together; the file
of a map has the ratio at its voltage (EDGERAT).
"""


def _bins() -> RowQuery:
    return (
        select(
            Dark.rootname, Dark.detector.label("segment"), Dark.region,
            cast(Dark.hvlevel, Double).label("hvlevel"), Dark.mjd, Dark.dark, Dark.exposure, Dark.latitude,
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


@dataclass(frozen=True)
class _Bins:
    """Bins of a segment that share a map: of one voltage, and of COSMO's own darks or of another team's.

    Attributes
    ----------
    hvlevel
        Commanded level; NaN where there is none, or where the other team says none.
    columns
        Columns of the query, in the order of time.
    """

    segment: str
    hvlevel: float
    others: bool
    columns: Columns

    @property
    def parts(self) -> list[str]:
        """What tells it from the other groups."""
        level = [f"{self.hvlevel:.0f}"] if np.isfinite(self.hvlevel) else []
        return [self.segment.lower(), *level, *(["legacy"] if self.others else [])]

    @property
    def title(self) -> str:
        """Name for readers."""
        level = f", HV {self.hvlevel:.0f}" if np.isfinite(self.hvlevel) else ""
        return f"{self.segment}{level}{', measurements of others' if self.others else ''}"


def _groups(columns: Columns) -> Iterator[_Bins]:
    segment, others = columns["segment"].astype(str), columns["region"].astype(str) == "legacy"
    level = np.nan_to_num(columns["hvlevel"], nan=-1.0)
    for key in sorted(set(zip(segment.tolist(), others.tolist(), level.tolist(), strict=True))):
        mine = (segment == key[0]) & (others == key[1]) & (level == key[2])
        yield _Bins(key[0], key[2] if key[2] >= 0 else np.nan, key[1], take(columns, mine))


def _figure(bins: _Bins, ground: _Map) -> Figure:
    columns = bins.columns
    panels = [
        Panel(
            "Longitude (deg)", "Latitude (deg)", [_heatmap(ground), *_outline(columns["mjd"].max())],
            "over the ground", x_range=(0.0, 360.0), y_range=_LATITUDES,
        )
    ]  # fmt: skip
    free = is_free_of_saa(columns["latitude"], columns["longitude"], columns["saa_distance"])
    lit = take(columns, free & np.isfinite(columns["sun_lat"]) & np.isfinite(columns["sun_lon"]))
    if len(lit["mjd"]):
        x, y = (lit["longitude"] - lit["sun_lon"]) % 360.0, lit["latitude"] - lit["sun_lat"]
        by_sun = _map(x, y, lit["dark"], lit["exposure"], (-55.0, 55.0))
        everything = bins.segment == "NUV"
        shown = np.ones(len(x), dtype=bool) if everything else _elevated(lit["dark"])
        points = points_of(take(lit, shown), x[shown], y[shown], colour=lit["dark"][shown])
        labels = "Longitude from the sub-solar point (deg)", "Latitude from it (deg)"
        panels.append(Panel(*labels, [_heatmap(by_sun)], "against the Sun", x_range=(0.0, 360.0)))
        which = "all bins" if everything else "elevated bins"
        layers = scatter(which, points, "counts / s / pix")
        panels.append(Panel(*labels, layers, f"{which} against the Sun", x_range=(0.0, 360.0)))
    caption = (
        "Median dark rate by cell of HST's position, with the contour of the South Atlantic Anomaly dashed; below, "
        "that of bins far from it with the sub-solar point at the origin, and of these the single 25-s bins that stand "
        "out (of the NUV detector, all)."
    )
    return Figure(f"map-{'-'.join(bins.parts)}", f"Dark rate over the orbit, {bins.title}", caption, panels)


def _artifact(bins: _Bins, found: _Map, ratio: tuple[float, float]) -> NewArtifact:
    """Map as a FITS file: rate, error, number of bins and seconds, with linear coordinates; ratio in the header."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    header = hdus[0].header
    header.update(TELESCOP="HST", INSTRUME="COS", FILETYPE="DARK RATE MAP", SEGMENT=bins.segment)
    if np.isfinite(bins.hvlevel):
        header["HVLEVEL"] = int(bins.hvlevel)
    if np.isfinite(ratio).all():
        header["EDGERAT"] = (ratio[0], "rate at the edge of the SAA over that far off")
        header["EDGERERR"] = (ratio[1], "one-sigma error of EDGERAT")
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
    return NewArtifact("dark-rate map", f"dark_map_{'_'.join(bins.parts)}.fits", buffer.getvalue())


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


def _ratio_values(segments: Sequence[_Bins], ratios: Sequence[tuple[float, float]]) -> Values:
    count = len(segments)
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    return Values(
        "edge_ratio", np.array([float(one.columns["mjd"].max()) for one in segments]),
        np.array([ratio for ratio, _ in ratios]), np.array([error for _, error in ratios]), texts,
        np.array([one.segment for one in segments], dtype=object),
        np.array(["legacy" if one.others else None for one in segments], dtype=object), nothing, nothing, nothing,
        np.zeros(count, dtype=bool),
    )  # fmt: skip


def _compute(inputs: Inputs) -> Findings:
    columns = inputs["bins"]
    if not len(columns["mjd"]):
        return Findings(None)
    figures, artifacts = [], []
    for bins in _groups(columns):
        mine = bins.columns
        ground = _map(mine["longitude"], mine["latitude"], mine["dark"], mine["exposure"], _LATITUDES)
        figures.append(_figure(bins, ground))
        artifacts.append(_artifact(bins, ground, _edge_ratio(mine)[:2]))
    # The ratio hardly depends on the voltage, and all bins together tell it best.
    segments = list(_groups({**columns, "hvlevel": np.full(len(columns["mjd"]), np.nan)}))
    ratios: list[tuple[float, float]] = []
    statistics: dict[str, Any] = {}
    for one in segments:
        ratio, error, parts = _edge_ratio(one.columns)
        ratios.append((ratio, error))
        statistics |= {f"{one.title} {name}": periods for name, periods in parts.items()}
    newest = float(columns["mjd"].max())
    return Findings(newest, [_ratio_values(segments, ratios)], figures, (), artifacts, statistics)


MONITOR = Monitor(
    name="dark-orbit",
    title="Dark rate over HST's orbit",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=3,
    tables=frozenset({"darks"}),
    inputs={"bins": _bins()},
    quantities={
        "edge_ratio": Quantity("", "Mean dark rate within 500 km of the SAA's contour over that beyond 2000 km")
    },
    compute=_compute,
    cadence=timedelta(days=30),
)
