"""Boxes along dispersion in which CalCOS looks for the lamp's spectrum, of WCPTABs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from services.monitor.figures import Outline
from services.monitor.framework.declaration import Columns

__all__ = ["SearchBoxes", "box_outlines", "read_boxes"]


def read_boxes(paths: Sequence[Path]) -> Columns:
    """Read the boxes of WCPTABs.

    Older tables have no SEARCH_OFFSET: their boxes are about 0.

    Parameters
    ----------
    paths
        The files.

    Returns
    -------
    mapping of str to ndarray
        ``wcptab`` (name), ``opt_elem``, ``half`` and ``offset`` (pix), one for each row.
    """
    rows = []
    for path in paths:
        with fits.open(path) as hdus:
            data = hdus[1].data
            offsets = (
                data["SEARCH_OFFSET"] if "SEARCH_OFFSET" in data.names else np.zeros(len(data))
            )
            name = path.name.removesuffix(".gz")
            rows += [
                (name, str(grating).strip(), float(half), float(offset))
                for grating, half, offset in zip(
                    data["OPT_ELEM"], data["XC_RANGE"], offsets, strict=True
                )
            ]
    names = ("wcptab", "opt_elem", "half", "offset")
    kinds = (object, object, float, float)
    return {
        name: np.array([row[place] for row in rows], dtype=kind)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }


@dataclass(frozen=True)
class SearchBoxes:
    """Box that each flash was looked for in; arrays of shape (n,), NaN where its WCPTAB is not at
    hand, or has a range of 0.

    Attributes
    ----------
    low, high
        Sides, pix: SEARCH_OFFSET - XC_RANGE and SEARCH_OFFSET + XC_RANGE.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, columns: Columns, boxes: Columns) -> "SearchBoxes":
        """Find the boxes of flashes.

        Parameters
        ----------
        columns
            Flashes.
        boxes
            Columns of `read_boxes`.
        """
        known = {
            key: (offset - half, offset + half)
            for *key_parts, half, offset in zip(
                *(boxes[name].tolist() for name in ("wcptab", "opt_elem", "half", "offset")),
                strict=True,
            )
            if half > 0 and (key := tuple(key_parts))
        }
        keys = zip(columns["wcptab"].tolist(), columns["opt_elem"].tolist(), strict=True)
        nothing = (np.nan, np.nan)
        sides = np.array([known.get(key, nothing) for key in keys], dtype=float).reshape(-1, 2)
        return cls(sides[:, 0], sides[:, 1])

    def margin(self, shift: np.ndarray) -> np.ndarray:
        """Return how far shifts are from the nearer side, pix; negative outside; shape (n,)."""
        found: np.ndarray = np.minimum(shift - self.low, self.high - shift)
        return found


def box_outlines(mjd: np.ndarray, boxes: SearchBoxes) -> list[Outline]:
    """Return the boxes from the first to the last time at which each was in use.

    Parameters
    ----------
    mjd
        Times of flashes of a grating, shape (n,).
    boxes
        Their boxes.
    """
    known = np.isfinite(boxes.low)
    if not known.any():
        return []
    sides, place = np.unique(
        np.stack([boxes.low[known], boxes.high[known]], axis=1), axis=0, return_inverse=True
    )
    times = mjd[known]
    outlines = []
    for number, (low, high) in enumerate(sides.tolist()):
        mine = times[place.ravel() == number]
        first, last = float(mine.min()), float(mine.max())
        outlines.append(
            Outline(
                label="search box",
                x=[first, last, last, first, first],
                y=[low, low, high, high, low],
            )
        )
    return outlines
