"""The errors of counts are the original's, bit for bit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.calibrator.acceleration.poisson_errors import REPLACEMENT

from .conftest import pair, same_bits

ORIGINAL, STAND_IN = pair(REPLACEMENT, "errFrequentist")


def _awkward(dtype: str) -> NDArray[np.floating]:
    return np.array(
        [0.0, -0.0, 1.0, np.nan, -np.nan, np.inf, 1e-30, 0.1, 2.5e7, -1.0, 3.0, 3.0], dtype=dtype
    )


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_and_awkward_values(random: np.random.Generator, dtype: str) -> None:
    image = random.poisson(random.choice([0.01, 1.0, 300.0]), (37, 53)).astype(dtype)
    image[random.random(image.shape) < 0.05] *= 0.37
    image.flat[:12] = _awkward(dtype)
    assert same_bits(STAND_IN(image), ORIGINAL(image))


@pytest.mark.parametrize("shape", [(0,), (1,), (4, 0), (1, 1), (3, 5, 2)])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_odd_shapes(shape: tuple[int, ...], value: float) -> None:
    counts = np.full(shape, value, dtype=np.float32)
    assert same_bits(STAND_IN(counts), ORIGINAL(counts))


def test_views_that_are_not_contiguous() -> None:
    counts = np.arange(60, dtype=np.float64).reshape(6, 10)[::2, ::-3]
    assert same_bits(STAND_IN(counts), ORIGINAL(counts))


def test_whole_numbers_are_the_originals() -> None:
    counts = np.arange(5)
    assert same_bits(STAND_IN(counts), ORIGINAL(counts))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_masked_images_are_the_originals() -> None:
    counts = np.ma.array([0.0, 2.0, 5.0], mask=[False, True, False], dtype=np.float32)
    for found, expected in zip(STAND_IN(counts), ORIGINAL(counts), strict=True):
        assert type(found) is type(expected)
        assert repr(found) == repr(expected)
