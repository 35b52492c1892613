"""Lines through few gains: their errors are those that the truth shows, of slopes and of dates."""

import numpy as np
import pytest

from services.monitor.monitors.gain.pixels import PixelHistory
from services.monitor.monitors.gain.rules import SAGGED
from services.monitor.monitors.gain.trends import date_error, trends_of

_PIXELS = 20_000
_SCATTER = 5.5
"""Error of the centre of a peak of 2.3 bins over the inverse root of its counts, as the fit of
width 1.05 has it.
"""


def _history(number: int, gain: np.ndarray, slope: np.ndarray, counts: np.ndarray) -> PixelHistory:
    """Return the superpixels with so many gains each, within 600 d.

    Gain at their middle, bins per day, counts of each.
    """
    chance = np.random.default_rng(number)
    mjd = np.tile(58500.0 + np.linspace(0.0, 600.0, number), _PIXELS)
    pixel = np.repeat((163 * 512 + 200) * 2048 + np.arange(_PIXELS), number)
    true = np.repeat(gain, number) + np.repeat(slope, number) * (mjd - 58800.0)
    every = np.repeat(counts, number)
    measured = true + _SCATTER / np.sqrt(every) * chance.normal(size=len(mjd))
    starts = np.arange(_PIXELS) * number
    file, charge = np.zeros(len(mjd), int), 1e-12 * every
    return PixelHistory(
        {}, pixel, file, mjd, measured, every, charge, starts, np.full(_PIXELS, number)
    )


@pytest.mark.parametrize("number", [6, 8, 60])
def test_errors_are_those_of_the_truth(number: int) -> None:
    chance = np.random.default_rng(5)
    gain, counts = (
        chance.uniform(6.0, 12.0, _PIXELS),
        np.exp(chance.uniform(np.log(30.0), np.log(3000.0), _PIXELS)),
    )
    slope = -chance.uniform(0.0, 2.0, _PIXELS) / 365.25
    trends = trends_of(_history(number, gain, slope, counts))
    place = trends.pixel - (163 * 512 + 200) * 2048
    pull = (trends.slope - slope[place]) / trends.slope_error
    assert len(pull) > 0.95 * _PIXELS
    assert abs(np.median(pull)) < 0.05
    assert 0.8 < np.percentile(np.abs(pull), 68.3) < 1.05
    assert np.mean(np.abs(pull) > 3.0) < 0.005
    date = 58800.0 + (SAGGED.now - gain[place]) / slope[place]
    late = (trends.sag - date) / trends.sag_error
    late = late[np.isfinite(late)]
    assert len(late) > 0.1 * _PIXELS
    assert 0.65 < np.percentile(np.abs(late), 68.3) < 1.1
    assert np.mean(np.abs(late) > 3.0) < 0.01


def test_an_error_of_a_date_reaches_half_way_to_where_the_line_is_two_sigma_off() -> None:
    gain, slope, gain_error, slope_error = 5.0, -0.002, 0.1, 0.0004
    days = (SAGGED.now - gain) / slope
    later = days + 2.0 * float(date_error(days, slope, gain_error, slope_error))
    assert gain + slope * later - SAGGED.now == pytest.approx(
        -2.0 * np.hypot(gain_error, later * slope_error)
    )
    # A slope that is well known errs to both sides alike.
    assert float(date_error(days, slope, gain_error, 1e-9)) == pytest.approx(gain_error / -slope)
