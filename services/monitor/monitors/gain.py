"""Modal gain of the FUV detector: newest maps, trends by region, and when they will have sagged."""

import gzip
import io
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.figures import Figure, Heatmap, Mark, Panel
from services.monitor.figures.description import Layer, Line, PointColumns, numbers, scatter
from services.monitor.monitors.framework.history import lifetime_marks, voltage_marks
from services.monitor.monitors.framework.monitor import (
    Columns,
    Finding,
    Findings,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    Values,
)
from services.monitor.monitors.framework.statistics import summarise
from services.monitor.monitors.parts import gains
from services.monitor.monitors.parts.gains import Region
from shared.cos.detector import ACTIVE_AREAS, GAIN_SHAPE, X_BINNING, Y_BINNING
from shared.database.models.monitoring import Severity

__all__ = ["MONITOR"]

_CELL = (8, 2)
"""Superpixels along and across dispersion of a cell of the maps' figures."""

_LATEST = 5
"""Exposures whose median is held against the least gain."""

_LEAST_GAIN = 5.0
"""Median gain of a region in use, in bins, below which its spectra lose flux: 2 % at 3 bins above the pulse-height
threshold of 2 (rule of thumb of the legacy monitor)."""

_NEAR_DAYS = 90.0
"""Days ahead within which a projected date alarms, and back within which a region counts as in use."""

_RECENT_DAYS = 30.0
"""Superpixels that sagged within these days before the newest map are new."""

_EXPLANATION = """
Each photon makes a cloud of charge in the micro-channel plates; its size is the pulse height. Where much light has
fallen the plates give less charge: the modal gain, the centre of the peak of the pulse heights, goes down. At 3 bins
so many photons fall below the threshold that 5 per cent of the flux is lost: the place has sagged.

The maps show the newest gain of each superpixel (8 by 2 pixels) by segment and high voltage. Trends are of the median
gain of each exposure in regions 2048 pixels wide along the rows of each lifetime position. Since one level of voltage
is worth 0.393 bins, gains of all voltages are scaled to level 178, and a line is fitted to the newest 730 days. The
projected date is when it crosses 3 bins at the present voltage; where the gain does not fall by 2 sigma there is none.
The rows of the positions 5 to 7 are inferred from their offsets in arcsec.
"""


def _maps(columns: Columns) -> Iterator[tuple[str, int, Columns]]:
    """Superpixels by segment and voltage, the voltage of the newest map first."""
    groups = sorted(set(zip(columns["segment"].tolist(), columns["hvlevel"].tolist(), strict=True)))
    found = []
    for segment, level in groups:
        mask = (columns["segment"] == segment) & (columns["hvlevel"] == level)
        found.append((segment, int(level), {name: column[mask] for name, column in columns.items()}))
    yield from sorted(found, key=lambda group: (group[0], -float(group[2]["mjd"].max())))


def _image(pixels: Columns, name: str) -> np.ndarray:
    """Column as an image of the detector, NaN where nothing is known."""
    image = np.full(GAIN_SHAPE, np.nan, dtype=np.float32)
    image[pixels["y"].astype(int), pixels["x"].astype(int)] = pixels[name]
    return image


def _map_panel(segment: str, level: int, pixels: Columns) -> Panel:
    """Lowest gain of each cell: holes are narrower than cells."""
    area = ACTIVE_AREAS[segment]
    width, height = _CELL
    rows, columns = GAIN_SHAPE[0] // height, GAIN_SHAPE[1] // width
    cells = np.full((rows, columns), np.inf)
    np.minimum.at(cells, (pixels["y"].astype(int) // height, pixels["x"].astype(int) // width), pixels["gain"])
    bottom, top = int(area.y0) // (height * Y_BINNING), -int(-area.y1 // (height * Y_BINNING))
    x_edges = np.arange(columns + 1.0) * width * X_BINNING
    y_edges = np.arange(bottom, top + 1.0) * height * Y_BINNING
    z = [numbers(row, 3) for row in cells[bottom:top]]
    heatmap = Heatmap("Modal gain (bins)", x_edges.tolist(), y_edges.tolist(), z, colour_range=(0.0, 20.0))
    return Panel("X (pix)", "Y (pix)", [heatmap], f"HV {level}, until MJD {pixels['mjd'].max():.0f}")


def _map_figures(maps: Sequence[tuple[str, int, Columns]]) -> Iterator[Figure]:
    caption = (
        "Newest modal gain at each high voltage, the newest voltage first: the lowest one of each cell of 64 by 4 "
        "pixels. White: no map has enough counts there."
    )
    for segment in sorted({segment for segment, _, _ in maps}):
        panels = [_map_panel(name, level, pixels) for name, level, pixels in maps if name == segment]
        yield Figure(f"map-{segment.lower()}", f"Newest modal gain, {segment}", caption, panels, share_x=True)


def _artifact(segment: str, level: int, pixels: Columns) -> NewArtifact:
    """Map as a FITS file: gain, its date, and when superpixels had first sagged."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    sagged = int(np.count_nonzero(np.isfinite(pixels["sagged"])))
    hdus[0].header.update(
        TELESCOP="HST", INSTRUME="COS", DETECTOR="FUV", FILETYPE="GAINMAP", SEGMENT=segment, DETHV=level,
        XBINNING=X_BINNING, YBINNING=Y_BINNING, EXPEND=float(pixels["mjd"].max()),
    )  # fmt: skip
    for name, column, unit in (("MOD_GAIN", "gain", ""), ("MJD", "mjd", "d"), ("SAGGED", "sagged", "d")):
        hdu = fits.ImageHDU(_image(pixels, column), name=name)
        if unit:
            hdu.header["BUNIT"] = unit
        hdus.append(hdu)
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=True)
    detail = {"superpixels": len(pixels["x"]), "sagged": sagged}
    # Most of a map is empty.
    content = gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)
    return NewArtifact("gain map", f"gain_{segment.lower()}_{level}.fits.gz", content, detail)


def _trend_figures(regions: Sequence[Region]) -> Iterator[Figure]:
    caption = (
        "Median gain of each exposure in 2048 columns along the rows of a lifetime position, scaled to high-voltage "
        "level 178; crosses are outliers. Dashed: the lines fitted to the newest 730 days. Dotted: moves to new "
        "lifetime positions and steps of the voltage."
    )
    for segment in ("FUVA", "FUVB"):
        mine = [region for region in regions if region.segment == segment]
        panels = [
            _trend_panel([region for region in mine if region.life_adj == life_adj])
            for life_adj in sorted({region.life_adj for region in mine})
        ]
        if panels:
            title = f"Modal gain against date, {segment}"
            yield Figure(f"trend-{segment.lower()}", title, caption, panels, share_x=True)


def _trend_panel(regions: Sequence[Region]) -> Panel:
    layers: list[Layer] = []
    for region in regions:
        values = region.values
        notes = np.array([f"HV {level:.0f}" for level in values.hvlevel], dtype=object)
        columns = PointColumns(
            values.mjd, region.reference, values.error, rootnames=values.rootname, notes=notes, outliers=values.outlier
        )
        label = region.name.split(" ", 1)[1]
        layers += scatter(label, columns)
        if region.trend is not None:
            ends = np.array([max(values.mjd[0], values.mjd[-1] - gains.TREND_DAYS), values.mjd[-1]])
            layers.append(Line(f"{label}, trend", numbers(ends, None), numbers(region.trend.at(ends)), dashed=True))
    mjd = np.concatenate([region.values.mjd for region in regions])
    marks: list[Mark] = lifetime_marks(mjd) + voltage_marks("FUVA" if regions[0].segment == "FUVA" else "FUVB", mjd)
    title = f"LP{regions[0].life_adj}"
    return Panel("Date", "Modal gain at HV 178 (bins)", [*layers, *marks], title, x_is_time=True)


def _trend_values(regions: Sequence[Region]) -> Iterator[Values]:
    """Slopes in bins per year and projected dates, each at the time of the region's newest exposure."""
    fitted = [(region, region.trend) for region in regions if region.trend is not None]
    slopes = [(trend.slope * 365.25, trend.slope_error * 365.25) for _, trend in fitted]
    dates = [trend.sag_date(region.level) for region, trend in fitted]
    count = len(fitted)
    for quantity, pairs in (("gain_slope", slopes), ("sag_date", dates)):
        value, error = np.array(pairs).reshape(count, 2).T
        yield Values(
            quantity, np.array([region.values.mjd[-1] for region, _ in fitted]), value, error,
            np.full(count, None, dtype=object), np.array([region.segment for region, _ in fitted], dtype=object),
            np.array([region.name for region, _ in fitted], dtype=object),
            np.array([region.level for region, _ in fitted]),
            np.array([float(region.life_adj) for region, _ in fitted]), np.full(count, np.nan),
            np.zeros(count, dtype=bool),
        )  # fmt: skip


def _region_findings(region: Region, newest: float) -> Iterator[Finding]:
    """Rules of a region in use: its gain, and the date that its trend leads to."""
    values = region.values
    if values.mjd[-1] < newest - _NEAR_DAYS:
        return
    where = f"{region.segment} {region.name}"
    median = float(np.median(values.value[-_LATEST:]))
    if len(values.mjd) >= _LATEST and median < _LEAST_GAIN:
        yield Finding(
            "low-gain", Severity.ALERT, f"the last {_LATEST} exposures have a modal gain of {median:.2f} in {where}",
            f"median gain of the last {_LATEST} exposures of a region in use below {_LEAST_GAIN:.0f} bins",
            "inference from the legacy monitor's rule of thumb for the loss of flux", median, _LEAST_GAIN, where,
        )  # fmt: skip
    date, error = region.trend.sag_date(region.level) if region.trend is not None else (np.nan, np.nan)
    if date < newest + _NEAR_DAYS:
        yield Finding(
            "sag-date", Severity.WARN,
            f"{where} reaches a gain of {gains.SAGGED:.0f} on MJD {date:.0f} +- {error:.0f} d at HV {region.level:.0f}",
            f"projected date of gain {gains.SAGGED:.0f} of a region in use within {_NEAR_DAYS:.0f} d",
            "history text of the GSAGTABs; 90 d are an inference", date, newest + _NEAR_DAYS, where,
        )  # fmt: skip


def _sagged_findings(maps: Sequence[tuple[str, int, Columns]], newest: float) -> Iterator[Finding]:
    for segment, level, pixels in maps:
        count = int(np.count_nonzero(pixels["sagged"] > newest - _RECENT_DAYS))
        if count:
            yield Finding(
                "sagged", Severity.WARN,
                f"{count} superpixels of {segment} fell to a gain of {gains.SAGGED:.0f} or less at HV {level}",
                f"a superpixel's gain is {gains.SAGGED:.0f} bins or less for the first time in the last 30 d",
                "history text of the GSAGTABs", float(count), 0.0, f"{segment} HV {level}",
            )  # fmt: skip


def _rapid_findings(changes: Columns, newest: float) -> Iterator[Finding]:
    for index in np.flatnonzero(changes["mjd"] > newest - _RECENT_DAYS):
        segment, count = changes["segment"][index], changes["pixels"][index]
        yield Finding(
            "rapid-change", Severity.WARN,
            f"the gain of {count:.0f} superpixels of {segment} changed by up to {changes['change'][index]:.1f} bins",
            f"gain of a superpixel changes by more than {gains.RAPID_BINS:.0f} bins in less than "
            f"{gains.RAPID_DAYS:.0f} d",
            "legacy gain monitor", float(changes["change"][index]), gains.RAPID_BINS,
            f"{segment} HV {changes['hvlevel'][index]:.0f}", changes["rootname"][index],
        )  # fmt: skip


def _changed(region: Region) -> float | None:
    """When the voltage last changed in the region."""
    steps = np.flatnonzero(np.diff(region.values.hvlevel))
    return float(region.values.mjd[steps[-1] + 1]) if len(steps) else None


def _compute(inputs: Inputs) -> Findings:
    if not len(inputs["pixels"]["mjd"]):
        return Findings(None)
    newest = float(inputs["pixels"]["mjd"].max())
    maps = list(_maps(inputs["pixels"]))
    regions = list(gains.regions_of(inputs["regions"]))
    statistics: dict[str, Any] = {
        f"{region.segment} {region.name}": summarise(region.values.mjd, region.values.value, _changed(region))
        for region in regions
    }
    return Findings(
        newest,
        values=[*(region.values for region in regions), *_trend_values(regions)],
        figures=[*_map_figures(maps), *_trend_figures(regions)],
        findings=[
            *(finding for region in regions for finding in _region_findings(region, newest)),
            *_sagged_findings(maps, newest),
            *_rapid_findings(inputs["changes"], newest),
        ],
        artifacts=[_artifact(*group) for group in maps],
        statistics=statistics,
    )


MONITOR = Monitor(
    name="gain",
    title="FUV modal gain",
    explanation=_EXPLANATION.strip(),
    detector="FUV",
    version=1,
    tables=frozenset({"gain"}),
    inputs={
        "pixels": gains.pixels_query(),
        "regions": gains.regions_query(),
        "changes": gains.changes_query(),
    },
    quantities={
        "modal_gain": Quantity("bin", "Median modal gain of an exposure in a region, at its own high voltage"),
        "gain_slope": Quantity("bin / yr", "Trend of a region's gain over its newest 730 days"),
        "sag_date": Quantity("d", "MJD at which the trend reaches a gain of 3 at the present high voltage"),
    },
    compute=_compute,
    cadence=timedelta(days=30),
)
