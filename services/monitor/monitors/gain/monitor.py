"""Modal gain of the FUV detector.

Newest maps, trends by superpixel and region, and when they will have sagged.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import numpy as np

from services.monitor.framework.declaration import (
    Columns,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    RunOutput,
    Values,
)
from services.monitor.framework.statistics import summarise
from services.monitor.library.exposure_values import take, voltage_changed
from services.monitor.monitors.gain import figures as gain_figures
from services.monitor.monitors.gain import levels as gain_levels
from services.monitor.monitors.gain import pixels as gain_pixels
from services.monitor.monitors.gain.ageing import ageing_figures
from services.monitor.monitors.gain.findings import pixel_findings, region_findings
from services.monitor.monitors.gain.limits import LIMITS, limits_artifact, limits_findings
from services.monitor.monitors.gain.maps import map_artifact, total_artifact
from services.monitor.monitors.gain.pixels import keys_of, place_of
from services.monitor.monitors.gain.regions import Region
from services.monitor.monitors.gain.rules import RULES
from services.monitor.monitors.gain.segments import SegmentGain, segments_of
from shared.cos.detector import FUV_SEGMENTS

__all__ = ["MONITOR"]

_EXPLANATION = """
Each photon makes a cloud of charge in the micro-channel plates; its size is the pulse height. Where
much light has fallen the plates give less charge: the modal gain, the centre of the peak of the
pulse heights, goes down. At 3 bins so many photons fall below the threshold that 5 per cent of the
flux is lost: the place has sagged.

The maps show the newest gain of each superpixel (8 by 2 pixels) by segment and high voltage, and
their files the counts and the charge of its events too, of the newest map and of all. An event of
pulse height p has 1e-12 C times 10 to the power of (p - 11.75) / 20.5. The gain falls by the charge
that was taken, which a figure shows. A line is fitted to the gains of each superpixel at each
voltage, weighted by counts, and again without those 3 robust sigma off it: to those of its newest
730 days, and none before the last move of spectra to another lifetime position, for the gain falls
only while light falls on it. Errors are those of the scatter about the line, or of that about all
lines at the voltage where it is the larger: a few gains may lie on a line by chance. Where the line
reaches 3 is the projected date, and its error is by how much later that may be; where the line does
not fall by 4 sigma there is none. What was measured in or beside a hot spot (SPOTTAB) takes no
part. The tables `flagged` and `gain_trends` hold which superpixels have sagged, and the lines.

The values are medians of each exposure in regions 2048 pixels wide along the rows of each lifetime
position. Since one level of voltage is worth 0.393 bins, they are scaled to level 178 before a line
is fitted to them, but for outliers, over steps of the voltage; its projected date is that at the
present voltage. To the errors by the scatter comes half a per cent of the gain over the span of the
line, for where within superpixels light falls drifts. Outliers are found by comparison with
exposures of the same aperture, grating and central wavelength, whose light falls on the same
superpixels: in one region, or in all of a segment together, as a step of the voltage leaves them.
The rows of the positions 5 to 7 are inferred from their offsets in arcsec.
"""


def _compute(inputs: Inputs) -> RunOutput:
    segments = list(segments_of(inputs))
    if not segments:
        return RunOutput(newest_mjd=None)
    newest = max(float(one.pixels["mjd"].max()) for one in segments)
    regions = [region for one in segments for region in one.regions]
    maps = [one for segment in segments for one in segment.maps]
    totals = [one.total for one in segments]
    limits = list(_limits(segments, inputs["limits"]))
    next_figure = gain_figures.pixel_figure([one.levels[0] for one in segments], inputs["files"])
    return RunOutput(
        newest_mjd=newest,
        values=[*(region.values for region in regions), *_trend_values(regions)],
        figures=[
            *gain_figures.map_figures(maps),
            *gain_figures.trend_figures(regions),
            gain_figures.least_figure(maps),
            *gain_figures.date_figures(maps),
            *ageing_figures(totals),
            *([next_figure] if next_figure else []),
        ],
        findings=[
            *(finding for region in regions for finding in region_findings(region, newest)),
            *(
                finding
                for one in segments
                for finding in pixel_findings(one, newest, inputs["files"])
            ),
            *(finding for one in limits for finding in limits_findings(one, newest)),
        ],
        artifacts=[*_new_maps(segments), total_artifact(totals, newest), *limits],
        kept_artifacts=[
            one.file_name
            for segment in segments
            for one, level in zip(segment.maps, segment.levels, strict=True)
            if not level.new
        ],
        statistics={
            f"{region.segment} {region.name}": summarise(
                region.values.mjd, region.values.value, voltage_changed(vars(region.values))
            )
            for region in regions
        },
        tables={
            "flagged": _joined(map(_flagged, segments)),
            "gain_trends": _joined(map(_trends, segments)),
        },
    )


def _joined(tables: Iterator[Columns]) -> Columns:
    parts = list(tables)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _table(segment: SegmentGain, pixel: np.ndarray, columns: Mapping[str, np.ndarray]) -> Columns:
    level, y, x = place_of(pixel)
    names = np.full(len(pixel), segment.name, dtype=object)
    return {
        "id": keys_of(segment.name, pixel),
        "segment": names,
        "dethv": level,
        "x": x,
        "y": y,
        **columns,
    }


def _flagged(segment: SegmentGain) -> Columns:
    return _table(segment, segment.sagged["pixel"], {"mjd": segment.sagged["sagged"]})


def _trends(segment: SegmentGain) -> Columns:
    lines = take(segment.pixels, np.isfinite(segment.pixels["used"]))
    columns = {
        "mjd": lines["sag"],
        "mjd_error": lines["sag_error"],
        "slope": lines["slope"],
        "slope_error": lines["slope_error"],
        "intercept": lines["intercept"],
        "gains": lines["used"],
    }
    return _table(segment, lines["pixel"], columns)


def _new_maps(segments: Sequence[SegmentGain]) -> list[NewArtifact]:
    """Return the files of the maps that are new."""
    return [
        map_artifact(one)
        for segment in segments
        for one, level in zip(segment.maps, segment.levels, strict=True)
        if level.new
    ]


def _limits(segments: Sequence[SegmentGain], active: Columns) -> Iterator[NewArtifact]:
    """Yield the limits of the pulse heights, where both segments have gains."""
    if len(segments) == len(FUV_SEGMENTS):
        first = min(float(one.pixels["begin"].min()) for one in segments)
        yield limits_artifact([one.maps[0] for one in segments], first, active)


def _trend_values(regions: Sequence[Region]) -> Iterator[Values]:
    """Yield the slopes in bins per year, what a level buys, and projected dates, at the time of
    each region's newest exposure.
    """
    fitted = [(region, region.trend) for region in regions if region.trend is not None]
    slopes = [(trend.slope * 365.25, trend.slope_error * 365.25) for _, trend in fitted]
    bought = [
        (gain_pixels.BINS_PER_LEVEL / -slope, gain_pixels.BINS_PER_LEVEL * error / slope**2)
        if trend.falls
        else (np.nan, np.nan)
        for (_, trend), (slope, error) in zip(fitted, slopes, strict=True)
    ]
    dates = [trend.sag_date(region.level) for region, trend in fitted]
    count = len(fitted)
    for quantity, pairs in (
        ("gain_slope", slopes),
        ("years_per_level", bought),
        ("sag_date", dates),
    ):
        value, error = np.array(pairs).reshape(count, 2).T
        yield Values(
            quantity=quantity,
            mjd=np.array([region.values.mjd[-1] for region, _ in fitted]),
            value=value,
            error=error,
            rootname=np.full(count, None, dtype=object),
            segment=np.array([region.segment for region, _ in fitted], dtype=object),
            region=np.array([region.name for region, _ in fitted], dtype=object),
            hvlevel=np.array([region.level for region, _ in fitted]),
            life_adj=np.array([float(region.life_adj) for region, _ in fitted]),
            file_id=np.full(count, np.nan),
            outlier=np.zeros(count, dtype=bool),
        )


MONITOR = Monitor(
    name="gain",
    title="FUV modal gain",
    explanation=_EXPLANATION.strip(),
    detector="FUV",
    version=10,
    tables=frozenset({"gain"}),
    inputs={"ranges": gain_levels.RANGES},
    quantities={
        "modal_gain": Quantity(
            unit="bin",
            description="Median modal gain of an exposure in a region, at its own high voltage",
        ),
        "gain_slope": Quantity(unit="bin / yr", description="Trend of a region's gain"),
        "years_per_level": Quantity(
            unit="yr",
            description="How long one level of high voltage makes up for the loss of gain",
        ),
        "sag_date": Quantity(
            unit="d",
            description="MJD at which the trend reaches a gain of 3 at the present high voltage",
        ),
    },
    compute=_compute,
    cadence=timedelta(days=30),
    references={"spots": gain_pixels.SPOTS, "limits": LIMITS},
    parts={"by_files": gain_levels.FILES, "levels": gain_levels.LEVELS},
    rules=RULES,
)
