"""Events of NUV stripes get the Doppler correction and the wavelengths of the original."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from calcos import timetag

from services.calibrator.acceleration.stripes import REPLACEMENT
from tests.services.calibrator.acceleration.conftest import pair, same_bits

STRIPES = ("NUVA", "NUVB", "NUVC")
INFO = {
    "detector": "NUV",
    "obsmode": "TIME-TAG",
    "obstype": "SPECTROSCOPIC",
    "opt_elem": "G185M",
    "cenwave": 1850,
    "aperture": "PSA",
    "fpoffset": 1,
    "expstart": 57000.25,
    "doppmagv": 7.2,
    "doppzero": 57000.2,
    "orbitper": 5720.0,
    "corrtag_input": False,
    "v_helio": -21.5,
}
COLUMNS = ("TIME", "XCORR", "YCORR", "XDOPP", "XFULL", "YFULL", "WAVELENGTH")
SAMPLES = [(0, 0), *product(range(5), (1, 7, 4001))]
"""Seeds and numbers of events; without events there is nothing random."""


@pytest.fixture(params=[True, False], ids=["dispersion by FPOFFSET", "step size"], scope="module")
def reffiles(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Dispersion relations of three stripes, and the step size of the grating."""
    folder = tmp_path_factory.mktemp("references")
    rows = [
        (stripe, aperture, number)
        for number, stripe in enumerate(STRIPES)
        for aperture in ("PSA", "WCA")
    ]
    columns = [
        fits.Column("SEGMENT", "4A", array=[row[0] for row in rows]),
        fits.Column("OPT_ELEM", "8A", array=["G185M"] * 6),
        fits.Column("CENWAVE", "J", array=[1850] * 6),
        fits.Column("APERTURE", "4A", array=[row[1] for row in rows]),
        fits.Column("NELEM", "J", array=[3] * 6),
        fits.Column(
            "COEFF", "4D", array=[[1750.0 + 100 * row[2], 0.037, 1.3e-7, 0.0] for row in rows]
        ),
        fits.Column("DELTA", "D", array=[0.3 * len(row[1]) for row in rows]),
    ]
    if request.param:
        columns.append(fits.Column("FPOFFSET", "J", array=[1] * 6))
    steps = [
        fits.Column("OPT_ELEM", "8A", array=["G185M"]),
        fits.Column("STEPSIZE", "D", array=[53.4]),
    ]
    for name, table in (("disp.fits", columns), ("wcp.fits", steps)):
        fits.BinTableHDU.from_columns(table).writeto(folder / name)
    return {
        "disptab": f"{folder}/disp.fits",
        "wcptab": f"{folder}/wcp.fits",
        "xtractab": "x",
        "disptab_hdr": "d",
    } | {"xtractab_hdr": "x"}


def events(random: np.random.Generator, count: int) -> Any:
    """Return the events, with coordinates that no detector gives among them."""
    values = random.uniform(-20, 1050, (len(COLUMNS), count)).astype(np.float32)
    values[1:6, ::50] = random.choice(
        np.array([np.nan, np.inf, -np.inf, -999.0], np.float32), values[1:6, ::50].shape
    )
    columns = [
        fits.Column(name, "E", array=array) for name, array in zip(COLUMNS, values, strict=True)
    ]
    return fits.BinTableHDU.from_columns(columns).data


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stripes and their wavecals, without the reference table that places them."""
    for name, first in (("nuvPsaRegions", 150.0), ("nuvWcaRegions", 500.0)):
        bounds = {
            stripe: (first + 100 * number, first + 100 * number + 60)
            for number, stripe in enumerate(STRIPES)
        }
        monkeypatch.setattr(
            timetag,
            name,
            lambda eta, _info, _table, bounds=bounds: timetag.flagsFromBoundaries(eta, bounds),
        )


@pytest.mark.parametrize(("seed", "count"), SAMPLES)
@pytest.mark.usefixtures("regions")
def test_doppler(seed: int, count: int, reffiles: dict[str, str]) -> None:
    results = []
    for function in pair(REPLACEMENT, "doDoppcorr"):
        table = events(np.random.default_rng(seed), count)
        function(table, INFO, {"doppcorr": "PERFORM", "wavecorr": "OMIT"}, reffiles, fits.Header())
        results.append(table)
    assert same_bits(*results)


@pytest.mark.parametrize(("seed", "count"), SAMPLES)
@pytest.mark.parametrize("helcorr", ["PERFORM", "OMIT"])
@pytest.mark.usefixtures("regions")
def test_wavelengths(
    seed: int,
    count: int,
    helcorr: str,
    reffiles: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timetag, "xfull", "xfull", raising=False)
    monkeypatch.setattr(timetag, "yfull", "yfull", raising=False)
    results = []
    for function in pair(REPLACEMENT, "computeWavelengths"):
        table = events(np.random.default_rng(seed), count)
        function(table, INFO, {**reffiles, "brftab": "b"}, helcorr)
        results.append(table)
    assert same_bits(*results)


@pytest.mark.parametrize("column", ["TIME", "XCORR", "XDOPP", "XFULL", "WAVELENGTH"])
@pytest.mark.parametrize("form", ["D", "J"])
@pytest.mark.usefixtures("regions")
def test_columns_of_other_types(column: str, form: str, reffiles: dict[str, str]) -> None:
    results = []
    for doppler, wavelengths in zip(
        pair(REPLACEMENT, "doDoppcorr"), pair(REPLACEMENT, "computeWavelengths"), strict=True
    ):
        table = events(np.random.default_rng(3), 40)
        columns = [
            fits.Column(
                name,
                form if name == column else "E",
                array=np.nan_to_num(table[name], posinf=9, neginf=9),
            )
            for name in COLUMNS
        ]
        table = fits.BinTableHDU.from_columns(columns).data
        doppler(table, INFO, {"doppcorr": "PERFORM", "wavecorr": "OMIT"}, reffiles, fits.Header())
        wavelengths(table, INFO, {**reffiles, "brftab": "b"}, "PERFORM")
        results.append(table)
    assert same_bits(*results)
