"""Findings of the gain: regions in use, superpixels, sudden changes."""

from collections.abc import Iterator

import numpy as np

from services.monitor.framework.declaration import Columns
from services.monitor.framework.rules import Finding
from services.monitor.library.exposure_values import take
from services.monitor.monitors.gain.levels import Level
from services.monitor.monitors.gain.pixels import place_of, places_of
from services.monitor.monitors.gain.regions import Region, in_spectrum
from services.monitor.monitors.gain.rules import (
    COLUMNS_SAG,
    LATEST,
    LOW_GAIN,
    RAPID,
    RECENT_DAYS,
    SAG_DATE,
    SAGGED,
)
from services.monitor.monitors.gain.segments import SegmentGain

__all__ = ["pixel_findings", "region_findings"]


def region_findings(region: Region, newest: float) -> Iterator[Finding]:
    """Apply the rules of a region in use: its gain, and the date that its trend leads to.

    Parameters
    ----------
    region
        The region.
    newest
        Time of the newest gain of all, MJD.
    """
    values = region.values
    if values.mjd[-1] < newest - SAG_DATE.now:
        return
    where = f"{region.segment} {region.name}"
    median = float(np.median(values.value[-LATEST:]))
    if len(values.mjd) >= LATEST and median < LOW_GAIN.now:
        message = f"the last {LATEST} exposures have a modal gain of {median:.2f} in {where}"
        yield LOW_GAIN.finding(message, newest, median, configuration=where)
    date, error = (
        region.trend.sag_date(region.level) if region.trend is not None else (np.nan, np.nan)
    )
    if date < newest + SAG_DATE.now:
        message = (
            f"{where} reaches a gain of {SAGGED.now:.0f} on MJD {date:.0f} +- {error:.0f} d "
            f"at HV {region.level:.0f}"
        )
        yield SAG_DATE.finding(
            message, newest, date, threshold=newest + SAG_DATE.now, configuration=where
        )


def pixel_findings(segment: SegmentGain, newest: float, files: Columns) -> Iterator[Finding]:
    """Apply the rules of superpixels: what sagged, what will soon, what changed rapidly.

    Parameters
    ----------
    segment
        Its superpixels.
    newest
        Time of the newest gain of all, MJD.
    files
        Files that gains are of.
    """
    levels, _, _ = place_of(segment.sagged["pixel"])
    for level in np.unique(levels).tolist():
        count = int(
            np.count_nonzero(segment.sagged["sagged"][levels == level] > newest - RECENT_DAYS)
        )
        if count:
            message = (
                f"{count} superpixels of {segment.name} fell to a gain of {SAGGED.now:.0f} "
                f"or less at HV {level}"
            )
            where = f"{segment.name} HV {level}"
            yield SAGGED.finding(message, newest, float(count), threshold=0.0, configuration=where)
    columns = _columns_ahead(segment, newest)
    if columns >= COLUMNS_SAG.now:
        message = f"{columns} columns of {segment.name} in use will sag within {SAG_DATE.now:.0f} d"
        yield COLUMNS_SAG.finding(message, newest, float(columns), configuration=segment.name)
    for one in segment.levels:
        yield from _rapid_findings(one, newest, files)


def _columns_ahead(segment: SegmentGain, newest: float) -> int:
    """Return the columns with a superpixel that light falls on, has not sagged, and will within the
    next days.
    """
    pixels = segment.pixels
    soon = (pixels["sag"] < newest + SAG_DATE.now) & np.isnan(pixels["sagged"])
    _, y, x = place_of(pixels["pixel"])
    return len(
        np.unique(x[soon & (pixels["mjd"] > newest - SAG_DATE.now) & in_spectrum(segment.name, y)])
    )


def _rapid_findings(level: Level, newest: float, files: Columns) -> Iterator[Finding]:
    late = take(level.rapid, level.rapid["mjd"] > newest - RECENT_DAYS)
    names = files["rootname"][places_of(late["file_id"], files)]
    rows = zip(
        *(late[name].tolist() for name in ("mjd", "count", "largest")), names.tolist(), strict=True
    )
    where = f"{level.segment} HV {level.level}"
    for mjd, count, largest, rootname in rows:
        message = (
            f"the gain of {count} superpixels of {level.segment} changed by up to "
            f"{largest:.1f} bins"
        )
        yield RAPID.finding(message, mjd, largest, configuration=where, rootname=rootname)
