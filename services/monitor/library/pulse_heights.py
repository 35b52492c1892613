"""Shape of a pulse-height histogram: its peak, mean, width, and what lies at its ends."""

from dataclasses import dataclass

import numpy as np

from services.monitor.library.peak_fits import fit_peaks

__all__ = ["FEWEST", "LOST_HIGH", "LOST_LOW", "Shape", "shape_of"]

FEWEST = 500
"""Events of a histogram whose shape is believed: its peak is then known to about a bin."""

_MOST = 1e12
"""Events that no exposure has: a million seconds at the largest rate that the detector counts
(COS Instrument Handbook, global count rates), with room.
"""

LOST_LOW, LOST_HIGH = 2, 23
"""Pulse heights below the first and above the second are rejected (widest limits of CalCOS' PHA
files).
"""


@dataclass(frozen=True)
class Shape:
    """Measures of histograms, with one-sigma errors.

    Arrays of shape (n,), NaN where there are too few events, or numbers that count none.

    Attributes
    ----------
    peak, mean, width
        Centre of the peak of the photons (NaN where there is none), mean and standard deviation of
        all, in bins.
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
        """Return the binomial error of a fraction; one event stands for the error of none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            error: np.ndarray = np.sqrt(
                np.maximum(fraction * (1 - fraction), 1 / self.counts) / self.counts
            )
        return error


def shape_of(histograms: np.ndarray) -> Shape:
    """Measure histograms.

    Parameters
    ----------
    histograms
        Events by pulse height, shape (n, 32).
    """
    with np.errstate(invalid="ignore", over="ignore"):
        total = histograms.sum(axis=1)
        enough = (total >= FEWEST) & (total < _MOST) & (histograms >= 0).all(axis=1)
    histograms = np.where(enough[:, None], histograms, 0.0)
    known = np.where(enough, total, np.nan)
    heights = np.arange(histograms.shape[1], dtype=float)
    mean = histograms @ heights / known
    moments = [
        (histograms * (heights - mean[:, None]) ** power).sum(axis=1) / known for power in (2, 4)
    ]
    width = np.sqrt(moments[0])
    peak, peak_error = np.full((2, len(histograms)), np.nan)
    peak[enough], peak_error[enough] = fit_peaks(histograms[enough])
    with np.errstate(divide="ignore", invalid="ignore"):
        width_error = np.sqrt((moments[1] - moments[0] ** 2) / known) / (2 * width)
    return Shape(
        peak,
        peak_error,
        mean,
        width / np.sqrt(known),
        width,
        width_error,
        histograms[:, :LOST_LOW].sum(axis=1) / known,
        histograms[:, LOST_HIGH + 1 :].sum(axis=1) / known,
        histograms[:, [0, -1]].sum(axis=1) / known,
        known,
    )
