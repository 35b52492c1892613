"""What alignment with the reference profile bins and counts is the original's."""

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.acceleration.alignment import REPLACEMENT

from .conftest import pair, same_bits


@pytest.mark.parametrize("name", ["rebinData", "rebinCounts"])
@pytest.mark.parametrize("number", [1, 3000])
def test_rebinned_images(random: np.random.Generator, name: str, number: int) -> None:
    original, stand_in = pair(REPLACEMENT, name)
    columns = [
        fits.Column("XFULL", "E", array=random.normal(50, 30, number)),
        fits.Column("YFULL", "E", array=random.normal(30, 20, number)),
        fits.Column("EPSILON", "E", array=random.uniform(0.5, 1.5, number)),
        fits.Column("DQ", "I", array=random.choice([0, 64, 8], number)),
    ]
    events = fits.BinTableHDU.from_columns(columns).data
    info = {"npix": (60, 100), "x_offset": 0}
    assert same_bits(stand_in(events, info), original(events, info))


@pytest.mark.parametrize("order", ["<", ">"])
def test_good_rows(random: np.random.Generator, order: str) -> None:
    original, stand_in = pair(REPLACEMENT, "getGoodRows")
    flags = np.zeros((50, 400), dtype=f"{order}i2")
    flags[random.random(flags.shape) < 0.3] = 8
    flags[: random.integers(1, 20)] = 128
    flags[45:, : random.integers(250, 400)] |= 8192
    for exclude in (8346, 128, 1024):
        assert [int(row) for row in stand_in(flags, exclude)] == [
            int(row) for row in original(flags, exclude)
        ]


def test_no_good_row_is_an_error_as_before() -> None:
    flags = np.full((5, 200), 128, dtype=np.int16)
    for function in pair(REPLACEMENT, "getGoodRows"):
        with pytest.raises(IndexError):
            function(flags, 128)


@pytest.mark.parametrize(
    ("column", "form"), [("XFULL", "D"), ("YFULL", "J"), ("EPSILON", "D"), ("DQ", "J"), ("DQ", "E")]
)
def test_columns_of_types_that_the_compiled_binning_refuses(column: str, form: str) -> None:
    forms = {"XFULL": "E", "YFULL": "E", "EPSILON": "E", "DQ": "I"} | {column: form}
    columns = [fits.Column(name, letter, array=np.zeros(3)) for name, letter in forms.items()]
    events, info = fits.BinTableHDU.from_columns(columns).data, {"npix": (60, 100), "x_offset": 0}
    for function in pair(REPLACEMENT, "rebinData"):
        with pytest.raises(TypeError, match="Cannot cast"):
            function(events, info)


def test_columns_of_types_that_the_compiled_binning_converts(random: np.random.Generator) -> None:
    columns = [
        fits.Column("XFULL", "I", array=random.integers(-5, 110, 500)),
        fits.Column("YFULL", "B", array=random.integers(0, 70, 500)),
        fits.Column("EPSILON", "I", array=random.integers(0, 3, 500)),
        fits.Column("DQ", "B", array=random.choice([0, 64, 8], 500)),
    ]
    events, info = fits.BinTableHDU.from_columns(columns).data, {"npix": (60, 100), "x_offset": 0}
    original, stand_in = pair(REPLACEMENT, "rebinData")
    assert same_bits(stand_in(events, info), original(events, info))
