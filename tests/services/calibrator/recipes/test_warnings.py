"""Warnings of a run: tallies that the flags of events do not bear out, and what fell back
to a default.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.reports.warnings import product_warnings
from simulator.plan import Fault, FaultKind
from tests.services.calibrator.recipes.running import recalibrate, simulated, small_visit


@pytest.mark.parametrize(
    ("flag", "tally", "flagged", "told"),
    [
        (
            64,
            "NBRST_A",
            0,
            "NBRST_A counts 6 events rejected for bursts, and none of them is flagged: CalCOS "
            "extracts 6 ",
        ),
        (
            64,
            "NBRST_A",
            4,
            "NBRST_A counts 6 events rejected for bursts, and 4 of them are flagged: CalCOS "
            "extracts 2 ",
        ),
        (64, "NBRST_A", 6, None),
        (64, "NBRST_B", 0, None),  # that of the other segment
        (512, "NPHA_A", 0, "NPHA_A counts 6 events rejected for pulse height, and none"),
        (512, "NPHA_A", 6, None),
    ],
)
def test_tallies_are_compared_with_the_flags(
    tmp_path: Path, flag: int, tally: str, flagged: int, told: str | None
) -> None:
    quality = np.zeros(10, np.int16)
    quality[:flagged] = flag | 8192
    events = fits.BinTableHDU.from_columns([fits.Column("DQ", "1I", array=quality)], name="EVENTS")
    events.header[tally] = 6
    primary = fits.PrimaryHDU(header=fits.Header([("SEGMENT", "FUVA")]))
    fits.HDUList([primary, events]).writeto(tmp_path / "ldfd01vnq_corrtag_a.fits")
    (tmp_path / "ldfd01vpq_corrtag_a.fits").write_bytes(b"damaged")
    warnings = list(product_warnings(tmp_path, ""))
    assert len(warnings) == (told is not None)
    if told:
        assert warnings[0].startswith(f"ldfd01vnq_corrtag_a.fits: {told}")


LOG = """\
Using offset of +1.300000 calculated using
initial reference file aperture center
Using offset of -0.200000 calculated using
initial reference file aperture center
Warning:  Unable to determine centroid in reference spectrum
Warning:  There is no wavecal for segment FUVB.
 1 FUVA       0.8 (521.8)       1.7 0.05 [  1.7]    0.0     1.2 (900)
 2 FUVA       0.8 (521.8)       0.0 0.00 [  0.0]    0.0     0.0 (0)  # not found
 1 NUVB      ---- (632.0)       0.0 0.00 [  0.0]          0.0 (0)  # not found in XD
 1 NUVC      ---- (632.0)       3.0 0.00 [  0.0]          0.0 (0)  # not found in XD  # user-specified
FUVA spectrum was not found; nominal y = 421.00
NUVA sigma = 3.21 of found location is higher than cutoff = 2.80.
"""


def test_what_fell_back_is_told(tmp_path: Path) -> None:
    told = list(product_warnings(tmp_path, LOG))
    for part in (
        "ALGNCORR could not measure where 2 of the spectra lie",
        "took the centre that PROFTAB gives",
        "there is no wavecal for segment FUVB",
        "not found in 1 of the lamp spectra of FUVA",
        "not found in 1 of the lamp spectra of NUVB",
        "the place where NUVA was found, 3.21 pixels, is above the cutoff",
    ):
        assert [part in text for text in told].count(True) == 1, part
    assert len(told) == 6
    sought = list(product_warnings(tmp_path, LOG, find_target=True))
    assert set(sought) - set(told) == {
        "find_target: FUVA was not found; the nominal place was extracted"
    }


def test_wavelengths_without_lamp_light_are_told(tmp_path: Path) -> None:
    for root, value in (("ldfd01vnq", "COMPLETE"), ("ldfd01vpq", "SKIPPED"), ("ldfd01vrq", "OMIT")):
        fits.PrimaryHDU(header=fits.Header([("WAVECORR", value)])).writeto(
            tmp_path / f"{root}_x1d.fits"
        )
    (text,) = product_warnings(tmp_path, "")
    assert text.startswith("ldfd01vpq_x1d.fits: WAVECORR found no usable lamp light")


LARGE, SMALL = (20.0, 25.0), (60.0, 64.0)
LIMITS = (5, 25)


def pulse_height_images() -> fits.HDUList:
    """Return the PHAFILE with the same limits everywhere on segment A."""
    primary = fits.PrimaryHDU()
    primary.header.update(
        FILETYPE="PULSE HEIGHT THRESHOLD REFERENCE IMAGE", VCALCOS="2.0", PEDIGREE="DUMMY"
    )
    images = [
        fits.ImageHDU(np.full((1024, 16384), limit, np.int16), name="FUVA", ver=version)
        for version, limit in enumerate(LIMITS, 1)
    ]
    return fits.HDUList([primary, *images])


@pytest.mark.e2e
def test_calcos_leaves_out_flags_that_its_tallies_have(tmp_path: Path) -> None:
    case = small_visit("FUV G130M/1327 LP1 TAGFLASH BOXCAR")
    faults = (Fault(FaultKind.BURST, *LARGE, 4000.0), Fault(FaultKind.BURST, *SMALL, 400.0))
    alone = replace(case.members[0], association="", member_type="", segment="FUVA", hv_level_b=0)
    plan = replace(alone, exptime=100.0, flashes=(), faults=faults)
    raw, references, label = simulated(replace(case, members=(plan,)), tmp_path)
    folder = tmp_path / "references"
    pulse_height_images().writeto(folder / "own_pha.fits")
    (active,) = folder.glob("*_burst.fits*")
    with fits.open(active) as hdus:
        hdus[1].data["MEDIAN_N"] = 200.0  # so that the fainter burst is a small one
        hdus.writeto(folder / "own_burst.fits")
    recipe = {
        "switches": {
            "BRSTCORR": "PERFORM",
            "X1DCORR": "OMIT",
            "TRCECORR": "OMIT",
            "ALGNCORR": "OMIT",
        },
        "references": {"BRSTTAB": "own_burst.fits", "PHAFILE": "own_pha.fits"},
    }
    result, products = recalibrate(recipe, raw, references, label, tmp_path / "run")
    with fits.open(products / f"{label}_corrtag_a.fits.gz") as hdus:
        header, events = hdus[1].header, hdus[1].data
        seconds, heights, quality = events["TIME"].astype(float), events["PHA"], events["DQ"]
    outside = int(((heights < LIMITS[0]) | (heights > LIMITS[1])).sum())
    assert 1000 < outside == header["NPHA_A"]
    assert not (quality & 512).any()
    large, small = (
        int(((seconds >= start) & (seconds < stop)).sum()) for start, stop in (LARGE, SMALL)
    )
    counted, flagged = header["NBRST_A"], int(((quality & 64) > 0).sum())
    assert flagged == pytest.approx(large, rel=0.01)
    assert counted - flagged == pytest.approx(small, rel=0.03)
    name = f"{label}_corrtag_a.fits"
    assert result.warnings == (
        f"{name}: NPHA_A counts {outside} events rejected for pulse height, and none of them is "
        "flagged: CalCOS "
        f"extracts {outside} of them nevertheless",
        f"{name}: NBRST_A counts {counted} events rejected for bursts, and {flagged} of them are "
        "flagged: CalCOS "
        f"extracts {counted - flagged} of them nevertheless",
    )
