"""Shape of a pulse-height histogram: its peak, mean, width, and what lies at its ends."""

from dataclasses import dataclass

import numpy as np

__all__ = ["FEWEST", "LOST_HIGH", "LOST_LOW", "Shape", "shape_of"]

FEWEST = 500
"""Events of a histogram whose shape is believed: its peak is then known to about a bin."""

LOST_LOW, LOST_HIGH = 2, 23
"""Pulse heights below the first and above the second are rejected (widest limits of CalCOS' PHA files)."""


@dataclass(frozen=True)
class Shape:
    """Measures of histograms, with one-sigma errors; arrays of shape (n,), NaN where there are too few events.

    Attributes
    ----------
    peak, mean, width
        Centre of the peak, mean and standard deviation, in bins.
    low, high, ends
        Fractions below `LOST_LOW`, above `LOST_HIGH`, and in the first and last bin.
    """

    peak: np.ndarray
    peak_error: np.ndarray
    mean: np.ndarray
    mean_error: np.ndarray
    width: np.ndarray
    width_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ends: np.ndarray
    counts: np.ndarray

    def fraction_error(self, fraction: np.ndarray) -> np.ndarray:
        """Binomial error of a fraction; one event stands for the error of none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            error: np.ndarray = np.sqrt(np.maximum(fraction * (1 - fraction), 1 / self.counts) / self.counts)
        return error


def shape_of(histograms: np.ndarray) -> Shape:
    """Measure histograms.

    Parameters
    ----------
    histograms
        Events by pulse height, shape (n, 32).
    """
    total = histograms.sum(axis=1)
    known = np.where(total >= FEWEST, total, np.nan)
    heights = np.arange(histograms.shape[1], dtype=float)
    mean = histograms @ heights / known
    moments = [(histograms * (heights - mean[:, None]) ** power).sum(axis=1) / known for power in (2, 4)]
    width = np.sqrt(moments[0])
    peaks = np.array([_peak(row) if row.sum() >= FEWEST else (np.nan, np.nan) for row in histograms]).reshape(-1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        width_error = np.sqrt((moments[1] - moments[0] ** 2) / known) / (2 * width)
    return Shape(
        peaks[:, 0], peaks[:, 1], mean, width / np.sqrt(known), width, width_error,
        histograms[:, :LOST_LOW].sum(axis=1) / known, histograms[:, LOST_HIGH + 1 :].sum(axis=1) / known,
        histograms[:, [0, -1]].sum(axis=1) / known, known,
    )  # fmt: skip


def _peak(counts: np.ndarray) -> tuple[float, float]:
    """Centre of the peak and its error: that of a parabola through the logarithms of the bins above half the largest.

    A normal distribution is such a parabola. The first and last bin, which gather what is beyond, take no part. Where
    there is no maximum within the bins, the largest bin is the peak, known to a bin.
    """
    inner = counts[1:-1]
    smooth = np.convolve(inner, np.ones(3) / 3, mode="same")
    top = int(smooth.argmax())
    above = smooth > smooth[top] / 2
    before, after = np.flatnonzero(~above[:top]), np.flatnonzero(~above[top:])
    first = int(before[-1]) + 1 if len(before) else 0
    last = top + int(after[0]) if len(after) else len(inner)
    places = np.arange(first, last) - top
    bins = inner[first:last]
    if len(places) < 3 or not (bins > 0).all():
        return top + 1.0, 1.0
    # Weights are of the smoothed counts: those of the counts themselves would prefer bins that chance raised.
    weights = np.sqrt(smooth[first:last])
    design = np.stack([np.ones(len(places)), places, places**2], axis=1)
    normal = np.linalg.inv((design * weights[:, None] ** 2).T @ design)
    _, slope, curvature = normal @ (design.T @ (weights**2 * np.log(bins)))
    if curvature >= 0 or not first <= top - slope / (2 * curvature) <= last - 1:
        return top + 1.0, 1.0
    gradient = np.array([0.0, -1 / (2 * curvature), slope / (2 * curvature**2)])
    return float(top + 1 - slope / (2 * curvature)), float(np.sqrt(gradient @ normal @ gradient))
