"""Maps of dark counts: single exposures, their sums, and what is expected where nothing is hot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shared.cos.detector import ACTIVE_AREAS, DARK_REGIONS, GAIN_SHAPE, X_BINNING, Y_BINNING, Box
from shared.cos.superpixels import unpack_counts

__all__ = [
    "HIGHEST",
    "LOWEST",
    "Cells",
    "DarkMap",
    "expected_counts",
    "inner_cells",
    "sliced",
    "stacked",
    "whole_cells",
]

LOWEST, HIGHEST = 2, 23
"""Pulse heights that count: those that CalCOS keeps (PHATAB LLT and ULT), since it is what it keeps
that is flagged.
"""

_HEIGHTS = 32

_NUV = DARK_REGIONS["NUV"]["all"]

_HALF_WIDTH, _HALF_HEIGHT = 40, 10
"""Half sizes, in superpixels, of the box that the expectation is the mean of: 648 by 42 pixels."""

_OUTSTANDING = 6.0
"""Superpixels that many sigma above the mean of the detector are left out of the means of others.
"""


@dataclass(frozen=True)
class Cells:
    """Rectangle of superpixels: from (x0, y0) up to but without (x1, y1)."""

    x0: int
    x1: int
    y0: int
    y1: int

    @property
    def size(self) -> int:
        """How many superpixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


def _inside(box: Box) -> Cells:
    """Return the superpixels of which every pixel is inside."""
    return Cells(
        int(-(-(box.x0 + 0.5) // X_BINNING)),
        int((box.x1 + 0.5) // X_BINNING),
        int(-(-(box.y0 + 0.5) // Y_BINNING)),
        int((box.y1 + 0.5) // Y_BINNING),
    )


def whole_cells(detector: str) -> Cells:
    """Return the superpixels that lie in the active area of a segment, or on the NUV detector."""
    return _inside(ACTIVE_AREAS.get(detector, _NUV))


def inner_cells(detector: str) -> Cells:
    """Return the superpixels that lie in the inner region of a segment, or on the NUV detector.

    Those of a superdark.
    """
    return _inside(_NUV if detector == "NUV" else DARK_REGIONS[detector]["inner"])


@dataclass(frozen=True)
class DarkMap:
    """One dark exposure of a detector.

    Attributes
    ----------
    mjd
        Start, MJD UTC.
    exposure
        Good time, s.
    cells
        Numbers of the cells that have counts, ascending, shape (n,): (y * 2048 + x) * 32 + pulse
        height, where x and y are of superpixels.
    counts
        Their counts, shape (n,).
    """

    detector: str
    mjd: float
    exposure: float
    hvlevel: float
    cells: np.ndarray
    counts: np.ndarray

    @classmethod
    def unpacked(
        cls, detector: str, mjd: float, exposure: float, hvlevel: float, content: str
    ) -> "DarkMap":
        """Make one of what the database has; its content in hexadecimal digits."""
        return cls(detector, mjd, exposure, hvlevel, *unpack_counts(bytes.fromhex(content)))

    @cached_property
    def kept(self) -> tuple[np.ndarray, np.ndarray]:
        """Superpixels and counts of the pulse heights that CalCOS keeps, of the NUV detector all.

        Shape (m,).
        """
        pixels, heights = np.divmod(self.cells, _HEIGHTS)
        kept = (heights >= LOWEST) & (heights <= HIGHEST) | (self.detector == "NUV")
        return pixels[kept], self.counts[kept]

    @cached_property
    def _sums(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.kept[1])])

    def counts_in(self, box: Cells) -> float:
        """Sum the counts of `kept` in a rectangle."""
        rows = np.arange(box.y0, box.y1, dtype=np.int64) * GAIN_SHAPE[1]
        first, last = (np.searchsorted(self.kept[0], rows + x) for x in (box.x0, box.x1))
        return float((self._sums[last] - self._sums[first]).sum())


def stacked(maps: Sequence[DarkMap], area: Cells) -> np.ndarray:
    """Sum the counts of `DarkMap.kept` in each superpixel of an area over exposures.

    Shape (y, x).
    """
    pixels, counts = (np.concatenate([one.kept[part] for one in maps]) for part in (0, 1))
    total = np.bincount(pixels, weights=counts, minlength=GAIN_SHAPE[0] * GAIN_SHAPE[1])
    return total.reshape(GAIN_SHAPE)[area.y0 : area.y1, area.x0 : area.x1]


def sliced(maps: Sequence[DarkMap], area: Cells) -> np.ndarray:
    """Sum the counts of each pulse height in each superpixel of an area over exposures.

    Shape (32, y, x), uint32.
    """
    shape = (area.y1 - area.y0, area.x1 - area.x0)
    total = np.zeros(area.size * _HEIGHTS, dtype=np.uint32)
    for one in maps:
        pixel, height = np.divmod(one.cells, _HEIGHTS)
        y, x = np.divmod(pixel, GAIN_SHAPE[1])
        inside = (x >= area.x0) & (x < area.x1) & (y >= area.y0) & (y < area.y1)
        place = (height[inside] * shape[0] + y[inside] - area.y0) * shape[1] + x[inside] - area.x0
        # Cells of an exposure are distinct, so that none is added to twice.
        total[place] += one.counts[inside].astype(np.uint32)
    return total.reshape(_HEIGHTS, *shape)


def expected_counts(stack: np.ndarray, usable: np.ndarray | None = None) -> np.ndarray:
    """Average the surroundings of each superpixel, without what stands out.

    The counts that one expects there.

    Parameters
    ----------
    stack
        Counts, shape (y, x).
    usable
        Superpixels that show what to expect, boolean of the same shape; None for all.
    """
    usable = np.ones(stack.shape, dtype=bool) if usable is None else usable
    mean = float(stack[usable].mean()) if usable.any() else 0.0
    usual = usable & (stack <= mean + _OUTSTANDING * np.sqrt(mean) + 3.0)
    mean = float(stack[usual].mean()) if usual.any() else 0.0
    usual &= stack <= mean + _OUTSTANDING * np.sqrt(mean) + 3.0
    around = _box_sums(usual.astype(np.float64))
    found: np.ndarray = np.where(
        around > 0, _box_sums(np.where(usual, stack, 0.0)) / np.maximum(around, 1.0), mean
    )
    return found


def _box_sums(image: np.ndarray) -> np.ndarray:
    """Return the sum over the box around each place, which ends at the edges of the image."""
    for axis, half in ((0, _HALF_HEIGHT), (1, _HALF_WIDTH)):
        length = image.shape[axis]
        sums = np.concatenate([np.zeros_like(image.take([0], axis)), image.cumsum(axis)], axis)
        place = np.arange(length)
        upper, lower = np.minimum(place + half + 1, length), np.maximum(place - half, 0)
        image = sums.take(upper, axis) - sums.take(lower, axis)
    return image
