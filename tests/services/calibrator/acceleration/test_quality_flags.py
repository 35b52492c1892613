"""Quality flags are shifted and combined as the original does."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.calibrator.acceleration.quality_flags import REPLACEMENT

from .conftest import pair, same_bits

SHIFT, FAST_SHIFT = pair(REPLACEMENT, "traceShiftDQ")
BLUR, FAST_BLUR = pair(REPLACEMENT, "blurDQ")


def _flags(random: np.random.Generator, order: str = "<") -> NDArray[Any]:
    flags = random.choice([0, 0, 0, 2, 8, 128, 8192], (120, 300))
    return flags.astype(f"{order}i2")


def _aperture(center: float, slope: float, height: int, precision: type = np.float64) -> Any:
    return np.array(
        [(center, slope, height)],
        dtype=[("B_SPEC", precision), ("SLOPE", precision), ("HEIGHT", np.int32)],
    )


@pytest.mark.parametrize("precision", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_trace_shift(random: np.random.Generator, precision: type, order: str) -> None:
    flags = _flags(random, order)
    profile = (random.normal(0, 3, 300).cumsum() * 0.3).astype(np.float32)
    profile[random.integers(0, 300, 9)] = [0.5, 1.5, -0.5, -1.5, 2.5, 20.0, -20.0, 0.0, -0.0]
    aperture = _aperture(70.5, random.uniform(-0.05, 0.05), 21, precision)
    assert same_bits(FAST_SHIFT(flags, profile, aperture), SHIFT(flags, profile, aperture))


@pytest.mark.parametrize("value", [0.0, 4.0, -4.0])
@pytest.mark.parametrize("center", [60.0, 119.0])
def test_trace_shift_by_one_value(value: float, center: float) -> None:
    flags = _flags(np.random.default_rng(7))
    profile = np.full(300, value, dtype=np.float32)
    aperture = _aperture(center, 0.0, 11)
    assert same_bits(FAST_SHIFT(flags, profile, aperture), SHIFT(flags, profile, aperture))


def test_what_the_original_refuses_is_refused() -> None:
    flags = _flags(np.random.default_rng(8))
    profile = np.full(300, np.nan, dtype=np.float32)
    for function in (SHIFT, FAST_SHIFT):
        with pytest.raises(ValueError, match="NaN"):
            function(flags, profile, _aperture(60.0, 0.0, 11))


@pytest.mark.parametrize("boundary", [55, 55.7, -10])
@pytest.mark.parametrize("doppler", [(0.0, 0.0), (-2.6, 3.1)])
def test_blur(
    random: np.random.Generator,
    boundary: float,
    doppler: tuple[float, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = _flags(random, str(random.choice(["<", ">"])))
    low1, low2 = random.uniform(-40, 40), random.uniform(-4, 4)
    shifts = {(0, 120): [low1, low1 + random.uniform(0, 3), low2, low2 + random.uniform(0, 2)]}
    expected = BLUR(flags, shifts, doppler, boundary, 0.25)
    said = capsys.readouterr().out
    assert same_bits(FAST_BLUR(flags, shifts, doppler, boundary, 0.25), expected)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    "slope", [np.int16(0), np.uint8(1), np.float64(np.inf), np.float64(1e300), np.float32(2.5)]
)
@pytest.mark.parametrize("flags", ["<i2", "<i4", "<u2"])
def test_slopes_and_flags_of_other_types(slope: Any, flags: str) -> None:
    dq, profile = _flags(np.random.default_rng(9)).astype(flags), np.full(300, 1.3)
    found = []
    for function in (SHIFT, FAST_SHIFT):
        try:
            found.append(
                function(
                    dq, profile, {"B_SPEC": [60.0], "SLOPE": [slope], "HEIGHT": [np.uint16(11)]}
                )
            )
        except (OverflowError, ValueError) as error:
            found.append(repr(error))
    assert same_bits(*found) if isinstance(found[0], np.ndarray) else found[0] == found[1]


@pytest.mark.parametrize("shift", [119.0, 120.0, 121.0, 299.0, 300.0, 301.0, 700.0, -300.0, -500.0])
@pytest.mark.parametrize("along", [True, False])
def test_shifts_of_the_size_of_the_image(shift: float, along: bool) -> None:
    flags = _flags(np.random.default_rng(10))
    shifts = {(0, 120): [shift, shift, 0.0, 0.0] if along else [0.0, 0.0, shift, shift]}
    found = []
    for function in (BLUR, FAST_BLUR):
        try:
            found.append(function(flags, shifts, (0.0, 0.0), 50, 0.0))
        except ValueError as error:
            found.append(repr(error))
    assert same_bits(*found) if isinstance(found[0], np.ndarray) else found[0] == found[1]
