"""Normalisation of a lamp spectrum to its template is the original's for every trial shift."""

from typing import Any

import numpy as np
import pytest

from services.calibrator.acceleration.lamp_shift import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "computeNormalization")


class _Shift:
    """Attributes that the method sets."""


def _normalised(function: Any, spectrum: Any, template: Any, shift: Any) -> dict[str, str]:
    holder = _Shift()
    function(holder, spectrum, template, shift)
    return {name: repr(value) for name, value in vars(holder).items()}


@pytest.mark.parametrize("precision", ["<f4", "<f8", ">f4"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_spectra(random: np.random.Generator, precision: str) -> None:
    spectrum = random.poisson(0.4, 200).astype(precision)
    template = random.poisson(0.4, 200).astype(precision)
    spectrum[: random.integers(0, 50)] = 0
    template[150:] = 0
    spectrum[77] = random.choice([1.0, np.nan])
    for shift in (*range(-120, 121, 7), None, 2.5, 198, -198):
        assert _normalised(STAND_IN, spectrum, template, shift) == _normalised(
            ORIGINAL, spectrum, template, shift
        )


@pytest.mark.parametrize(("one", "other"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_constant_spectra(one: int, other: int) -> None:
    spectrum, template = np.full(50, one, dtype=np.float64), np.full(50, other, dtype=np.float64)
    for shift in (-49, -48, -3, 0, 3, 48, 49):
        assert _normalised(STAND_IN, spectrum, template, shift) == _normalised(
            ORIGINAL, spectrum, template, shift
        )


@pytest.mark.parametrize("place", [0, 1, 24, 48, 49])
def test_a_single_line(place: int) -> None:
    spectrum, template = np.zeros(50), np.ones(50)
    spectrum[place] = 5.0
    for shift in (-30, -1, 0, 1, 30):
        assert _normalised(STAND_IN, spectrum, template, shift) == _normalised(
            ORIGINAL, spectrum, template, shift
        )


def test_a_shift_beyond_the_spectrum_is_an_error_as_before() -> None:
    for function in (ORIGINAL, STAND_IN):
        with pytest.raises(IndexError):
            function(_Shift(), np.ones(50), np.ones(50), 50)
