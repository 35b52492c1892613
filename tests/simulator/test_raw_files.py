"""Raw files: what was recorded is what they hold, in the archive's form."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from shared.fits import check_fits
from simulator.files.images import image_hdus
from simulator.forward.recording import Recording
from simulator.instrument import fuv
from simulator.nominal import nominal_state
from simulator.observe import observe
from simulator.references.catalogue import Catalogue
from simulator.state import Viewing
from simulator.truth import read_truth, write_truth
from simulator.verify.cases import CASES

VIEWING = Viewing(7.2, 57000.0, 5720.0)


def test_time_tag_holds_the_recording(tmp_path: Path) -> None:
    plan = replace(CASES["FUV G140L/1280 LP2 TAGFLASH"].members[0], exptime=100.0)
    taken = observe(plan, nominal_state(plan.start), VIEWING, tmp_path, Catalogue())
    assert [path.name for path in taken.paths] == [
        f"{plan.rootname}_rawtag_{side}.fits" for side in "ab"
    ]
    for path, segment in zip(taken.paths, ("FUVA", "FUVB"), strict=True):
        check_fits(path)
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "EVENTS", "GTI"]
            for column, field in (
                ("TIME", "time"),
                ("RAWX", "x"),
                ("RAWY", "y"),
                ("PHA", "pulse_height"),
            ):
                assert np.array_equal(
                    hdus[1].data[column], getattr(taken.recordings[segment], field)
                )
            primary, header = hdus[0].header, hdus[1].header
            assert primary["SEGMENT"] == segment
            assert header["NUMFLASH"] == len(plan.flashes)
            assert [header[f"LMP_ON{n}"] for n in (1, 2)] == [flash.on for flash in plan.flashes]
            for keyword, key in Catalogue().select(plan).items():
                assert primary[keyword] == f"lref${key.name}"


def test_accum_holds_the_recording(tmp_path: Path) -> None:
    plan = replace(CASES["FUV G130M/1309 ACCUM, auto wavecal"].members[0], exptime=50.0)
    taken = observe(plan, nominal_state(plan.start), VIEWING, tmp_path, Catalogue())
    kinds = ("rawaccum_a", "pha_a", "rawaccum_b", "pha_b")
    assert [path.name for path in taken.paths] == [f"{plan.rootname}_{kind}.fits" for kind in kinds]
    recording = taken.recordings["FUVA"]
    image, histogram = (fits.getdata(path, 1) for path in taken.paths[:2])
    assert image.shape == fuv.SHAPE
    assert image.sum() == histogram.sum() == recording.time.size
    assert image[recording.y[0], recording.x[0]] >= 1
    assert histogram[4 * 12] == (recording.pulse_height == 12).sum()


@pytest.mark.parametrize(("count", "kind"), [(1000, "i2"), (40000, "f4")])
def test_bright_pixels_do_not_overflow(count: int, kind: str) -> None:
    pixels = np.full(count, 5, "i2")
    recording = Recording(np.zeros(count, "f4"), pixels, pixels, np.zeros(count, "u1"), 1.0)
    science = image_hdus(recording, (16, 32))[0].data
    assert science.dtype.newbyteorder("=") == np.dtype(kind)
    assert science[5, 5] == science.sum() == count


def test_truth_is_written_beside_the_data(tmp_path: Path) -> None:
    plan = replace(CASES["NUV dark"].members[0], exptime=20.0)
    taken = observe(plan, nominal_state(plan.start), VIEWING, tmp_path, Catalogue())
    write_truth([taken], tmp_path)
    other = observe(
        replace(plan, rootname="lsv126a1q"),
        nominal_state(plan.start),
        VIEWING,
        tmp_path,
        Catalogue(),
    )
    write_truth([other], tmp_path)
    truth = read_truth(tmp_path)
    assert set(truth) == {"lsv126a0q", "lsv126a1q"}
    assert truth["lsv126a0q"]["detectors"]["NUV"]["events"] == taken.recordings["NUV"].time.size
    assert truth["lsv126a0q"]["plan"]["exptype"] == "DARK"
