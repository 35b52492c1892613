"""Statistics of monitors against the same in plain steps."""

import numpy as np
import pytest

from services.monitor.monitors.framework import statistics
from services.monitor.monitors.framework.statistics import outliers_of_group, robust_sigma


def _plainly(mjd: np.ndarray, values: np.ndarray, errors: np.ndarray, sigmas: float, days: float) -> list[bool]:
    found = []
    for place, time in enumerate(mjd):
        window = values[: place + 1][mjd[: place + 1] >= time - days]
        if len(window) < 25:
            window = values[max(place - 24, 0) : place + 1]
        scatter = np.fmax(robust_sigma(window), errors[place])
        found.append(len(window) >= 10 and bool(values[place] > np.median(window) + sigmas * scatter))
    return found


@pytest.mark.parametrize("cells", [1, 1 << 20], ids=["row by row", "at once"])
def test_outliers_are_those_above_the_trailing_median(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_MOST_CELLS", cells)
    generator = np.random.default_rng(8)
    mjd = np.sort(np.concatenate([generator.uniform(55000.0, 57000.0, 300), np.full(40, 55500.0)]))
    values = generator.standard_t(2, len(mjd)) + 10.0
    errors = np.where(generator.random(len(mjd)) < 0.5, np.nan, generator.uniform(0.1, 2.0, len(mjd)))
    found = outliers_of_group(mjd, values, errors, sigmas=3.0, days=180.0)
    assert found.tolist() == _plainly(mjd, values, errors, 3.0, 180.0)
    assert 5 < found.sum() < 60
    assert not outliers_of_group(mjd[:0], values[:0], errors[:0], sigmas=3.0, days=180.0).size
