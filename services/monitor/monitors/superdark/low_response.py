"""Superpixels that count less than their surroundings, and the sums of darks, year by year, that
show them.
"""

import zlib
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from scipy.stats import poisson
from sqlalchemy import func

from services.monitor.framework.declaration import Columns, Increment, Inputs, RowQuery
from services.monitor.framework.rules import Rule, always
from services.monitor.monitors.superdark.hot_spots import FALSE_ALARMS
from services.monitor.monitors.superdark.maps import Cells, inner_cells, stacked
from services.monitor.monitors.superdark.periods import all_maps_query, maps_of
from services.monitor.monitors.superdark.superdarks import PERIOD_DAYS
from shared.cos.detector import FUV_SEGMENTS
from shared.database.models.science import DarkCounts

__all__ = [
    "LOW",
    "VERY_LOW",
    "low_response",
    "needed_counts",
    "stacks_by_year",
    "stacks_of",
    "unsagged",
]

_SOURCE = "CalCOS, definitions of the data-quality flags"
LOW = Rule(
    name="low-response",
    severity=None,
    text="a superpixel has less than {:.0%} of its surroundings' counts: DQ 1024",
    thresholds=always(0.5, _SOURCE),
)
VERY_LOW = Rule(
    name="low-response",
    severity=None,
    text="less than {:.0%} of them: DQ 16",
    thresholds=always(0.2, _SOURCE),
)

_YEAR = 12
"""Periods whose darks are summed at once: a run reads those of the newest ones again."""


def needed_counts(fraction: float, cells: int) -> float:
    """Tell how many counts a superpixel must be expected to have, for every one below a fraction to
    be no chance.

    With them, chance makes fewer than `FALSE_ALARMS` of all superpixels so low. For half of what is
    expected it is 110 in the inner region of a segment, and for a fifth 37.

    Parameters
    ----------
    fraction
        The fraction.
    cells
        How many superpixels.
    """
    counts = np.arange(1.0, 1000.0)
    chance = poisson.cdf(np.ceil(fraction * counts) - 1, counts)
    return float(counts[np.flatnonzero(chance * cells >= FALSE_ALARMS)[-1]] + 1)


def low_response(
    stack: np.ndarray, expected: np.ndarray, area: Cells, mjd: float
) -> Iterator[tuple[Cells, int]]:
    """Yield the rows of superpixels that count less than their surroundings, with their flag.

    1024 below half, 16 below a fifth.

    Only what noise cannot explain, at `FALSE_ALARMS`, is one of them: a stack that is not deep
    enough has none, and one of `needed_counts` has all.

    Parameters
    ----------
    stack, expected
        Counts and what the surroundings make one expect, shape (y, x); NaN where nothing is said.
    area
        Superpixels that they are of.
    mjd
        When: the thresholds are those of the time.
    """
    low, very_low = (float(rule.at(np.array([mjd]))[0]) for rule in (LOW, VERY_LOW))
    hit = (stack < low * expected) & (poisson.cdf(stack, expected) < FALSE_ALARMS / area.size)
    flags = np.where(hit, np.where(stack < very_low * expected, 16, 1024), 0)
    for y in np.flatnonzero(hit.any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(flags[y], prepend=0, append=0))
        for first, last in pairwise(edges.tolist()):
            if flags[y, first]:
                yield (
                    Cells(area.x0 + first, area.x0 + last, area.y0 + y, area.y0 + y + 1),
                    int(flags[y, first]),
                )


def stacks_by_year() -> dict[str, Increment]:
    """Sum the darks of a segment and 360 d (table ``stacks``), of the periods that the input
    ``periods`` has.
    """
    return {"years": Increment(digests=_digests, rows=_rows, find=_find)}


def _digests(inputs: Inputs) -> dict[str, str]:
    """Return the digests of the files of each segment and year."""
    found: dict[str, list[str]] = {}
    rows = zip(
        *(inputs["periods"][name].tolist() for name in ("detector", "period", "inputs")),
        strict=True,
    )
    for detector, period, digest in rows:
        if detector in FUV_SEGMENTS:
            # What sagged is left out of the sum of all years.
            found.setdefault(f"{detector} {period // _YEAR:.0f}", []).append(
                digest.partition(" ")[0]
            )
    return {key: ",".join(digests) for key, digests in found.items()}


def _rows(key: str) -> dict[str, RowQuery]:
    detector, year = key.split()
    year_of = func.floor(func.floor(DarkCounts.mjd / PERIOD_DAYS) / _YEAR)
    return {"year": all_maps_query().where(DarkCounts.detector == detector, year_of == int(year))}


def _find(key: str, inputs: Inputs) -> Mapping[str, Columns]:
    detector = key.split()[0]
    (maps,) = maps_of(inputs["year"]).values()
    counts = np.minimum(stacked(maps, inner_cells(detector)), np.iinfo(np.uint16).max).astype("<u2")
    packed = zlib.compress(counts.tobytes(), level=1).hex()
    return {
        "stacks": {
            "detector": np.array([detector], dtype=object),
            "content": np.array([packed], dtype=object),
        }
    }


def stacks_of(inputs: Inputs) -> dict[str, np.ndarray]:
    """Sum the counts of all darks of each segment, in the superpixels of the inner region.

    Shape (y, x).
    """
    found: dict[str, np.ndarray] = {}
    stacks = inputs.get("stacks", {"detector": np.array([]), "content": np.array([])})
    for detector, content in zip(
        stacks["detector"].tolist(), stacks["content"].tolist(), strict=True
    ):
        area = inner_cells(detector)
        counts = np.frombuffer(zlib.decompress(bytes.fromhex(content)), dtype="<u2").astype(
            np.float64
        )
        found[detector] = found.get(detector, 0.0) + counts.reshape(
            area.y1 - area.y0, area.x1 - area.x0
        )
    return found


def unsagged(sagged: Columns, detector: str, area: Cells) -> np.ndarray:
    """Return the superpixels of an area that never sagged at any voltage, nor any beside them.

    Boolean of shape (y, x).

    What sags counts less too, and is in the GSAGTAB; that beside it is about to.

    Parameters
    ----------
    sagged
        Columns of `services.monitor.library.gain_sag_tables.sagged_query`.
    detector
        FUVA or FUVB.
    area
        The area.
    """
    found = np.ones((area.y1 - area.y0, area.x1 - area.x0), dtype=bool)
    mine = sagged["segment"] == detector
    x, y = (sagged[name][mine].astype(np.int64) for name in ("x", "y"))
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            column, row = x + dx - area.x0, y + dy - area.y0
            inside = (column >= 0) & (column < found.shape[1]) & (row >= 0) & (row < found.shape[0])
            found[row[inside], column[inside]] = False
    return found
