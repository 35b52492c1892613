"""Straight lines through gains: of many superpixels at once, and of one region.

And when they lead to sagging.
"""

from dataclasses import dataclass

import numpy as np

from services.monitor.framework.statistics import MAD_TO_SIGMA
from services.monitor.monitors.gain.pixels import (
    BINS_PER_LEVEL,
    REFERENCE_LEVEL,
    PixelHistory,
    ranked_within,
)
from services.monitor.monitors.gain.rules import SAGGED
from shared.cos.gain import GAIN_WIDTH
from shared.cos.instrument_history import LIFETIME_POSITIONS

__all__ = [
    "LEAST_DAYS",
    "LEAST_GAINS",
    "REPEATS",
    "TREND_DAYS",
    "PixelTrends",
    "Trend",
    "date_error",
    "fit_trend",
    "trend_start",
    "trends_of",
]

TREND_DAYS = 730.0
"""Trends are fitted to the newest days, since the gain falls only while light falls on it, and to
none before the last move of spectra to another lifetime position, which changes where it falls."""

LEAST_GAINS, LEAST_DAYS = 6, 30.0
"""Trends are fitted to no fewer gains, and no shorter spans (the legacy monitor asks for more than
5 gains).
"""

_LEAST_KEPT = 4
"""Gains that must be left near the first fit (legacy gain monitor)."""

_LEAST_FITTED = SAGGED.now + 1.0
"""Lower gains are left out of the lines of superpixels: much of their peak lies below a pulse
height of 2, and what is measured no longer falls with the gain (a simulated decline at 8 bins a
year is measured 3 of its errors too flat)."""

_CLIP = 3.0
"""Gains that lie off the first fit by more robust sigma are left out of the next."""

_FALLING = 4.0
"""The gain surely falls if its slope is below zero by so many of its errors: of the ten thousands
of superpixels of a segment, chance lets fewer than one fall that does not."""

_REACH = 2.0
"""Errors of dates are taken from so many sigma. Those that one sigma gives are too small for 1.3 %
of the dates from slopes that are known to a quarter: it is the steepest by chance that pass (tests
of this module)."""

REPEATS = 0.005
"""Fraction of its gain that a region is measured to, however many counts and exposures there are:
where within its superpixels light falls drifts, and with it the gain by this much (a simulated
mission of ten years)."""

_MOVES = np.array([-np.inf, *sorted(position.start for position in LIFETIME_POSITIONS)])


def trend_start(newest: np.ndarray) -> np.ndarray:
    """Return first time, MJD, that a trend up to a newest gain is fitted to; shape (n,) both."""
    moved = _MOVES[np.searchsorted(_MOVES, newest, side="right") - 1]
    start: np.ndarray = np.maximum(moved, newest - TREND_DAYS)
    return start


@dataclass(frozen=True)
class PixelTrends:
    """Straight lines through the gains of superpixels, each at its own voltage.

    Arrays of shape (k,).

    Attributes
    ----------
    pixel
        Superpixel at its voltage.
    slope, slope_error
        Bins per day.
    intercept
        Gain at MJD 0, bins.
    sag, sag_error
        When the line reaches a gain of 3 (MJD) and by how much later that may be (d, see
        `date_error`); NaN where the gain does not surely fall.
    used
        Gains that were fitted.
    """

    pixel: np.ndarray
    slope: np.ndarray
    slope_error: np.ndarray
    intercept: np.ndarray
    sag: np.ndarray
    sag_error: np.ndarray
    used: np.ndarray


def trends_of(history: PixelHistory) -> PixelTrends:
    """Fit a line to the newest gains of each superpixel, weighted by counts, and again without
    those far from it.

    The legacy monitor rejected by the standard deviation of the line instead of that of the
    residuals, by which a superpixel of constant gain lost all of them.

    Parameters
    ----------
    history
        Gains of a segment.
    """
    recent = history.mjd >= trend_start(history.mjd[history.last])[history.group]
    followed = recent & (history.gain > _LEAST_FITTED)
    rich = np.bincount(history.group[followed], minlength=len(history.starts)) >= LEAST_GAINS
    count = int(np.count_nonzero(rich))
    chosen = np.flatnonzero(recent & rich[history.group])
    group = (np.cumsum(rich) - 1)[history.group[chosen]]
    first = _Lines(history, chosen, group, count, followed[chosen])
    # To choose by the line, not by the gains themselves, keeps chance from choosing the high ones.
    above = first.line > _LEAST_FITTED
    chosen, group = chosen[above], group[above]
    # The error of a peak's centre goes with the root of its counts.
    away = np.abs(history.gain[chosen] - first.line[above]) * np.sqrt(history.counts[chosen])
    # Those of a few gains cannot say that they are better than those of all others at the voltage.
    usual = max(_usual_scatter(group, away, count), GAIN_WIDTH)
    near = away <= _CLIP * np.maximum(_scatter(group, away, count), usual)[group]
    lines = _Lines(history, chosen[near], group[near], count)
    good = (lines.number >= _LEAST_KEPT) & (lines.span >= LEAST_DAYS)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(lines.squares / (lines.number - 2), usual**2)
        slope_error = np.sqrt(variance / lines.spread)
        days = np.where(
            lines.slope < -_FALLING * slope_error, (SAGGED.now - lines.gain) / lines.slope, np.nan
        )
        sag_error = date_error(days, lines.slope, np.sqrt(variance / lines.weight), slope_error)
    intercept = lines.gain - lines.slope * lines.mjd
    columns = (lines.slope, slope_error, intercept, lines.mjd + days, sag_error, lines.number)
    return PixelTrends(history.pixels[rich][good], *(column[good] for column in columns))


def _scatter(group: np.ndarray, away: np.ndarray, groups: int) -> np.ndarray:
    """Return the robust standard deviation of the distances of each group from its line."""
    number = np.bincount(group, minlength=groups)
    middle = np.minimum(np.cumsum(number) - number + number // 2, len(away) - 1)
    freedom = np.maximum(number - 2, 1)
    scatter: np.ndarray = (
        MAD_TO_SIGMA * ranked_within(group, away)[middle] * np.sqrt(number / freedom)
    )
    return scatter


def _usual_scatter(group: np.ndarray, away: np.ndarray, groups: int) -> float:
    """Return the robust standard deviation of the distances of all groups from their lines."""
    if not len(away):
        return 0.0
    number = np.bincount(group, minlength=groups)[group]
    return float(np.median(away * np.sqrt(number / np.maximum(number - 2, 1)))) * MAD_TO_SIGMA


def date_error(
    days: np.ndarray | float,
    slope: np.ndarray | float,
    gain_error: np.ndarray | float,
    slope_error: np.ndarray | float,
) -> np.ndarray:
    """Return by how much later a line may reach a gain, in d.

    Half of the way to where that gain is two sigma off the line.

    It is the larger side of Fieller's interval: the smaller slope errs by more days than the larger
    one.

    Parameters
    ----------
    days
        From the centre of the line's times to when it reaches the gain, d.
    slope, slope_error
        Bins per day.
    gain_error
        Of the line at its centre, bins.
    """
    unsure = (_REACH * slope_error / np.asarray(slope)) ** 2
    reach = np.sqrt(
        days**2 * unsure + (1.0 - unsure) * (_REACH * gain_error / np.asarray(slope)) ** 2
    )
    error: np.ndarray = (np.abs(days) * unsure + reach) / (1.0 - unsure) / _REACH
    return error


class _Lines:
    """Least-squares lines of many groups at once, weighted by counts.

    Attributes
    ----------
    number, weight, span
        Of each group: gains, sum of the weights, days from the first to the last.
    mjd, gain, slope, spread
        Of each group: weighted mean time, gain there, bins per day, weighted sum of squared days
        off the mean time.
    line
        At each gain.
    squares
        Of each group: weighted sum of squared residuals.
    """

    def __init__(
        self,
        history: PixelHistory,
        chosen: np.ndarray,
        group: np.ndarray,
        groups: int,
        fitted: np.ndarray | None = None,
    ) -> None:
        mjd, gain, weight = history.mjd[chosen], history.gain[chosen], history.counts[chosen]
        if fitted is not None:
            weight = weight * fitted

        def total(weights: np.ndarray | None = None) -> np.ndarray:
            return np.bincount(group, weights, minlength=groups).astype(np.float64)

        self.number, self.weight = total(), total(weight)
        latest, earliest = np.full(groups, -np.inf), np.full(groups, np.inf)
        np.maximum.at(latest, group, mjd)
        np.minimum.at(earliest, group, mjd)
        self.span = latest - earliest
        with np.errstate(divide="ignore", invalid="ignore"):
            self.mjd, self.gain = (
                total(weight * mjd) / self.weight,
                total(weight * gain) / self.weight,
            )
            time = mjd - self.mjd[group]
            self.spread = total(weight * time**2)
            slope = total(weight * time * (gain - self.gain[group])) / self.spread
        self.slope = np.where(self.spread > 0, slope, 0.0)
        self.line = self.gain[group] + self.slope[group] * time
        self.squares = total(weight * (gain - self.line) ** 2)


@dataclass(frozen=True)
class Trend:
    """Straight line through gains at the reference level, fitted at the centre of their times.

    Attributes
    ----------
    start, mjd
        First time that it is fitted to and the centre of the times, MJD.
    gain, gain_error
        Gain at the centre, in bins.
    slope, slope_error
        Bins per day.
    """

    start: float
    mjd: float
    gain: float
    gain_error: float
    slope: float
    slope_error: float

    @property
    def falls(self) -> bool:
        """Whether the gain surely falls."""
        return self.slope < -_FALLING * self.slope_error

    def at(self, mjd: np.ndarray) -> np.ndarray:
        """Return the gain of the line at times, shape (n,)."""
        line: np.ndarray = self.gain + self.slope * (mjd - self.mjd)
        return line

    def sag_date(self, level: float) -> tuple[float, float]:
        """Return when the gain at a level reaches `SAGGED`, MJD, and its error in d.

        NaN where it does not surely fall.

        Parameters
        ----------
        level
            Commanded level from now on.
        """
        if not self.falls:
            return np.nan, np.nan
        threshold = SAGGED.now + BINS_PER_LEVEL * (REFERENCE_LEVEL - level)
        days = (threshold - self.gain) / self.slope
        return self.mjd + days, float(
            date_error(days, self.slope, self.gain_error, self.slope_error)
        )


def fit_trend(mjd: np.ndarray, gain: np.ndarray) -> Trend | None:
    """Return the line through the newest gains of a region; None where they are too few.

    What lies off the line is not left out: gratings that light other superpixels may. Their
    distance adds to its error, and so does what no number of exposures averages out: `REPEATS`,
    once over the span of the line.

    Parameters
    ----------
    mjd, gain
        Times in ascending order and gains at the reference level, without outliers, shape (n,).
    """
    recent = mjd >= trend_start(mjd[-1:]) if len(mjd) else np.zeros(0, dtype=bool)
    mjd, gain = mjd[recent], gain[recent]
    if len(mjd) < LEAST_GAINS or mjd[-1] - mjd[0] < LEAST_DAYS:
        return None
    centre = float(mjd.mean())
    (slope, constant), covariance = np.polyfit(mjd - centre, gain, 1, cov=True)
    lasting = REPEATS * constant
    slope_error, gain_error = np.hypot(
        np.sqrt(np.diag(covariance)), [lasting / (mjd[-1] - mjd[0]), lasting]
    )
    return Trend(
        float(mjd[0]), centre, float(constant), float(gain_error), float(slope), float(slope_error)
    )
