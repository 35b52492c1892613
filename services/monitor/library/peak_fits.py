"""Peaks of pulse-height histograms above their background, and whether there is one.

Photons make a peak where the gain of the detector is; the background (darks, scattered events)
falls slowly from the first to the last pulse height, with an excess at the lowest. Both are fitted
together by maximum likelihood: a normal distribution of free centre and width, and a background of
three fixed shapes with free amounts, none negative.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_peaks"]

Floats = NDArray[np.float64]

_HEIGHTS = np.arange(1.0, 31.0)
"""Pulse heights that are fitted: the first and the last bin gather what is beyond."""

_FLAT, _SLOPE, _LOW = np.ones(len(_HEIGHTS)), np.exp(-_HEIGHTS / 10.0), np.exp(-_HEIGHTS / 2.0)
_BACKGROUND = np.stack([shape / shape.sum() for shape in (_FLAT, _SLOPE, _LOW)])
"""Shapes of the background, as events beside the spectra of real exposures have it (G130M and G140L
of 2017).
"""

_CENTRES = np.arange(1.5, 30.0, 0.5)
_WIDTHS = (1.3, 2.0, 3.0)
_NARROWEST, _WIDEST = 0.7, 4.0
"""Standard deviation of a peak, bins: from that of a single place of the detector to that of many
gains.
"""

_LEAST_GAIN = 30.0
"""Twice the logarithm of the likelihood that a peak must gain: about five sigma."""

_SHAPE_ERROR = 0.4
"""Slope of the background across a peak that its shapes may miss, as a share of the background
below the peak: that of the backgrounds of real exposures, which moves the centres of made peaks by
as much."""

_LARGEST_ERROR = 1.0
"""Error of a centre, bins, from which there is no peak to speak of."""

_SCANS, _STEPS = 25, 12
_BLOCK = 64


def fit_peaks(histograms: Floats) -> tuple[Floats, Floats]:
    """Return the centre of the peak of each histogram and its one-sigma error, bins.

    NaN where there is no peak.

    Parameters
    ----------
    histograms
        Events by pulse height, shape (n, 32).
    """
    centre, error = np.full(len(histograms), np.nan), np.full(len(histograms), np.nan)
    for start in range(0, len(histograms), _BLOCK):
        block = slice(start, start + _BLOCK)
        centre[block], error[block] = _fit(np.asarray(histograms[block, 1:-1], dtype=np.float64))
    return centre, error


def _fit(counts: Floats) -> tuple[Floats, Floats]:
    without = _best_background(counts)
    start = _scan(counts)
    values, model, information = _refine(counts, start)
    gained = 2.0 * (_likelihood(counts, model) - _likelihood(counts, without))
    with np.errstate(divide="ignore", invalid="ignore"):
        misfit = ((counts - model) ** 2 / model).sum(axis=1) / (len(_HEIGHTS) - 6)
        variance = np.linalg.pinv(information)[:, 1, 1] * np.maximum(misfit, 1.0)
        # A misfit of many counts gains likelihood too: what is gained is judged by how well the fit
        # describes them.
        found = gained / np.maximum(misfit, 1.0) > _LEAST_GAIN
        amount, centre, width = values[:, 0], values[:, 1], values[:, 2]
        below = (
            values[:, 3:] @ _BACKGROUND * (np.abs(_HEIGHTS - centre[:, None]) < width[:, None])
        ).sum(axis=1)
        error = np.hypot(np.sqrt(np.maximum(variance, 0.0)), _SHAPE_ERROR * below / amount * width)
    inside = (centre > _HEIGHTS[0]) & (centre < _HEIGHTS[-1]) & (width < _WIDEST) & (variance > 0.0)
    good = found & inside & (error < _LARGEST_ERROR)
    return np.where(good, centre, np.nan), np.where(good, error, np.nan)


def _likelihood(counts: Floats, model: Floats) -> Floats:
    found: Floats = (counts * np.log(np.maximum(model, 1e-9)) - model).sum(axis=-1)
    return found


def _amounts(counts: Floats, shapes: Floats, steps: int) -> tuple[Floats, Floats]:
    """Return the amounts of some shapes that make histograms most likely, none negative (Richardson
    and Lucy), and their sum.

    Parameters
    ----------
    counts
        Shape (n, 1, bins).
    shapes
        Normalised, shape (m, shapes, bins).
    steps
        Iterations.
    """
    amounts = np.broadcast_to(
        counts.sum(axis=2)[..., None] / shapes.shape[1],
        (len(counts), shapes.shape[0], shapes.shape[1]),
    ).copy()
    for _ in range(steps):
        model = np.einsum("nmk,mkb->nmb", amounts, shapes)
        amounts *= np.einsum("nmb,mkb->nmk", counts / np.maximum(model, 1e-9), shapes)
    return amounts, np.einsum("nmk,mkb->nmb", amounts, shapes)


def _best_background(counts: Floats) -> Floats:
    _, model = _amounts(counts[:, None, :], _BACKGROUND[None], 8 * _SCANS)
    return model[:, 0]


def _scan(counts: Floats) -> Floats:
    """Find the most likely of some centres and widths, with the amounts.

    The start of the fit, shape (n, 6).
    """
    grid = np.array([(centre, width) for width in _WIDTHS for centre in _CENTRES])
    peaks = _peak(grid[:, :1], grid[:, 1:])
    background = np.broadcast_to(_BACKGROUND, (len(grid), *_BACKGROUND.shape))
    shapes = np.concatenate([peaks[:, None, :], background], axis=1)
    amounts, model = _amounts(counts[:, None, :], shapes, _SCANS)
    best = _likelihood(counts[:, None, :], model).argmax(axis=1)
    rows = np.arange(len(counts))
    return np.concatenate([amounts[rows, best, :1], grid[best], amounts[rows, best, 1:]], axis=1)


def _peak(centre: Floats, width: Floats) -> Floats:
    """Return the events of a bin of a normal distribution of one event.

    Its part beyond the bins is not counted.
    """
    found: Floats = np.exp(-0.5 * ((_HEIGHTS - centre) / width) ** 2) / (
        width * np.sqrt(2.0 * np.pi)
    )
    return found


def _refine(counts: Floats, start: Floats) -> tuple[Floats, Floats, Floats]:
    """Improve a start by scoring.

    Values (amount, centre, width, amounts of the background), model, information.
    """
    values = start.copy()
    for _ in range(_STEPS):
        model, gradient = _model(values)
        information = np.einsum("npb,nb,nqb->npq", gradient, 1.0 / model, gradient)
        score = np.einsum("npb,nb->np", gradient, counts / model - 1.0)
        ridge = (
            1e-9 * np.trace(information, axis1=1, axis2=2)[:, None, None] * np.eye(values.shape[1])
        )
        step = np.linalg.solve(information + ridge, score[..., None])[..., 0]
        step[:, 1:3] = np.clip(step[:, 1:3], -0.5, 0.5)
        values += step
        values[:, [0, 3, 4, 5]] = np.maximum(values[:, [0, 3, 4, 5]], 1e-3)
        values[:, 2] = np.clip(values[:, 2], _NARROWEST, _WIDEST)
    model, gradient = _model(values)
    return values, model, np.einsum("npb,nb,nqb->npq", gradient, 1.0 / model, gradient)


def _model(values: Floats) -> tuple[Floats, Floats]:
    """Compute expected counts, shape (n, bins), and their gradient, shape (n, 6, bins)."""
    amount, centre, width = (values[:, column, None] for column in range(3))
    peak = _peak(centre, width)
    away = (_HEIGHTS - centre) / width
    model = np.maximum(amount * peak + values[:, 3:] @ _BACKGROUND, 1e-6)
    background = np.broadcast_to(_BACKGROUND, (len(values), *_BACKGROUND.shape))
    parts = [peak, amount * peak * away / width, amount * peak * (away**2 - 1.0) / width]
    return model, np.concatenate([np.stack(parts, axis=1), background], axis=1)
