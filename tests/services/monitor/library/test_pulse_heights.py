"""Shapes of histograms, among them histograms that no detector makes."""

import numpy as np
import pytest

from services.monitor.library.pulse_heights import shape_of

_HEIGHTS = np.arange(32.0)


def _histogram() -> np.ndarray:
    peak = 4000.0 * np.exp(-0.5 * ((_HEIGHTS - 11.0) / 2.0) ** 2)
    return np.rint(peak + 20.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300, 1e15, -1.0, -1e300])
def test_impossible_counts_have_no_shape(number: float) -> None:
    odd = _histogram()
    odd[7] = number
    shape = shape_of(np.stack([_histogram(), odd, np.zeros(32), np.full(32, number)]))
    assert shape.peak[0] == pytest.approx(11.0, abs=0.1)
    for measure in (shape.peak, shape.mean, shape.width, shape.low, shape.high, shape.ends):
        assert np.isfinite(measure).tolist() == [True, False, False, False]
