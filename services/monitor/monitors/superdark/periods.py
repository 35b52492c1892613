"""Inputs of the superdark monitor.

Which periods of darks changed, and the counts of the darks to read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import (
    CTE,
    Double,
    Integer,
    ScalarSelect,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from services.monitor.framework.declaration import Columns, RowQuery
from services.monitor.framework.increments import written
from services.monitor.library.shown_rows import shown
from services.monitor.monitors.superdark.hot_spots import Sighting
from services.monitor.monitors.superdark.maps import DarkMap
from services.monitor.monitors.superdark.superdarks import INTERVAL_DAYS, PERIOD_DAYS
from shared.database.models.monitoring import MonitorPart
from shared.database.models.science import DarkCounts, FlaggedPixel

__all__ = [
    "MOST_INTERVALS",
    "Periods",
    "all_maps_query",
    "darks_query",
    "known_sightings",
    "maps_of",
    "maps_query",
    "periods_query",
    "times_of",
]

MOST_INTERVALS = 8
"""Intervals that one run computes at most, the oldest first: two years of darks, 200 MB of
memory.
"""

_PERIODS = int(INTERVAL_DAYS / PERIOD_DAYS)
"""Periods of an interval."""

_REACH = 1
"""Periods before and after one whose darks show when its spots came and went."""

_PERIOD = cast(func.floor(DarkCounts.mjd / PERIOD_DAYS), Integer)


def periods_query(monitor: str, version: int) -> RowQuery:
    """Return the query for the periods of each detector.

    Digest of their inputs, and that which the monitor knows (null if none).

    Inputs are the darks of a period, and the superpixels that had sagged before the end of its
    interval.

    Parameters
    ----------
    monitor
        Its name.
    version
        Its version, which is part of the digest.
    """
    file = func.concat(DarkCounts.file_id, " ", written({"dark_counts"}), type_=String)
    files = func.string_agg(file, aggregate_order_by(literal(","), DarkCounts.file_id))
    darks = (
        shown(
            DarkCounts, DarkCounts.detector, _PERIOD.label("period"), func.md5(files).label("files")
        )
        .where(DarkCounts.exposure > 0)
        .group_by(DarkCounts.detector, _PERIOD)
        .cte("darks")
    )
    inputs = func.concat(darks.c.files, " ", _sagged_by(darks), "/", version, type_=String)
    now = select(darks.c.detector, darks.c.period, inputs.label("inputs")).cte("now")
    key = func.concat(now.c.detector, " ", now.c.period, type_=String)
    return (
        select(
            now.c.detector,
            cast(now.c.period, Double).label("period"),
            key.label("key"),
            now.c.inputs,
            MonitorPart.inputs.label("known"),
        )
        .outerjoin(MonitorPart, and_(MonitorPart.monitor == monitor, MonitorPart.key == key))
        .order_by(now.c.period, now.c.detector)
    )


def _sagged_by(darks: CTE) -> ScalarSelect[Any]:
    """Return the digest of the superpixels of a segment that had sagged before the end of a
    period's interval.
    """
    pixel = func.concat(FlaggedPixel.dethv, " ", FlaggedPixel.x, " ", FlaggedPixel.y, type_=String)
    interval = func.floor(FlaggedPixel.mjd / INTERVAL_DAYS)
    # The sum does not depend on the order, so that nothing is sorted; few intervals are summed for
    # each period.
    sagged = (
        select(
            FlaggedPixel.segment,
            interval.label("interval"),
            func.sum(func.hashtextextended(pixel, 0)).label("pixels"),
        )
        .group_by(FlaggedPixel.segment, interval)
        .cte("sagged")
    )
    return (
        select(func.sum(sagged.c.pixels))
        .where(
            sagged.c.segment == darks.c.detector,
            sagged.c.interval <= func.floor(darks.c.period / _PERIODS),
        )
        .scalar_subquery()
    )


def darks_query() -> RowQuery:
    """Return the query for the darks of the whole mission, without their maps, in the order of
    time.
    """
    return (
        shown(
            DarkCounts,
            DarkCounts.detector,
            DarkCounts.mjd,
            DarkCounts.exposure,
            DarkCounts.hvlevel.label("hvlevel"),
            DarkCounts.counts.label("counts"),
        )
        .where(DarkCounts.exposure > 0)
        .order_by(DarkCounts.mjd)
    )


def maps_query(monitor: str, version: int) -> RowQuery:
    """Return the query for the maps of the darks that a run needs.

    They are those of the intervals that it computes, of the periods around theirs, and of the
    newest interval.

    Parameters
    ----------
    monitor, version
        As of `periods_query`.
    """
    all_periods = periods_query(monitor, version).cte("periods")
    interval = func.floor(all_periods.c.period / _PERIODS)
    changed = (
        select(all_periods.c.detector, all_periods.c.period, interval.label("interval"))
        .where(all_periods.c.inputs.is_distinct_from(all_periods.c.known))
        .cte("changed")
    )
    oldest = (
        select(changed.c.interval)
        .distinct()
        .order_by(changed.c.interval)
        .limit(MOST_INTERVALS)
        .cte("oldest")
    )
    newest = select(func.max(interval)).select_from(all_periods).scalar_subquery()
    mine = func.floor(DarkCounts.mjd / INTERVAL_DAYS)
    needed = exists().where(
        changed.c.interval.in_(select(oldest.c.interval)),
        changed.c.detector == DarkCounts.detector,
        or_(changed.c.interval == mine, func.abs(changed.c.period - _PERIOD) <= 2 * _REACH),
    )
    return all_maps_query().where(or_(mine == newest, needed))


def all_maps_query() -> RowQuery:
    """Return the query for the maps of all darks, in the order of time."""
    return (
        shown(
            DarkCounts,
            DarkCounts.detector,
            DarkCounts.mjd,
            DarkCounts.exposure,
            DarkCounts.hvlevel.label("hvlevel"),
            func.encode(DarkCounts.content, "hex", type_=String).label("content"),
        )
        .where(DarkCounts.exposure > 0)
        .order_by(DarkCounts.mjd)
    )


def maps_of(columns: Columns) -> dict[str, list[DarkMap]]:
    """Unpack maps by detector, in the order of time.

    Parameters
    ----------
    columns
        Columns of `maps_query`.
    """
    found: dict[str, list[DarkMap]] = {}
    names = ("detector", "mjd", "exposure", "hvlevel", "content")
    for row in zip(*(columns[name].tolist() for name in names), strict=True):
        found.setdefault(row[0], []).append(DarkMap.unpacked(*row))
    return found


@dataclass(frozen=True)
class Periods:
    """Periods by detector and number, and what has to be done for them in a run.

    Attributes
    ----------
    inputs
        Digest of the darks of each.
    searched
        Those whose hot spots are searched for: of intervals in turn, changed or next to changed.
    intervals
        Detector and number of the intervals whose superdarks are made again.
    known
        Those that are as an earlier run found them.
    unfinished
        Whether there are more changed ones than a run takes.
    """

    inputs: Mapping[tuple[str, int], str]
    searched: frozenset[tuple[str, int]]
    intervals: frozenset[tuple[str, int]]
    known: frozenset[tuple[str, int]]
    unfinished: bool

    @classmethod
    def of(cls, columns: Columns) -> "Periods":
        """Make periods of the columns of `periods_query`."""
        names = ("detector", "period", "inputs", "known")
        rows = [
            (detector, int(period), inputs, known)
            for detector, period, inputs, known in zip(
                *(columns[name].tolist() for name in names), strict=True
            )
        ]
        changed = {
            (detector, period) for detector, period, inputs, known in rows if inputs != known
        }
        turns = sorted({period // _PERIODS for _, period in changed})
        changed_now = {one for one in changed if one[1] // _PERIODS in turns[:MOST_INTERVALS]}
        known_rows = {
            (detector, period) for detector, period, _, known in rows if known is not None
        }
        beside = {
            (detector, period + step)
            for detector, period in changed_now
            for step in range(-_REACH, _REACH + 1)
        } & known_rows
        return cls(
            {(detector, period): inputs for detector, period, inputs, _ in rows},
            frozenset(changed_now | beside),
            frozenset((detector, period // _PERIODS) for detector, period in changed_now),
            frozenset(known_rows - changed_now - beside),
            len(turns) > MOST_INTERVALS,
        )


def known_sightings(parts: Columns, periods: Periods) -> list[Sighting]:
    """Return the hot spots of the periods that are as they were.

    Parameters
    ----------
    parts
        What the monitor kept.
    periods
        What has to be done.
    """
    known = {f"{detector} {period}" for detector, period in periods.known}
    return [
        Sighting(**sighting)
        for key, content in zip(parts["key"].tolist(), parts["content"].tolist(), strict=True)
        if key in known
        for sighting in json.loads(content)["sightings"]
    ]


def times_of(darks: Columns, detector: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the starts and ends of the darks of a detector, MJD, in ascending order."""
    mine = darks["detector"] == detector
    return darks["mjd"][mine], darks["mjd"][mine] + darks["exposure"][mine] / 86400.0
