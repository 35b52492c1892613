"""Decay of drifts after a move: medians by time since it, and a fit of A exp(-t / tau)."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Decay", "binned_medians", "fit_decay"]

_BINS_PER_DECADE = 4
_LEAST_IN_BIN = 3
_LEAST = 20
"""Flashes without which nothing is fitted."""

_TAUS = np.geomspace(100.0, 1e6, 241)
"""Decay times that are tried, s: from shorter than any exposure to longer than any mechanism stays.
"""
_REFINED = 41
"""Times that are tried between the neighbours of the best one."""


@dataclass(frozen=True)
class Decay:
    """Best fit of a drift that decays, A exp(-t / tau).

    Attributes
    ----------
    rate, rate_error
        A, pix/s: drift just after the move, and its one-sigma error.
    tau, tau_error
        Decay time, s, and its one-sigma error.
    flashes
        How many were fitted.
    """

    rate: float
    rate_error: float
    tau: float
    tau_error: float
    flashes: int


def binned_medians(since: np.ndarray, drift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the middles of bins of log10 of time since a move, and the median drift in each.

    Parameters
    ----------
    since
        Times, s, shape (n,).
    drift
        Drifts, pix/s, shape (n,).
    """
    known = np.isfinite(drift) & (since > 0)
    place = np.floor(np.log10(since[known]) * _BINS_PER_DECADE).astype(int)
    bins = [one for one in np.unique(place) if np.count_nonzero(place == one) >= _LEAST_IN_BIN]
    medians = [float(np.median(drift[known][place == one])) for one in bins]
    return (np.array(bins, dtype=float) + 0.5) / _BINS_PER_DECADE, np.array(medians)


def fit_decay(
    since: np.ndarray, seconds: np.ndarray, drift: np.ndarray, error: np.ndarray
) -> Decay | None:
    """Fit A exp(-t / tau) to drifts that were measured between two flashes.

    A drift is the mean over the time between the flashes, and so is what it is compared with: A tau
    (exp(-t1 / tau) - exp(-t2 / tau)) / (t2 - t1). For each tau the best A follows by weighted least
    squares; errors come from the curvature of chi square at its minimum, times the reduced chi
    square where this is above 1, since moves differ in how far they creep.

    Parameters
    ----------
    since
        Times of the second flash since the move, s, shape (n,).
    seconds
        Times between the flashes, s.
    drift, error
        Drifts and their one-sigma errors, pix/s.

    Returns
    -------
    Decay or None
        None where there are fewer than 20 flashes, or chi square has no minimum between the times
        that are tried.
    """
    known = np.isfinite(since) & np.isfinite(drift) & (error > 0) & (seconds > 0)
    if np.count_nonzero(known) < _LEAST:
        return None
    data = since[known], seconds[known], drift[known], error[known]
    _, tried = _best(_TAUS, *data)
    place = int(np.argmin(tried))
    if place in (0, len(_TAUS) - 1):
        return None
    taus = np.geomspace(_TAUS[place - 1], _TAUS[place + 1], _REFINED)
    rates, chi = _best(taus, *data)
    best = int(np.argmin(chi))
    tau, rate = float(taus[best]), float(rates[best])
    covariance = _covariance(tau, rate, data[0], data[1], data[3])
    if covariance is None:
        return None
    scale = max(1.0, float(chi[best]) / (len(data[0]) - 2))
    rate_error, tau_error = np.sqrt(np.diag(covariance) * scale)
    return Decay(rate, float(rate_error), tau, float(tau_error), len(data[0]))


def _shape(tau: np.ndarray, since: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return the mean of exp(-t / tau) between the flashes; shape (taus, n)."""
    tau = np.atleast_1d(tau)[:, None]
    first = np.exp((seconds - since) / tau)
    found: np.ndarray = -first * np.expm1(-seconds / tau) * tau / seconds
    return found


def _best(
    taus: np.ndarray,
    since: np.ndarray,
    seconds: np.ndarray,
    drift: np.ndarray,
    error: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best A of each tau, and chi square."""
    weight = 1.0 / error**2
    rates, chi = np.zeros(len(taus)), np.zeros(len(taus))
    for number, tau in enumerate(taus):
        shape = _shape(tau, since, seconds)[0]
        norm = float(np.sum(weight * shape**2))
        rates[number] = np.sum(weight * shape * drift) / norm if norm else 0.0
        chi[number] = np.sum(weight * (drift - rates[number] * shape) ** 2)
    return rates, chi


def _covariance(
    tau: float,
    rate: float,
    since: np.ndarray,
    seconds: np.ndarray,
    error: np.ndarray,
) -> np.ndarray | None:
    """Return the covariance of A and tau by the derivatives of the model; None if there is none."""
    step = 1e-3 * tau
    near = _shape(np.array([tau - step, tau, tau + step]), since, seconds)
    slopes = np.stack([near[1], rate * (near[2] - near[0]) / (2.0 * step)]) / error
    try:
        found: np.ndarray = np.linalg.inv(slopes @ slopes.T)
    except np.linalg.LinAlgError:
        return None
    return found if (np.diag(found) > 0).all() else None
