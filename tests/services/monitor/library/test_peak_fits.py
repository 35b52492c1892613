"""Peaks of pulse heights above real backgrounds.

Right within their errors, and none where there are no photons.
"""

import numpy as np
import pytest
from scipy.stats import norm

from services.monitor.library.peak_fits import fit_peaks

_EDGES = np.arange(33) - 0.5
_BACKGROUNDS = {
    "G130M beside GJ 436": [
        852,
        843,
        785,
        876,
        600,
        560,
        540,
        520,
        500,
        493,
        448,
        478,
        485,
        465,
        495,
        516,
        476,
        467,
        455,
        454,
        418,
        426,
        377,
        370,
        351,
        338,
        320,
        275,
        275,
        263,
        245,
        849,
    ],
    "G140L of ldfd01vnq": [
        530,
        422,
        372,
        338,
        310,
        300,
        290,
        285,
        285,
        285,
        290,
        300,
        310,
        310,
        320,
        330,
        320,
        315,
        286,
        303,
        321,
        300,
        323,
        282,
        292,
        272,
        273,
        273,
        228,
        211,
        225,
        720,
    ],
}
"""Counts by pulse height of events beside two real spectra, without the scattered light about their
gain.
"""


def _drawn(
    background: str, events: int, photons: float, width: float, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth of the centres, and histograms of shape (n, 32)."""
    generator = np.random.default_rng(7)
    dark = np.array(_BACKGROUNDS[background], dtype=float)
    truth = generator.uniform(6.0, 14.0, count)
    light = np.diff(norm.cdf(_EDGES, truth[:, None], width), axis=1)
    expected = events * (photons * light + (1.0 - photons) * dark / dark.sum())
    return truth, generator.poisson(expected).astype(float)


@pytest.mark.parametrize("background", _BACKGROUNDS)
@pytest.mark.parametrize("events", [600, 4000, 20_000])
@pytest.mark.parametrize("photons", [1.0, 0.5, 0.2, 0.1, 0.05])
def test_a_peak_is_right_within_its_error_or_not_stated(
    background: str, events: int, photons: float
) -> None:
    truth, drawn = _drawn(background, events, photons, 2.0, 150)
    centre, error = fit_peaks(drawn)
    found = np.isfinite(centre)
    pulls = (centre - truth)[found] / error[found]
    if found.mean() > 0.5:  # of a few, those are found that chance raised
        assert np.mean(np.abs(pulls) < 1.0) > 0.6
    assert np.sum(np.abs(pulls) > 3.0) <= max(2, 0.02 * found.sum())
    assert (error[found] < 1.0).all()
    assert (centre[found] > 5.0).all(), "no peak is said to be below 5 that is not"
    if photons >= 0.5:
        assert found.all()
        assert np.median(error) < (0.2 if photons == 1.0 else 0.4)


@pytest.mark.parametrize("background", _BACKGROUNDS)
@pytest.mark.parametrize("events", [600, 4000, 20_000])
def test_background_alone_has_no_peak(background: str, events: int) -> None:
    _, drawn = _drawn(background, events, 0.0, 2.0, 300)
    assert np.isfinite(fit_peaks(drawn)[0]).sum() <= 3


def test_errors_of_bright_exposures_are_those_of_the_scatter() -> None:
    truth, drawn = _drawn("G140L of ldfd01vnq", 20_000, 1.0, 2.0, 400)
    centre, error = fit_peaks(drawn)
    assert np.std((centre - truth) / error) == pytest.approx(1.0, abs=0.12)
