"""Recipes through the real CalCOS: what they do to the spectrum, and that a run can be taken
home.
"""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.edits.changes import FileLeftOut
from services.calibrator.run.calibrate import CalibrationResult
from services.calibrator.run.references import ReferenceFolder
from shared.errors import PermanentError
from simulator.verify.cases import CASES
from tests.services.calibrator.recipes.running import (
    BARE_ENVIRONMENT,
    differ,
    recalibrate,
    simulated,
)

pytestmark = pytest.mark.e2e

BOXCAR = {"keywords": {"XTRCTALG": "BOXCAR"}, "switches": {"TRCECORR": "OMIT", "ALGNCORR": "OMIT"}}
Run = Callable[[Any, str], tuple[CalibrationResult, Path]]


@pytest.fixture(scope="module")
def run(
    small_files: dict[str, Path],
    references: ReferenceFolder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """Run of a recipe on the first exposure of the real association."""

    def start(document: Any, name: str) -> tuple[CalibrationResult, Path]:
        return recalibrate(
            document, small_files, references, "ldfd01010", tmp_path_factory.mktemp(name)
        )

    return start


@pytest.fixture(scope="module")
def twozone(run: Run) -> Path:
    """Products of the default calibration, which extracts with TWOZONE."""
    return run({}, "twozone")[1]


def spectrum(products: Path) -> tuple[Any, fits.Header]:
    """Return the good part of the extracted spectrum, without airglow, and its header."""
    with fits.open(products / "ldfd01vnq_x1d.fits.gz") as hdus:
        row, header = hdus[1].data[0], hdus[1].header
        good = (row["DQ_WGT"] > 0) & (row["WAVELENGTH"] > 1320) & (row["WAVELENGTH"] < 1900)
        return {
            name: np.asarray(row[name], float)[good] for name in ("NET", "BACKGROUND", "FLUX")
        }, header


def test_boxcar_and_twozone_agree(run: Run, twozone: Path) -> None:
    _, products = run(BOXCAR | {"extraction": {"boxcar": {"all": {"HEIGHT": 57}}}}, "boxcar")
    (box, header), (two, _) = spectrum(products), spectrum(twozone)
    assert header["SP_HGT_A"] == 57
    assert box["NET"].sum() == pytest.approx(two["NET"].sum(), rel=0.01)
    assert box["FLUX"].mean() == pytest.approx(two["FLUX"].mean(), rel=0.01)


def test_a_narrower_zone_has_less_background_and_the_same_spectrum(run: Run, twozone: Path) -> None:
    zones = {"LOWER_OUTER": 0.1, "LOWER_INNER": 0.1, "UPPER_INNER": 0.9, "UPPER_OUTER": 0.9}
    result, products = run({"extraction": {"twozone": {"FUVA": zones}}}, "narrow")
    (narrow, _), (wide, _) = spectrum(products), spectrum(twozone)
    assert narrow["BACKGROUND"].sum() < 0.6 * wide["BACKGROUND"].sum()
    # The profile that the fractions are taken from is a stand-in, a little wider than the real one.
    assert narrow["NET"].sum() == pytest.approx(wide["NET"].sum(), rel=0.06)
    (derived,) = [
        item for item in result.references if item.keyword == "TWOZXTAB" and item.name[0] != "2"
    ]
    assert (products / f"{derived.name}.gz").is_file()


def test_sp_set_moves_the_spectrum_by_what_it_says(run: Run, twozone: Path) -> None:
    measured = spectrum(twozone)[1]["SP_OFF_A"]
    _, products = run({"keywords": {"SP_SET_A": 4.0}}, "moved")
    header = spectrum(products)[1]
    assert measured == pytest.approx(2.26, abs=0.1)
    assert header["SP_OFF_A"] == pytest.approx(4.0)
    rows = [events(folder) for folder in (twozone, products)]
    assert np.median(rows[0] - rows[1]) == pytest.approx(4.0 - measured, abs=0.01)


def events(products: Path) -> Any:
    """Return the rows of the events near the spectrum, in the order in which they were recorded."""
    with fits.open(products / "ldfd01vnq_corrtag_a.fits.gz") as hdus:
        data = hdus[1].data
        return np.asarray(data["YFULL"], float)[np.abs(data["YCORR"] - 463) < 15]


def test_calibrated_events_are_extracted_again(
    twozone: Path, small_files: dict[str, Path], references: ReferenceFolder, tmp_path: Path
) -> None:
    name = "ldfd01vnq_corrtag_a.fits"
    raw = small_files | {name: twozone / f"{name}.gz"}
    narrow = {"extraction": {"twozone": {"all": {"LOWER_OUTER": 0.1, "UPPER_OUTER": 0.9}}}}
    spectra = [spectrum(twozone)]
    for number, document in enumerate(({}, narrow)):
        recipe = {"members": {"file": name}, **document}
        result, products = recalibrate(recipe, raw, references, "ldfd01010", tmp_path / str(number))
        spectra.append(spectrum(products))
        assert {item.file for item in result.changes if isinstance(item, FileLeftOut)} == {
            "ldfd01010_asn.fits",
            "ldfd01vnq_rawtag_a.fits",
        }
        # The steps before are not made twice.
        with fits.open(products / f"{name}.gz") as new, fits.open(twozone / f"{name}.gz") as old:
            for column in ("XFULL", "YFULL", "EPSILON"):
                assert np.array_equal(new[1].data[column], old[1].data[column])
    first, again, less = (found for found, _ in spectra)
    assert np.allclose(again["NET"], first["NET"], rtol=1e-5, atol=1e-9)
    assert less["BACKGROUND"].sum() < 0.6 * first["BACKGROUND"].sum()
    recipe = {"members": {"file": name}, "switches": {"FLATCORR": "OMIT"}}
    with pytest.raises(PermanentError, match="FLATCORR is done already"):
        recalibrate(recipe, raw, references, "ldfd01010", tmp_path / "refused")


def test_only_the_summed_image(run: Run) -> None:
    _, products = run({"options": {"only_csum": True, "binx": 4, "biny": 4}}, "csum")
    assert not (products / "ldfd01vnq_x1d.fits.gz").exists()
    assert fits.getdata(products / "ldfd01vnq_csum_a.fits.gz", 1).shape[-2:] == (256, 4096)


def test_a_dropped_member_changes_exposure_time_and_nothing_else(tmp_path: Path) -> None:
    raw, references, label = simulated(CASES["NUV imaging MIRRORA, TAGFLASH"], tmp_path)
    kept, gone = (member.rootname for member in CASES["NUV imaging MIRRORA, TAGFLASH"].members)
    sums = []
    for number, document in enumerate(({}, {"members": {"drop": [gone]}})):
        _, products = recalibrate(document, raw, references, label, tmp_path / f"run{number}")
        with fits.open(products / f"{label}_fltsum.fits.gz") as hdus:
            sums.append((float(hdus[1].header["EXPTIME"]), float(hdus[1].data.sum())))
        names = {path.name[:9] for path in products.glob("*_flt.fits.gz")}
    assert names == {kept}
    (both_seconds, both_rate), (one_seconds, one_rate) = sums
    assert one_seconds == pytest.approx(both_seconds / 2, rel=1e-3)
    assert one_rate == pytest.approx(both_rate, rel=0.02)


def test_a_run_can_be_taken_home(tmp_path: Path) -> None:
    name = "NUV G185M/1921 ACCUM, GO wavecal"
    raw, references, label = simulated(CASES[name], tmp_path)
    science, lamp = (member.rootname for member in CASES[name].members)
    document = {
        "switches": {"FLATCORR": "OMIT"},
        "members": {"drop": [lamp]},
        "extraction": {"boxcar": {"all": {"HEIGHT": 31}, "NUVB": {"HEIGHT": 21}}},
    }
    result, products = recalibrate(document, raw, references, label, tmp_path / "run")
    assert [
        text for text in result.warnings if f"{lamp} is a wavecal, and no other is left" in text
    ]
    assert [
        text
        for text in result.warnings
        if f"{science}_x1d.fits: WAVECORR found no usable lamp light" in text
    ]
    header = fits.getheader(products / f"{science}_x1d.fits.gz", 1)
    assert [header[f"SP_HGT_{stripe}"] for stripe in "ABC"] == [31, 21, 31]

    with tarfile.open(products / f"{label}_export.tar.gz") as archive:
        archive.extractall(tmp_path)
    home, out = tmp_path / label, tmp_path / "out"
    folders: list[str | Path] = [tmp_path / "references", out, "--raw", tmp_path / "raw"]
    again = subprocess.run(
        [sys.executable, "reproduce.py", *folders],
        cwd=home,
        env=BARE_ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "warning: " not in again.stderr
    versions = [
        f"{package} {version(package)}" for package in ("calcos", "astropy", "numpy", "scipy")
    ]
    assert ", ".join(versions) in (home / "README.txt").read_text()
    for given, made in ((home / "inputs", out / "inputs"), (home / "derived", out / "references")):
        assert list(given.iterdir())
        assert [path.name for path in given.iterdir() if differ(path, made / path.name)] == []
    mine = [
        path for path in products.glob("*.fits.gz") if not (home / "derived" / path.stem).exists()
    ]
    assert {f"{science}_x1d.fits.gz", f"{label}_x1dsum.fits.gz"} <= {path.name for path in mine}
    assert [path.name for path in mine if differ(path, out / "products" / path.stem)] == []

    script = (home / "reproduce.py").read_text()
    (home / "older.py").write_text(
        script.replace(f"'calcos': '{version('calcos')}'", "'calcos': '3.4.0'")
    )
    (tmp_path / "none").mkdir()
    stopped = subprocess.run(
        [sys.executable, "older.py", tmp_path / "none", tmp_path / "other"],
        cwd=home,
        env=BARE_ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert stopped.returncode != 0
    assert f"warning: calcos is {version('calcos')}; the run had 3.4.0" in stopped.stderr
