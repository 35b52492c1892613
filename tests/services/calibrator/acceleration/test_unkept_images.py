"""Images that nobody keeps are not finished, and everything else is what it is with them."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from calcos import spwcs

from services.calibrator.acceleration import images
from services.calibrator.acceleration.unkept_images import REPLACEMENT, keep_images
from services.calibrator.run.calibrate import CalibrationRequest, calibrate
from services.calibrator.run.products import keeps_images
from services.calibrator.run.references import ReferenceFolder
from simulator.plan import Flash
from simulator.verify.cases import CASES
from tests.services.calibrator.recipes.running import simulated

from .conftest import pair

KEPT = "corrtag*,x1d*,lampflash"
SHAPE = (64, 96)
SECONDS = 60.0
_BOTH_ALIKE = ("FUV dark", "FUV G130M/1309 ACCUM, auto wavecal")
"""Calibrated without their segment B, whose images are made as those of segment A are; other visits
have both segments.
"""

_IMAGE = re.compile(r"_(flt|counts|fltsum)[_.]")


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    yield
    keep_images(True)


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("*", True),
        (KEPT, False),
        ("x1d*, flt*", True),
        ("counts_b", True),
        ("fltsum", True),
        ("x1dsum", False),
    ],
)
def test_policy(keep: str, expected: bool) -> None:
    assert keeps_images(keep) is expected


def _write(folder: Path, exptype: str) -> tuple[Path, Path]:
    """Write both images of twelve events with the stand-in."""
    primary, events, error, flags = fits.Header(), fits.Header(), fits.Header(), fits.Header()
    primary["FILENAME"], primary["EXPTYPE"], primary["OBSTYPE"] = (
        "a_corrtag_a.fits",
        exptype,
        "SPECTROSCOPIC",
    )
    primary["DETECTOR"], primary["SEGMENT"], primary["APERTURE"] = "FUV", "FUVA", "PSA"
    events["EXTNAME"], events["EXPTIMEA"] = "EVENTS", 100.0
    error["EXTNAME"], flags["EXTNAME"] = "ERR", "DQ"
    place, quality = np.arange(12, dtype=np.float32), np.zeros(12, dtype=np.int16)
    counts, flat = folder / "a_counts_a.fits", folder / "a_flt_a.fits"
    headers = [primary, events, error, flags]
    pair(images.REPLACEMENT, "writeImages")[1](
        place,
        place,
        np.ones_like(place),
        quality,
        primary,
        headers,
        np.zeros(SHAPE, dtype=np.int16),
        SHAPE,
        0,
        100.0,
        str(counts),
        str(flat),
    )
    return counts, flat


@pytest.mark.parametrize(
    ("kept", "exptype", "filled"),
    [
        (True, "DARK", ["SCI", "ERR", "DQ", "SCI", "ERR", "DQ"]),
        (True, "EXTERNAL/SCI", ["SCI", "ERR", "DQ", "SCI", "ERR", "DQ"]),
        (False, "EXTERNAL/SCI", ["SCI", "SCI", "DQ"]),
        (False, "DARK", []),
    ],
)
def test_pixels_are_those_that_are_kept_or_read(
    tmp_path: Path, kept: bool, exptype: str, filled: list[str]
) -> None:
    keep_images(kept)
    found = []
    for path in _write(tmp_path, exptype):
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "ERR", "DQ"]
            assert hdus[1].header["EXPTIMEA"] == 100.0
            found += [hdu.name for hdu in hdus[1:] if hdu.data is not None]
    assert found == filled


@pytest.mark.parametrize("kept", [True, False])
def test_a_table_of_coordinates_without_the_mode_is_an_error_as_before(
    tmp_path: Path, kept: bool
) -> None:
    keep_images(kept)
    fits.BinTableHDU.from_columns([fits.Column("OPT_ELEM", "6A", array=["G999X"])]).writeto(
        tmp_path / "spwcs.fits"
    )
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(name="SCI")]).writeto(tmp_path / "a_flt_a.fits")
    info = {
        "detector": "FUV",
        "aperture": "PSA",
        "segment": "FUVA",
        "opt_elem": "G130M",
        "cenwave": 1291,
    }
    info |= {"ra_aper": 0.0, "dec_aper": 0.0, "pa_aper": 0.0, "x_offset": 0}
    names = [str(tmp_path / name) for name in ("a_flt_a.fits", "spwcs.fits", "xtract.fits")]
    coordinates = spwcs.SpWcsImage(names[0], info, "PERFORM", *names[1:])
    for function in pair(REPLACEMENT, "writeWCSKeywords"):
        with pytest.raises(KeyError, match="cenwave"):
            function(coordinates)


@pytest.mark.parametrize("exptype", ["DARK", "EXTERNAL/SCI"])
def test_flags_are_looked_for_where_there_are_pixels(exptype: str) -> None:
    keep_images(False)
    looked: list[str] = []
    for change in REPLACEMENT.changes:
        if change.where.endswith("flagOutOfBounds"):
            info = {"exptype": exptype, "obstype": "SPECTROSCOPIC"}
            change.make(lambda *_: looked.append(exptype))(fits.Header(), np.zeros(SHAPE), info, {})
    assert looked == ([] if exptype == "DARK" else [exptype])


def _products(
    raw: dict[str, Path], references: ReferenceFolder, label: str, folder: Path, keep: str
) -> dict[str, str]:
    """Calibrate and return the checksums of what is kept."""
    request = CalibrationRequest(
        label,
        raw,
        folder / "products",
        references,
        folder / "scratch",
        frozenset(),
        1,
        8192,
        300.0,
        keep,
    )
    return {product.name: product.sha256 for product in asyncio.run(calibrate(request)).products}


@pytest.mark.e2e
@pytest.mark.parametrize(
    "name",
    [
        "FUV G140L/1105 LP2, segment A only",
        "FUV G130M/1291 LP3 TAGFLASH TWOZONE, FP-POS 3 and 4",
        *_BOTH_ALIKE,
        "NUV G230L/2950 TAGFLASH",
        "NUV imaging MIRRORA, TAGFLASH",
        "NUV dark",
    ],
)
def test_what_is_kept_is_the_same(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    flashes = (Flash(0.0, 12.0), Flash(SECONDS - 15.0, SECONDS - 3.0))
    members = tuple(
        replace(plan, exptime=SECONDS, flashes=flashes if plan.flashes else ())
        for plan in case.members
    )
    if name in _BOTH_ALIKE:
        members = tuple(replace(plan, segment="FUVA", hv_level_b=0) for plan in members)
    visit = simulated(replace(case, members=members), tmp_path)
    everything = _products(*visit, tmp_path / "everything", "*")
    kept = _products(*visit, tmp_path / "kept", KEPT)
    assert any("_flt" in file for file in everything)
    assert kept == {file: sha256 for file, sha256 in everything.items() if not _IMAGE.search(file)}
    assert kept
