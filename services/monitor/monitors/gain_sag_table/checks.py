"""Checks of gain sag tables that shall be delivered, and how they differ from the active ones."""

import io
from collections.abc import Iterator, Mapping
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from astropy.io import fits

from services.monitor.library.gain_sag_tables import (
    BLUE,
    COLUMNS,
    DQ_GAIN_SAG,
    LEVELS,
    STANDARD,
    Box,
    Rectangles,
    key_of,
    read_table,
)
from services.monitor.library.reference_files import reaches_beyond, wrong_header
from shared.cos.detector import FUV_SEGMENTS

__all__ = ["check", "difference"]

_SIZE = (16384, 1024)
"""Pixels of a segment in X and Y."""


def check(content: bytes, *, blue: bool) -> list[str]:
    """Say what is wrong with a file that shall be delivered; nothing if it may be.

    Parameters
    ----------
    content
        A FITS file.
    blue
        Whether it shall be that of the blue modes.
    """
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[0].header
        wrong = list(wrong_header(header, "GSAGTAB", ("FUV",)))
        modes = BLUE if blue else STANDARD
        if header.get("CENWAVE") != modes:
            wrong.append(f"CENWAVE is {header.get('CENWAVE')!r}, not {modes!r}")
        keys = [key_of(hdu.header) for hdu in hdus[1:]]
        expected = {(segment, level) for segment in FUV_SEGMENTS for level in LEVELS}
        wrong += [
            f"no extension of {segment} at level {level}"
            for segment, level in sorted(expected - set(keys))
        ]
        if len(set(keys)) < len(keys):
            wrong.append("two extensions are of the same segment and level")
        for key, hdu in zip(keys, hdus[1:], strict=True):
            wrong += [f"{key[0]} at level {key[1]}: {reason}" for reason in _wrong_with(hdu)]
        return wrong or list(_not_nested(read_table(hdus)))


def _not_nested(tables: Rectangles) -> Iterator[str]:
    """Yield the levels that lack what a higher one flags, or flag it later.

    The gain only falls with the voltage.
    """
    for segment in FUV_SEGMENTS:
        for lower, higher in pairwise(LEVELS):
            below = tables[segment, lower]
            if any(below.get(box, np.inf) > date for box, date in tables[segment, higher].items()):
                yield f"{segment} at level {lower} lacks rectangles of level {higher}"


def _wrong_with(hdu: Any) -> Iterator[str]:
    formats = {column.name: column.format for column in hdu.columns}
    if formats != COLUMNS:
        yield f"columns are {formats}, not {COLUMNS}"
        return
    if not len(hdu.data):
        yield "no rows"
    if (hdu.data["DQ"] != DQ_GAIN_SAG).any():
        yield f"DQ other than {DQ_GAIN_SAG}"
    if not np.isfinite(hdu.data["DATE"]).all():
        yield "a DATE is no number"
    if reaches_beyond(hdu.data, *_SIZE):
        yield "a rectangle reaches beyond the detector"


def difference(new: Rectangles, active: Rectangles) -> dict[str, Any]:
    """Tell what a new table has that the active one has not, and the reverse.

    Parameters
    ----------
    new, active
        Rectangles of both.

    Returns
    -------
    dict
        ``extensions_gained``, ``extensions_lost``; ``added``, ``removed`` and ``dates_changed``
        count rectangles of the extensions that both have, by segment and level, where they are not
        zero. A rectangle counts as removed when a pixel of it is no longer flagged at some time
        from its DATE on, as added when it was not.
    """
    found: dict[str, Any] = {
        "extensions_gained": [
            f"{segment} {level}" for segment, level in sorted(set(new) - set(active))
        ],
        "extensions_lost": [
            f"{segment} {level}" for segment, level in sorted(set(active) - set(new))
        ],
        "added": {},
        "removed": {},
        "dates_changed": {},
    }
    known: dict[tuple[frozenset[tuple[Box, float]], ...], dict[str, int]] = {}
    for segment, level in sorted(set(new) & set(active)):
        mine, theirs = new[segment, level], active[segment, level]
        # Most levels flag the same as the next.
        same = frozenset(mine.items()), frozenset(theirs.items())
        if same not in known:
            known[same] = _counts(mine, theirs)
        for name, count in known[same].items():
            if count:
                found[name][f"{segment} {level}"] = count
    return found


def _counts(mine: Mapping[Box, float], theirs: Mapping[Box, float]) -> dict[str, int]:
    """Count what the rectangles of one extension have that those of the other have not."""
    return {
        "added": _uncovered(mine, theirs),
        "removed": _uncovered(theirs, mine),
        "dates_changed": sum(theirs[box] != date for box, date in mine.items() if box in theirs),
    }


def _uncovered(boxes: Mapping[Box, float], by: Mapping[Box, float]) -> int:
    """Return how many rectangles have a pixel that others do not cover from its date on."""
    unknown = {box: date for box, date in boxes.items() if by.get(box, np.inf) > date}
    if not unknown:
        return 0
    # Cells between all edges are covered as a whole or not at all.
    corners = np.array([*unknown, *by])
    first, last = corners[:, :2], corners[:, :2] + corners[:, 2:]
    edges = [np.unique(np.concatenate([first[:, axis], last[:, axis]])) for axis in (0, 1)]
    left, bottom = (np.searchsorted(edges[axis], first[:, axis]).tolist() for axis in (0, 1))
    right, top = (np.searchsorted(edges[axis], last[:, axis]).tolist() for axis in (0, 1))
    cells = [
        (slice(low, high), slice(begin, end))
        for low, high, begin, end in zip(bottom, top, left, right, strict=True)
    ]
    since = np.full((len(edges[1]), len(edges[0])), np.inf)
    # From the latest to the earliest, which stays.
    for date, place in sorted(
        zip(by.values(), cells[len(unknown) :], strict=True), key=itemgetter(0), reverse=True
    ):
        since[place] = date
    return sum(
        bool(since[place].max() > date)
        for date, place in zip(unknown.values(), cells, strict=False)
    )
