"""Two-zone extraction gives the original's spectra, bit for bit."""

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.acceleration.two_zone import REPLACEMENT

from .conftest import pair, same_bits

ROWS, COLUMNS = 160, 400
ROW_0, CENTROID = 30, 80.3


def _zones(random: np.random.Generator, edges: tuple[float, float, float, float]) -> Any:
    values = {
        "B_SPEC": ("D", 80.0),
        "HEIGHT": ("J", int(random.integers(9, 25)) * 2 + 1),
        "B_BKG1": ("D", 45.0),
        "B_BKG2": ("D", 115.0),
        "BWIDTH": ("J", 25),
        "BHEIGHT": ("J", 15),
    }
    values |= {
        name: ("D", edge)
        for name, edge in zip(
            ("LOWER_OUTER", "LOWER_INNER", "UPPER_INNER", "UPPER_OUTER"), edges, strict=True
        )
    }
    columns = [fits.Column(name, form, array=[value]) for name, (form, value) in values.items()]
    return fits.BinTableHDU.from_columns(columns).data


def _profile(random: np.random.Generator) -> Any:
    row, column = np.mgrid[0:100, 0:COLUMNS]
    width = 1.5 + 3 * random.random() + column / 200
    profile = np.exp(-0.5 * ((row - (CENTROID - ROW_0) - np.sin(column / 40)) / width) ** 2).astype(
        np.float32
    )
    profile[:, :7] = 0
    profile[:, 390:] = 0
    profile[:, 200] = 0
    columns = [
        fits.Column("ROW_0", "J", array=[ROW_0]),
        fits.Column(
            "PROFILE", f"{profile.size}E", dim=f"({COLUMNS},100)", array=profile[np.newaxis]
        ),
    ]
    return fits.BinTableHDU.from_columns(columns).data


def _float(order: str) -> str:
    return order if len(order) > 1 else f"{order}f4"


def _extract(
    function: Any,
    seed: int,
    counts: float,
    edges: tuple[float, float, float, float],
    backcorr: str,
    order: str,
    sdqflags: float = 8346,
    sdqouter: int = 8,
) -> tuple[Any, dict[str, Any]]:
    random = np.random.default_rng(seed)
    c_data = random.poisson(counts, (ROWS, COLUMNS)).astype(_float(order)) / np.float32(97.3)
    e_data = (c_data * random.uniform(0.9, 1.1, c_data.shape)).astype(_float(order))
    flags = random.choice(
        [0, 0, 0, 0, 0, 8, 2, 32, 8192], c_data.shape, p=[0.197] * 5 + [0.005, 0.005, 0.003, 0.002]
    )
    if seed == 3:
        e_data[60:70, 100] = np.nan
        flags[60:100, 120:130] = 128
    header = fits.Header({"SP_LOC_A": CENTROID, "SP_ERR_A": 0.1, "SP_OFF_A": 0.3})
    result = function(
        e_data,
        c_data,
        flags.astype(f"{order[0]}i2"),
        header,
        "FUVA",
        0,
        sdqflags,
        sdqouter,
        30.0,
        97.3,
        backcorr,
        1,
        header,
        _zones(random, edges),
        0.0,
        _profile(random),
        {},
        None,
        False,
    )
    return result, dict(header)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("counts", [0.0, 0.3, 40.0])
@pytest.mark.parametrize(
    "edges", [(0.005, 0.1, 0.9, 0.995), (0.0, 0.0, 1.0, 1.0), (0.2, 0.2, 0.8, 0.8)]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_extraction(seed: int, counts: float, edges: tuple[float, float, float, float]) -> None:
    original, stand_in = pair(REPLACEMENT, "extractSegmentTwozone")
    for backcorr, order in (("PERFORM", ">"), ("PERFORM", "<")):
        expected = _extract(original, seed, counts, edges, backcorr, order)
        found = _extract(stand_in, seed, counts, edges, backcorr, order)
        assert same_bits(found[0], expected[0])
        assert repr(found[1]) == repr(expected[1])


@pytest.mark.parametrize(
    "fractions", [(0.005, 0.1, 0.9, 0.995), (0.0, 0.1, 0.9, 1.0), (0.5, 0.5, 0.5, 0.5)]
)
def test_percentiles(
    random: np.random.Generator, fractions: tuple[float, float, float, float]
) -> None:
    original, stand_in = pair(REPLACEMENT, "getPercentileVectors")
    profile = random.random((31, 200)) ** 4
    profile[:, random.random(200) < 0.2] = 0.0
    cumulative = np.cumsum(profile, axis=0)
    cumulative /= np.where(cumulative[-1] > 0, cumulative[-1], 1.0)
    assert same_bits(stand_in(cumulative, *fractions), original(cumulative, *fractions))
    assert same_bits(stand_in(cumulative * 0, *fractions), original(cumulative * 0, *fractions))


def test_a_fraction_that_is_never_reached_is_an_error_as_before() -> None:
    for function in pair(REPLACEMENT, "getPercentileVectors"):
        with pytest.raises(IndexError):
            function(np.full((5, 3), 0.5), 0.1, 0.2, 0.9, 0.99)


@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_normalized_profile(random: np.random.Generator, dtype: str) -> None:
    original, stand_in = pair(REPLACEMENT, "NormalizeProfile")
    profile = random.normal(0.0, 1.0, (60, 90)).astype(dtype)
    profile[:, ::7] = 0.0
    profile[20, 4] = np.nan
    zones = _zones(random, (0.0, 0.0, 1.0, 1.0))
    assert same_bits(stand_in(profile, zones, 30.4), original(profile, zones, 30.4))


@pytest.mark.parametrize(
    ("sdqflags", "sdqouter"), [(8346, 65_535), (32_768, 8), (8346, -40_000), (8346.0, 8)]
)
@pytest.mark.parametrize("edges", [(0.0, 0.0, 1.0, 1.0), (0.005, 0.1, 0.9, 0.995)])
def test_flags_that_do_not_fit_into_the_image_are_an_error_as_before(
    sdqflags: int, sdqouter: int, edges: tuple[float, float, float, float]
) -> None:
    errors = []
    for function in pair(REPLACEMENT, "extractSegmentTwozone"):
        with pytest.raises((OverflowError, TypeError)) as caught:
            _extract(function, 1, 3.0, edges, "PERFORM", ">", sdqflags, sdqouter)
        errors.append(repr(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("order", [">f8", "<i4"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_images_of_other_types(order: str) -> None:
    original, stand_in = pair(REPLACEMENT, "extractSegmentTwozone")
    edges = (0.005, 0.1, 0.9, 0.995)
    expected, found = (
        _extract(function, 1, 40.0, edges, "PERFORM", order) for function in (original, stand_in)
    )
    assert same_bits(found[0], expected[0])
