"""Statistics of monitors against the same in plain steps."""

import numpy as np
import pytest

from services.monitor.framework import statistics
from services.monitor.framework.statistics import describe, robust_sigma, trailing_outliers


def _plainly(
    mjd: np.ndarray, values: np.ndarray, errors: np.ndarray, sigmas: float, days: float
) -> list[bool]:
    found = []
    for place, time in enumerate(mjd):
        window = values[: place + 1][mjd[: place + 1] >= time - days]
        if len(window) < 25:
            window = values[max(place - 24, 0) : place + 1]
        scatter = np.fmax(robust_sigma(window), errors[place])
        found.append(
            len(window) >= 10 and bool(abs(values[place] - np.median(window)) > sigmas * scatter)
        )
    return found


@pytest.mark.parametrize("cells", [1, 5000, 1 << 20], ids=["row by row", "in parts", "at once"])
def test_outliers_are_those_off_the_trailing_median(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_MOST_CELLS", cells)
    generator = np.random.default_rng(8)
    mjd = np.sort(np.concatenate([generator.uniform(55000.0, 57000.0, 300), np.full(40, 55500.0)]))
    values = generator.standard_t(2, len(mjd)) + 10.0
    errors = np.where(
        generator.random(len(mjd)) < 0.5, np.nan, generator.uniform(0.1, 2.0, len(mjd))
    )
    found = trailing_outliers(mjd, values, errors, sigmas=3.0, days=180.0)
    assert found.tolist() == _plainly(mjd, values, errors, 3.0, 180.0)
    assert 5 < found.sum() < 60
    assert not trailing_outliers(mjd[:0], values[:0], errors[:0], sigmas=3.0, days=180.0).size


def test_one_value_has_no_scatter() -> None:
    one = describe(np.array([5.0, np.nan]))
    assert (one["n"], one["mean"], one["median"]) == (1, 5.0, 5.0)
    assert one["sigma"] is None
    assert one["std"] is None
    two = describe(np.array([5.0, 7.0]))
    assert two["std"] == pytest.approx(2**0.5)
    assert two["sigma"] == pytest.approx(1.4826)
