"""Modal gain: the centre of the peak of a pulse-height histogram; and the charge of its events.

Source: the legacy gain monitor (``cos_monitoring`` ``cci/gainmap.py``): a Gaussian of fixed width,
least squares without weights, pulse heights 2 to 30. All histograms are fitted at once: of a
Gaussian of known width the best amplitude follows from its centre, so that only the centre is
searched for.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["GAIN_WIDTH", "LEAST_COUNTS", "charges", "modal_gains"]

GAIN_WIDTH: Final = 1.05
"""Standard deviation of the peak, in bins."""

LEAST_COUNTS: Final = 30
"""Counts of pulse heights 2 to 30 that a histogram must have."""

_FIRST, _LAST = 2, 30
_LEAST_AMPLITUDE = 12.0
_SAGGED = 3.0
_APART = 1.0
_STEP = 0.05
_REACH = round(2.0 / _STEP)
"""Steps from the largest bin to either side within which its peak is searched for."""

_CHARGES = 1e-12 * 10.0 ** ((np.arange(32) - 11.75) / 20.5)
"""Charge of an event of each pulse height, in coulomb (legacy gain monitor)."""

_HEIGHTS = np.arange(_FIRST, _LAST + 1)
_CENTRES = np.arange(1.0, 30.0 + _STEP / 2, _STEP)
_SHAPES = np.exp(-0.5 * ((_HEIGHTS - _CENTRES[:, None]) / GAIN_WIDTH) ** 2)
_NORMS = (_SHAPES**2).sum(axis=1)
_BLOCK = 8192

Floats = NDArray[np.float64]


def charges(histograms: NDArray[np.integer]) -> Floats:
    """Return the charge that the plates gave to all events of pulse-height histograms, in coulomb,
    shape (n,).

    Parameters
    ----------
    histograms
        Counts by pulse height, shape (n, 32).
    """
    found: Floats = histograms @ _CHARGES
    return found


def modal_gains(histograms: NDArray[np.integer]) -> Floats:
    """Return the modal gain of pulse-height histograms in bins.

    NaN where there is no peak, or there are two.

    Parameters
    ----------
    histograms
        Counts by pulse height, shape (n, 32).
    """
    gains = np.full(len(histograms), np.nan)
    for start in range(0, len(histograms), _BLOCK):
        gains[start : start + _BLOCK] = _gains(
            histograms[start : start + _BLOCK, _FIRST : _LAST + 1].astype(np.float64)
        )
    return gains


def _gains(counts: Floats) -> Floats:
    centre, amplitude = _fit(counts)
    good = (counts.sum(axis=1) >= LEAST_COUNTS) & (amplitude >= _LEAST_AMPLITUDE)
    low = np.flatnonzero(good & (centre <= _SAGGED))
    if low.size:
        # A second peak means that the first one is no sagged gain but background.
        shapes = np.exp(-0.5 * ((_HEIGHTS - centre[low, None]) / GAIN_WIDTH) ** 2)
        rest = np.clip(counts[low] - amplitude[low, None] * shapes, 0.0, None)
        second, height = _fit(rest)
        good[low] &= ~((height >= _LEAST_AMPLITUDE) & (np.abs(second - centre[low]) > _APART))
    return np.where(good, centre, np.nan)


def _fit(counts: Floats) -> tuple[Floats, Floats]:
    """Return the centre and amplitude of the peak at the largest bin of each histogram."""
    projections = counts @ _SHAPES.T
    scores = projections**2 / _NORMS
    largest = np.rint((_HEIGHTS[counts.argmax(axis=1)] - _CENTRES[0]) / _STEP).astype(np.intp)
    offsets = np.arange(-_REACH, _REACH + 1)
    near = np.clip(largest[:, None] + offsets, 0, len(_CENTRES) - 1)
    rows = np.arange(len(counts))
    best = near[rows, np.take_along_axis(scores, near, axis=1).argmax(axis=1)]
    inner = np.clip(best, 1, len(_CENTRES) - 2)
    left, middle, right = (scores[rows, inner + shift] for shift in (-1, 0, 1))
    curvature = left - 2 * middle + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(curvature < 0, 0.5 * (left - right) / curvature, 0.0)
    centre = np.where(
        best == inner, _CENTRES[inner] + _STEP * np.clip(shift, -1.0, 1.0), _CENTRES[best]
    )
    return centre, projections[rows, best] / _NORMS[best]
