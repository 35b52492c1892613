"""Dark rate over HST's orbit.

Maps against ground position and against the Sun, and how much the SAA's edge adds.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from services.monitor.figures import Figure, Panel
from services.monitor.figures.description import Layer, scatter
from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    RunOutput,
    Values,
)
from services.monitor.framework.rules import Rule, always
from services.monitor.framework.statistics import describe, robust_sigma
from services.monitor.library.exposure_values import points_of, take
from services.monitor.monitors.darks.orbit_bins import (
    RANGES,
    Bins,
    bins_by_files,
    groups,
    whole_segments,
)
from services.monitor.monitors.darks.orbit_maps import (
    LATITUDES,
    RateMap,
    heatmap,
    map_bytes,
    outline,
    rate_map,
)
from services.monitor.monitors.darks.rates import is_free_of_saa

__all__ = ["MONITOR"]

_EDGE_KM, _QUIET_KM = 500.0, 2000.0
"""Within the first distance of the SAA's contour is its edge; beyond the second is quiet."""

_SMOOTHING = 91
"""Bins of the running mean that elevated rates are compared with (the original dark monitor's)."""

_ELEVATED = Rule(
    name="elevated",
    severity=None,
    text=f"rate above the running mean of {_SMOOTHING} bins by {{:g}} standard deviations of that "
    "mean",
    thresholds=always(1.5, "the original dark monitor"),
)
_BURST = Rule(
    name="burst",
    severity=None,
    text="rate above the median by {:g} robust standard deviations: of no dark",
    thresholds=always(10.0, "COSMO: one burst would outweigh the bins of years"),
)

_EXPLANATION = """
HST crosses the South Atlantic Anomaly several times a day, and detectors count more near it. These
maps show where: the median dark rate by cell, with the contour inside which the detector is
switched off. Cells with fewer than three bins stay empty: cells are 5 by 2.5 degrees (longitude by
latitude), and 10 by 5 or 15 by 10 degrees where smaller ones would leave out more than a tenth of
the bins.

Each segment has a map for each high voltage, and one for external measurements. The second map
has the Sun at its origin, to separate what follows the Earth from what follows daylight. The third
shows single bins whose rate is elevated: above the running mean of 91 bins by one and a half times
the scatter of that mean; of the NUV detector it shows all. Bins near the anomaly (those that the
dark monitors leave out) are in the first map only.

The ratio of edge to quiet is the mean rate within 500 km of the contour over that of bins farther
than 2000 km away; bins that lie 10 robust sigma above the median of either are left out. Values are
of all voltages together; the file of a map has the ratio at its voltage (EDGERAT).
"""


def _elevated(rate: np.ndarray, mjd: np.ndarray) -> np.ndarray:
    smooth = uniform_filter1d(rate, _SMOOTHING, mode="mirror")
    found: np.ndarray = rate > smooth + _ELEVATED.at(mjd) * smooth.std()
    return found


def _sun_panel(layers: list[Layer], title: str) -> Panel:
    return Panel(
        x_label="Longitude from the sub-solar point (deg)",
        y_label="Latitude from it (deg)",
        layers=layers,
        title=title,
        x_range=(0.0, 360.0),
    )


def _figure(bins: Bins, ground: RateMap) -> Figure:
    columns = bins.columns
    cells = f"{ground.cell_text} over the ground"
    panels = [
        Panel(
            x_label="Longitude (deg)",
            y_label="Latitude (deg)",
            layers=[heatmap(ground), *outline(columns["mjd"].max())],
            title="over the ground",
            x_range=(0.0, 360.0),
            y_range=LATITUDES,
        )
    ]
    free = is_free_of_saa(columns["latitude"], columns["longitude"], columns["saa_distance"])
    lit = take(columns, free & np.isfinite(columns["sun_lat"]) & np.isfinite(columns["sun_lon"]))
    if len(lit["mjd"]):
        x, y = (lit["longitude"] - lit["sun_lon"]) % 360.0, lit["latitude"] - lit["sun_lat"]
        by_sun = rate_map(x, y, lit["dark"], lit["exposure"], (-55.0, 55.0))
        cells += f", {by_sun.cell_text} against the Sun"
        everything = bins.segment == "NUV"
        shown = np.ones(len(x), dtype=bool) if everything else _elevated(lit["dark"], lit["mjd"])
        points = points_of(take(lit, shown), x[shown], y[shown], colour=lit["dark"][shown])
        panels.append(_sun_panel([heatmap(by_sun)], "against the Sun"))
        which = "all bins" if everything else "elevated bins"
        layers = scatter(which, points, "counts / s / pix")
        panels.append(_sun_panel(layers, f"{which} against the Sun"))
    caption = (
        "Median dark rate by cell of HST's position, with the contour of the South Atlantic "
        "Anomaly dashed; below, "
        "that of bins far from it with the sub-solar point at the origin, and of these the single "
        "25-s bins that stand "
        f"out (of the NUV detector, all). Cells (longitude by latitude): {cells}; those with too "
        "few bins stay empty."
    )
    return Figure(
        name=f"map-{'-'.join(bins.parts)}",
        title=f"Dark rate over the orbit, {bins.title}",
        caption=caption,
        panels=panels,
    )


def _usual(columns: Columns, chosen: np.ndarray) -> np.ndarray:
    """Return the rates of some bins that are not far above their median.

    One burst would outweigh the bins of years.
    """
    rates, mjd = columns["dark"][chosen], columns["mjd"][chosen]
    if len(rates):
        rates = rates[rates <= np.median(rates) + _BURST.at(mjd) * robust_sigma(rates)]
    usual: np.ndarray = rates
    return usual


def _edge_ratio(columns: Columns) -> tuple[float, float, dict[str, Any]]:
    """Return the mean rate at the SAA's edge over that far from it, its error, and the statistics
    of both.
    """
    distance = columns["saa_distance"]
    edge, quiet = (
        _usual(columns, near) for near in (np.abs(distance) < _EDGE_KM, distance > _QUIET_KM)
    )
    statistics = {"edge": {"mission": describe(edge)}, "quiet": {"mission": describe(quiet)}}
    if len(edge) < 2 or len(quiet) < 2 or quiet.mean() <= 0:
        return np.nan, np.nan, statistics
    ratio = edge.mean() / quiet.mean()
    relative = np.hypot(
        edge.std(ddof=1) / np.sqrt(len(edge)) / edge.mean(),
        quiet.std(ddof=1) / np.sqrt(len(quiet)) / quiet.mean(),
    )
    return float(ratio), float(ratio * relative), statistics


def _ratio_values(segments: Sequence[Bins], ratios: Sequence[tuple[float, float]]) -> Values:
    count = len(segments)
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    return Values(
        quantity="edge_ratio",
        mjd=np.array([float(one.columns["mjd"].max()) for one in segments]),
        value=np.array([ratio for ratio, _ in ratios]),
        error=np.array([error for _, error in ratios]),
        rootname=texts,
        segment=np.array([one.segment for one in segments], dtype=object),
        region=np.array(["legacy" if one.others else None for one in segments], dtype=object),
        hvlevel=nothing,
        life_adj=nothing,
        file_id=nothing,
        outlier=np.zeros(count, dtype=bool),
    )


def _compute(inputs: Inputs) -> RunOutput:
    if not len(inputs.get("bins", {}).get("mjd", ())):
        return RunOutput(newest_mjd=None)
    figures, artifacts = [], []
    found = list(groups(inputs))
    for bins in found:
        mine = bins.columns
        ground = rate_map(
            mine["longitude"], mine["latitude"], mine["dark"], mine["exposure"], LATITUDES
        )
        figures.append(_figure(bins, ground))
        name = f"dark_map_{'_'.join(bins.parts)}.fits"
        artifacts.append(
            NewArtifact(
                kind="dark-rate map",
                name=name,
                content=map_bytes(bins, ground, _edge_ratio(mine)[:2]),
            )
        )
    # The ratio hardly depends on the voltage, and all bins together show it best.
    segments = whole_segments(found)
    ratios: list[tuple[float, float]] = []
    statistics: dict[str, Any] = {}
    for one in segments:
        ratio, error, parts = _edge_ratio(one.columns)
        ratios.append((ratio, error))
        statistics |= {f"{one.title} {name}": periods for name, periods in parts.items()}
    newest = float(inputs["bins"]["mjd"].max())
    return RunOutput(
        newest_mjd=newest,
        values=[_ratio_values(segments, ratios)],
        figures=figures,
        findings=(),
        artifacts=artifacts,
        statistics=statistics,
    )


MONITOR = Monitor(
    name="dark-orbit",
    title="Dark rate over HST's orbit",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=6,
    tables=frozenset({"darks"}),
    inputs={"ranges": RANGES},
    parts=bins_by_files(),
    quantities={
        "edge_ratio": Quantity(
            unit="",
            description="Mean dark rate within 500 km of the SAA's contour over that beyond 2000 "
            "km",
        )
    },
    compute=_compute,
    cadence=timedelta(days=30),
    rules=(_ELEVATED, _BURST),
)
