"""What CalCOS writes only when asked, single raw files, and listed times, through the real
CalCOS.
"""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.edits.changes import FileLeftOut
from services.calibrator.run.references import ReferenceFolder
from simulator.plan import Fault, FaultKind
from simulator.verify.cases import CASES
from tests.services.calibrator.recipes.running import recalibrate, simulated, small_visit

pytestmark = pytest.mark.e2e

Visit = tuple[dict[str, Path], ReferenceFolder, str]
BURST = (300.0, 330.0)
FIRST = "lrnd01a1q"


@pytest.fixture(scope="module")
def bursting(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """Exposure of both segments with a burst that nothing but a recipe makes CalCOS look for."""
    case = CASES["FUV G130M/1327 LP1 TAGFLASH BOXCAR"]
    fault = Fault(FaultKind.BURST, *BURST, 4000.0)
    (plan,) = case.members
    return simulated(
        replace(case, members=(replace(plan, faults=(fault,)),)), tmp_path_factory.mktemp("burst")
    )


@pytest.fixture(scope="module")
def screened(bursting: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its products with bursts told and left out, and the spectra of both segments kept."""
    recipe = {
        "switches": {"BRSTCORR": "PERFORM"},
        "options": {"burstfile": True, "save_temp_files": True},
    }
    return recalibrate(recipe, *bursting, tmp_path_factory.mktemp("screened"))[1]


def spectra(products: Path, name: str) -> dict[str, Any]:
    """Return the rows of extracted spectra by segment."""
    with fits.open(products / f"{name}.fits.gz") as hdus:
        return {str(row["SEGMENT"]).strip(): row for row in hdus[1].data.copy()}


def test_bursts_are_written_to_a_text_file(bursting: Visit, screened: Path) -> None:
    label = bursting[2]
    text = gzip.decompress((screened / f"{label}_burst.txt.gz").read_bytes()).decode()
    # Middle of each second, counts of the background, and whether that is a large or a small burst;
    # for each segment.
    seconds, counts, large, small = np.array(
        [line.split() for line in text.splitlines()], dtype=float
    ).T
    during = (seconds > BURST[0]) & (seconds < BURST[1])
    assert during.sum() == 2 * (BURST[1] - BURST[0])
    assert np.array_equal(large > 0, during)
    assert not small.any()
    assert np.median(counts[during]) > 100 * np.median(counts[~during])


def test_spectra_of_segments_are_kept(bursting: Visit, screened: Path) -> None:
    label = bursting[2]
    whole = spectra(screened, f"{label}_x1d")
    for side in "ab":
        ((segment, row),) = spectra(screened, f"{label}_x1d_{side}").items()
        assert segment == f"FUV{side.upper()}"
        for column in ("WAVELENGTH", "FLUX", "GCOUNTS"):
            assert np.array_equal(row[column], whole[segment][column])


def test_one_raw_file_gives_what_the_exposure_gives(
    bursting: Visit, screened: Path, tmp_path: Path
) -> None:
    label = bursting[2]
    recipe = {"switches": {"BRSTCORR": "PERFORM"}, "members": {"file": f"{label}_rawtag_b.fits"}}
    result, products = recalibrate(recipe, *bursting, tmp_path)
    assert f"{label}_rawtag_a.fits" in {
        item.file for item in result.changes if isinstance(item, FileLeftOut)
    }
    alone, both = spectra(products, f"{label}_x1d"), spectra(screened, f"{label}_x1d")
    assert set(alone) == {"FUVB"}
    for column in ("WAVELENGTH", "FLUX", "ERROR", "GCOUNTS", "NET", "BACKGROUND", "DQ"):
        assert np.array_equal(alone["FUVB"][column], both["FUVB"][column]), column


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return simulated(small_visit("NUV G230L/2950 TAGFLASH"), tmp_path_factory.mktemp("visit"))


def test_the_sum_in_raw_coordinates_and_listed_times(visit: Visit, tmp_path: Path) -> None:
    recipe = {
        "members": {"only": FIRST},
        "switches": {"FLATCORR": "OMIT", "DEADCORR": "OMIT"},  # so that an event counts for one
        "options": {"create_csum_image": True, "raw_csum_coords": True, "binx": 1, "biny": 1},
        "sub_exposures": {"times": [5.0, 20.0, 55.0]},
    }
    _, products = recalibrate(recipe, *visit, tmp_path)
    with fits.open(products / f"{FIRST}_corrtag.fits.gz") as hdus:
        events = hdus["EVENTS"].data.copy()
    with fits.open(products / f"{FIRST}_csum.fits.gz") as hdus:
        assert hdus[0].header["COORDFRM"] == "raw"
        image = hdus[1].data.copy()
    place = [np.arange(-0.5, 1024.0)] * 2
    expected, _, _ = np.histogram2d(events["RAWY"], events["RAWX"], bins=place)
    assert np.array_equal(image, expected)
    for number, (start, stop) in enumerate(((5.0, 20.0), (20.0, 55.0)), 1):
        with fits.open(products / f"{FIRST}_s00{number}_corrtag.fits.gz") as hdus:
            part = hdus["EVENTS"].data
            used = part["TIME"][(part["DQ"] & 2048) == 0]
            inside = (events["TIME"] >= start) & (events["TIME"] < stop)
            assert len(used) == inside.sum()
            assert hdus["EVENTS"].header["EXPTIME"] == pytest.approx(stop - start, abs=0.1)
