"""Superdarks and hot spots: what darks look like, what comes and goes on them, and the tables that
flag it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta

import numpy as np

from services.monitor.framework.declaration import (
    Columns,
    IncrementResult,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    Reference,
    RunOutput,
    Values,
)
from services.monitor.framework.increments import parts_query
from services.monitor.library import gain_sag_tables as sag_tables
from services.monitor.monitors.superdark import periods as dark_periods
from services.monitor.monitors.superdark import tables as spot_tables
from services.monitor.monitors.superdark.deliveries import (
    RULES,
    bad_rows,
    spot_findings,
    spot_rows,
    table,
    table_findings,
)
from services.monitor.monitors.superdark.figures import (
    count_figure,
    map_figures,
    time_figure,
    where_figure,
)
from services.monitor.monitors.superdark.hot_spots import Sighting, Spot, sightings_of, spots_of
from services.monitor.monitors.superdark.low_response import stacks_by_year, stacks_of
from services.monitor.monitors.superdark.maps import DarkMap, whole_cells
from services.monitor.monitors.superdark.periods import Periods
from services.monitor.monitors.superdark.superdarks import (
    INTERVAL_DAYS,
    PERIOD_DAYS,
    Superdark,
    content_of,
    superdarks_of,
)

__all__ = ["MONITOR"]

_NAME, _VERSION = "superdark", 4

_EXPLANATION = """
A superdark is the sum of many dark exposures, by superpixel of 8 by 2 pixels and pulse height, of
one segment, one high voltage and 90 days. Darks with 1.5 times the median rate of their interval
and more are summed apart ("active"). Science exposures are corrected with it, and it shows what the
detector does without light.

A hot spot is a place that counts without light for a while. The darks of every 30 days are summed;
a superpixel is hot where its counts (pulse heights 2 to 23, those that CalCOS keeps) are 50 per
cent above the mean of its surroundings, and more than chance explains: on average one superpixel in
a thousand such sums of a segment would be called hot by chance. The run of exposures with the
greatest likelihood ratio shows when it came and went, to the exposures beside it.

Spots become rows of a table of transient bad pixels (SPOTTAB, FUV only) that CalCOS applies to
exposures between their dates; those that have been there for 90 days and still are, and superpixels
that count less than half as much as their surroundings, become rows of a table of bad pixels
(BPIXTAB) beside those of the active one. An NUV superpixel shows that within 90 days; one of the
FUV, where the darks of the whole mission have 110 counts in each. Each file is checked and compared
with the table that CalCOS used last. Nothing is delivered from here.
"""


def _spot_values(spots: Sequence[Spot]) -> Iterator[Values]:
    count = len(spots)
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    regions = np.array(
        ["{},{} {}x{}".format(*spot_tables.in_pixels(s.x0, s.x1, s.y0, s.y1)) for s in spots],
        object,
    )
    segments = np.array([spot.detector for spot in spots], dtype=object)
    mjd = np.array([spot.start for spot in spots])
    for quantity, pairs in (
        ("spot_rate", [(spot.rate, spot.rate_error) for spot in spots]),
        ("spot_stop", [(spot.stop, np.nan) for spot in spots]),
    ):
        value, error = np.array(pairs).reshape(count, 2).T
        yield Values(
            quantity=quantity,
            mjd=mjd,
            value=value,
            error=error,
            rootname=texts,
            segment=segments,
            region=regions,
            hvlevel=nothing,
            life_adj=nothing,
            file_id=nothing,
            outlier=np.zeros(count, dtype=bool),
        )


def _rate_values(superdarks: Sequence[Superdark]) -> Values:
    count = len(superdarks)
    area = np.array([whole_cells(one.detector).size * 16.0 for one in superdarks])
    seconds = np.array([one.seconds for one in superdarks])
    rate = np.array([one.rate for one in superdarks])
    nothing = np.full(count, np.nan)
    return Values(
        quantity="superdark_rate",
        mjd=np.array([one.mjd.mean() for one in superdarks]),
        value=rate / area,
        error=np.sqrt(rate * seconds) / seconds / area,
        rootname=np.full(count, None, dtype=object),
        segment=np.array([one.detector for one in superdarks], dtype=object),
        region=np.array(["active" if one.active else "quiet" for one in superdarks], dtype=object),
        hvlevel=np.array([one.hvlevel for one in superdarks]),
        life_adj=nothing,
        file_id=nothing,
        outlier=np.zeros(count, dtype=bool),
    )


def _sagged(columns: Columns, superdark: Superdark) -> np.ndarray | None:
    """Return the superpixels that sagged before the end of a superdark, at its voltage or a higher
    one.
    """
    if superdark.detector == "NUV":
        return None
    mine = (columns["segment"] == superdark.detector) & (columns["hvlevel"] >= superdark.hvlevel)
    mine &= columns["mjd"] < superdark.start + INTERVAL_DAYS
    return np.column_stack([columns["x"][mine], columns["y"][mine]]).astype(int)


def _superdark_artifact(one: Superdark, maps: Sequence[DarkMap], sagged: Columns) -> NewArtifact:
    chosen = set(one.mjd.tolist())
    content = content_of(one, [dark for dark in maps if dark.mjd in chosen], _sagged(sagged, one))
    detail = {
        "exposures": len(one.mjd),
        "seconds": one.seconds,
        "start": one.start,
        "stop": one.start + INTERVAL_DAYS,
    }
    return NewArtifact(kind="superdark", name=one.name, content=content, detail=detail)


def _is_in_turn(superdark: Superdark, periods: Periods) -> bool:
    return (superdark.detector, superdark.interval) in periods.intervals


def _search(
    periods: Periods, maps: Mapping[str, Sequence[DarkMap]]
) -> dict[str, tuple[str, list[Sighting]]]:
    """Return the hot spots of the periods in turn: digest of the inputs and sightings by key."""
    found = {}
    for detector, period in sorted(periods.searched):
        number = np.floor_divide([dark.mjd for dark in maps[detector]], PERIOD_DAYS)
        mine, window = (
            [
                dark
                for dark, near in zip(maps[detector], np.abs(number - period) <= reach, strict=True)
                if near
            ]
            for reach in (0, 1)
        )
        found[f"{detector} {period}"] = (
            periods.inputs[detector, period],
            sightings_of(mine, window),
        )
    return found


def _join(sightings: Sequence[Sighting], darks: Columns) -> list[Spot]:
    found: list[Spot] = []
    for detector in sorted({one.detector for one in sightings}):
        mine = [one for one in sightings if one.detector == detector]
        found += spots_of(mine, *dark_periods.times_of(darks, detector))
    return found


def _tables(
    spots: Sequence[Spot],
    newest_maps: Mapping[str, Sequence[DarkMap]],
    newest: float,
    inputs: Inputs,
) -> Iterator[NewArtifact]:
    bad = bad_rows(spots, newest_maps, stacks_of(inputs), inputs["sagged"])
    for kind, detector in (("SPOTTAB", "FUV"), ("BPIXTAB", "FUV"), ("BPIXTAB", "NUV")):
        if any(name.startswith(detector) for name in newest_maps):
            rows = (
                spot_rows(spots)
                if kind == "SPOTTAB"
                else [row for row in bad if (row[0] == "N/A") == (detector == "NUV")]
            )
            yield table(
                kind, detector, rows, newest, spot_tables.active_table(inputs[kind], detector)
            )


def _compute(inputs: Inputs) -> RunOutput:
    darks = inputs["darks"]
    if not len(darks["mjd"]):
        return RunOutput(newest_mjd=None)
    newest = float(darks["mjd"][-1])
    periods = Periods.of(inputs["periods"])
    maps = dark_periods.maps_of(inputs["maps"])
    searched = _search(periods, maps)
    sightings = dark_periods.known_sightings(inputs["parts"], periods)
    sightings += [one for _, found in searched.values() for one in found]
    spots = _join(sightings, darks)
    superdarks = list(superdarks_of(darks))
    last = newest // INTERVAL_DAYS
    newest_maps = {
        detector: chosen
        for detector, found in maps.items()
        if (chosen := [dark for dark in found if dark.mjd // INTERVAL_DAYS == last])
    }
    tables = list(_tables(spots, newest_maps, newest, inputs))
    kept = {f"{detector} {period}": None for detector, period in periods.known}
    return RunOutput(
        newest_mjd=newest,
        values=[*_spot_values(spots), _rate_values(superdarks)],
        figures=[
            *map_figures(newest_maps),
            where_figure(spots),
            time_figure(spots, newest),
            count_figure(spots, newest),
        ],
        findings=[
            *spot_findings(spots, newest),
            *(found for one in tables for found in table_findings(one, newest)),
        ],
        artifacts=[
            *tables,
            *(
                _superdark_artifact(one, maps[one.detector], inputs["sagged"])
                for one in superdarks
                if _is_in_turn(one, periods)
            ),
        ],
        kept_artifacts=[one.name for one in superdarks if not _is_in_turn(one, periods)],
        parts=kept
        | {
            key: IncrementResult(
                inputs=digest, content={"sightings": [asdict(one) for one in found]}
            )
            for key, (digest, found) in searched.items()
        },
        unfinished=periods.unfinished,
    )


MONITOR = Monitor(
    name=_NAME,
    title="Superdarks and hot spots",
    explanation=_EXPLANATION.strip(),
    detector="FUV and NUV",
    version=_VERSION,
    tables=frozenset({"dark_counts", "flagged"}),
    inputs={
        "periods": dark_periods.periods_query(_NAME, _VERSION),
        "darks": dark_periods.darks_query(),
        "maps": dark_periods.maps_query(_NAME, _VERSION),
        "parts": parts_query(_NAME),
        "sagged": sag_tables.sagged_query(),
    },
    quantities={
        "spot_rate": Quantity(
            unit="count / s",
            description="Rate of a hot spot above its surroundings, pulse heights 2 to 23 (FUV)",
        ),
        "spot_stop": Quantity(
            unit="d", description="MJD of the end of the last dark that shows a hot spot"
        ),
        "superdark_rate": Quantity(
            unit="count / (s pix)",
            description="Mean rate of a superdark, any pulse height, active area",
        ),
    },
    compute=_compute,
    cadence=timedelta(days=30),
    parts=stacks_by_year(),
    rules=RULES,
    references={
        kind: Reference(keyword=kind, read=spot_tables.read_tables)
        for kind in ("SPOTTAB", "BPIXTAB")
    },
)
