"""Options, contexts, added wavecals and edits of single exposures on a small visit, through the
real CalCOS.
"""

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.recipes.reports.enclosed import excess
from services.calibrator.run.references import ReferenceFolder
from simulator.references.catalogue import Catalogue
from simulator.references.context import CONTEXTS, REVISED, write_contexts
from simulator.references.spectra import REVISED_FLUX
from simulator.verify.cases import Case
from tests.services.calibrator.recipes.running import recalibrate, simulated, small_visit
from tests.simulated_references import write_references

pytestmark = pytest.mark.e2e

Visit = tuple[dict[str, Path], ReferenceFolder, str]
FIRST, SECOND = "lrnd01a1q", "lrnd01a2q"


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """Two exposures, their references of both versions, and the contexts of CRDS that name
    these.
    """
    folder, case = tmp_path_factory.mktemp("visit"), small_visit("NUV G230L/2950 TAGFLASH")
    raw, _, label = simulated(case, folder)
    write_contexts(folder / "crds", Catalogue())
    revised = Catalogue().revise(REVISED)
    for member in case.members:
        write_references(revised, folder / "references", revised.select(member).values())
    return (
        raw,
        ReferenceFolder(folder / "references", folder / "cache", "3.6.2", folder / "crds"),
        label,
    )


@pytest.fixture(scope="module")
def default(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recalibrate({}, *visit, tmp_path_factory.mktemp("default"))[1]


def spectra(products: Path, rootname: str) -> tuple[Any, fits.Header]:
    with fits.open(products / f"{rootname}_x1d.fits.gz") as hdus:
        return hdus[1].data.copy(), hdus[1].header


def test_a_shift_file_moves_the_wavelengths_of_what_it_names(
    visit: Visit, default: Path, tmp_path: Path
) -> None:
    options = {"shift_file": [f"{FIRST} any any NUVA 5.0"], "create_csum_image": True}
    recipe = {"options": {**options, "find_target": {"flag": True, "cutoff": 2.8}}}
    _, products = recalibrate(recipe, *visit, tmp_path)
    (before, old), (after, new) = spectra(default, FIRST), spectra(products, FIRST)
    assert new["SHIFT1A"] == pytest.approx(5.0)
    pixel = np.median(np.diff(before["WAVELENGTH"][0]))
    moved = np.median(after["WAVELENGTH"][0] - before["WAVELENGTH"][0])
    # CalCOS leaves the grid of the extracted spectrum and moves the events in it.
    along = np.correlate(
        after["GCOUNTS"][0] - after["GCOUNTS"][0].mean(),
        before["GCOUNTS"][0] - before["GCOUNTS"][0].mean(),
        "full",
    )
    by = np.argmax(along) - (len(along) // 2)
    assert moved / pixel - by == pytest.approx(new["SHIFT1A"] - old["SHIFT1A"], abs=1.0)
    events = len(fits.getdata(products / f"{FIRST}_corrtag.fits.gz", 1))
    assert fits.getdata(products / f"{FIRST}_csum.fits.gz", 1).sum() == pytest.approx(
        events, rel=0.02
    )
    # Where the target was found counts for the stripe whose error is below the cutoff.
    assert old["SP_ERR_C"] < 2.8 < old["SP_ERR_B"]
    assert new["SP_LOC_C"] - old["SP_LOC_C"] == pytest.approx(old["SP_OFF_C"], abs=0.05)
    assert new["SP_LOC_B"] == old["SP_LOC_B"]


def test_what_is_set_for_one_exposure_or_stripe_changes_that_alone(
    visit: Visit, default: Path, tmp_path: Path
) -> None:
    case = small_visit("NUV G230L/2950 TAGFLASH")
    other = Catalogue().revise(REVISED).select(case.members[0])["FLUXTAB"].name
    _, old = spectra(default, SECOND)
    recipe = {
        "exposures": {
            SECOND: {
                "switches": {"FLATCORR": "OMIT"},
                "keywords": {"SDQFLAGS": 0, "STATFLAG": False},
                "references": {"FLUXTAB": other},
            }
        },
        "extraction": {
            "boxcar": {"NUVC": {"HEIGHT": 11, "B_SPEC": old["SP_NOM_C"] + 40.0, "SLOPE": 0.0}}
        },
    }
    _, products = recalibrate(recipe, *visit, tmp_path)
    for root, revised in ((FIRST, False), (SECOND, True)):
        header = fits.getheader(products / f"{root}_corrtag.fits.gz")
        assert (header["FLATCORR"], header["STATFLAG"]) == (
            ("OMIT", False) if revised else ("COMPLETE", True)
        )
        (before, old), (after, new) = spectra(default, root), spectra(products, root)
        good = (before["DQ_WGT"][1] > 0) & (before["NET"][1] > 0)
        sensitivity = [
            row["FLUX"][1][good].sum() / row["NET"][1][good].sum() for row in (before, after)
        ]
        assert sensitivity[1] / sensitivity[0] == pytest.approx(
            1.0 / REVISED_FLUX if revised else 1.0, rel=2e-3
        )
        assert (before["DQ_WGT"][1] == 0).any()
        assert (after["DQ_WGT"][1] == 1).all() == revised
        # The box of the third stripe lies beside the spectrum, those of the others where they were.
        assert [new[f"SP_HGT_{stripe}"] - old[f"SP_HGT_{stripe}"] for stripe in "ABC"] == [
            0,
            0,
            11 - old["SP_HGT_C"],
        ]
        assert new["SP_LOC_C"] - old["SP_LOC_C"] == pytest.approx(40.0, abs=0.5)
        assert abs(after["NET"][2].sum()) < 0.03 * before["NET"][2].sum()
        assert after["GCOUNTS"][0].sum() == pytest.approx(before["GCOUNTS"][0].sum(), rel=1e-4)


def test_a_context_of_crds_chooses_the_references(
    visit: Visit, default: Path, tmp_path: Path
) -> None:
    result, products = recalibrate({"context": CONTEXTS[1]}, *visit, tmp_path)
    used = {item.keyword: item.name for item in result.references}
    old, new = (fits.getheader(folder / f"{FIRST}_x1d.fits.gz") for folder in (default, products))
    changed = {keyword for keyword in used if old.get(keyword) != new.get(keyword)}
    assert changed == set(REVISED)
    assert new["FLUXTAB"] == f"lref${used['FLUXTAB']}"
    (before, _), (after, _) = spectra(default, FIRST), spectra(products, FIRST)
    good = (before["DQ_WGT"][1] > 0) & (after["DQ_WGT"][1] > 0) & (before["FLUX"][1] > 0)
    assert np.allclose(
        after["FLUX"][1][good] / before["FLUX"][1][good], 1.0 / REVISED_FLUX, rtol=1e-3
    )


def test_a_wavecal_of_another_dataset_is_taken(visit: Visit, tmp_path: Path) -> None:
    case = small_visit("NUV G230L/2950 TAGFLASH")
    plain = tuple(replace(member, flashes=()) for member in case.members)
    lamp = replace(
        plain[0],
        rootname="lrnd02a1q",
        exptype="WAVECAL",
        aperture="WCA",
        association="",
        member_type="",
        target=replace(plain[0].target, name="WAVE", spectrum=None),
    )
    raw, _, label = simulated(replace(case, members=plain), tmp_path / "plain")
    other, _, _ = simulated(replace(case, members=(lamp,)), tmp_path / "lamp")
    added = {name: path for name, path in other.items() if name.startswith("lrnd02a1q")}
    result, products = recalibrate(
        {"members": {"wavecals": ["lrnd02a1q"]}}, raw | added, visit[1], label, tmp_path / "run"
    )
    assert result.warnings == ()
    _, header = spectra(products, FIRST)
    assert header["SHIFT1B"] == pytest.approx(case.shifts["NUVB"][0], abs=0.3)


_TEXTS = {"stimfile": True, "livetimefile": True, "burstfile": True}


def bright(case: Case, times: float) -> Case:
    """Return the case with a brighter source."""
    (first, *_) = case.members
    assert first.target.spectrum is not None
    target = replace(
        first.target,
        spectrum=replace(first.target.spectrum, flux=times * first.target.spectrum.flux),
    )
    return replace(case, members=tuple(replace(member, target=target) for member in case.members))


def test_extractions_of_a_point_source_agree(tmp_path: Path) -> None:
    raw, references, label = simulated(
        bright(small_visit("FUV G140L/1105 LP2, segment A only"), 10.0), tmp_path
    )
    zones = {"LOWER_OUTER": 0.1, "LOWER_INNER": 0.1, "UPPER_INNER": 0.9, "UPPER_OUTER": 0.9}
    boxcar = {
        "keywords": {"XTRCTALG": "BOXCAR"},
        "switches": {"TRCECORR": "OMIT", "ALGNCORR": "OMIT"},
    }
    found, told = [], []
    recipes: list[dict[str, Any]] = [{}, {"extraction": {"twozone": {"all": zones}}}, boxcar]
    for number, recipe in enumerate(recipes):
        result, products = recalibrate(
            {"members": {"only": FIRST}, "options": _TEXTS, **recipe},
            raw,
            references,
            label,
            tmp_path / f"run{number}",
        )
        (row,), _ = spectra(products, FIRST)
        good = (row["DQ_WGT"] > 0) & (row["WAVELENGTH"] > 1250) & (row["WAVELENGTH"] < 1900)
        one_row = excess(products / f"{FIRST}_x1d.fits.gz", tmp_path / "cache").get(
            "FUVA", np.zeros(good.size)
        )
        sums = {
            name: row[name][good].sum(dtype=float)
            for name in ("NET", "FLUX", "BACKGROUND", "GCOUNTS")
        }
        found.append(
            sums
            | {
                f"true {name}": (row[name] / (1.0 + one_row))[good].sum()
                for name in ("NET", "FLUX")
            }
        )
        told.append([text for text in result.warnings if "too high" in text])
    wide, narrow, box = found
    assert min(sums["GCOUNTS"] for sums in found) > 100_000
    for name in ("NET", "FLUX"):
        assert box[name] / wide[name] == pytest.approx(1.0, abs=0.01)
        # CalCOS sums one row that it leaves out of the fraction; without the light in it, zones
        # agree.
        assert narrow[f"true {name}"] / wide[f"true {name}"] == pytest.approx(1.0, abs=0.01)
    assert narrow["NET"] / narrow["true NET"] == pytest.approx(1.036, abs=0.005)
    assert [len(texts) for texts in told] == [0, 1, 0]
    assert narrow["BACKGROUND"] < 0.5 * wide["BACKGROUND"]
    first = tmp_path / "run0" / "products"
    stims, live = (
        gzip.decompress((first / f"{label}_{kind}.txt.gz").read_bytes())
        for kind in ("stim", "livetime")
    )
    left, _, right, _ = map(float, stims.split()[-4:])
    assert left < 1000 < 15000 < right
    assert 0.9 < float(live.split()[-1]) < 1.0
    check_whole_profile(raw, references, label, first, tmp_path, wide["true NET"])


def check_whole_profile(
    raw: dict[str, Path],
    references: ReferenceFolder,
    label: str,
    first: Path,
    folder: Path,
    net: float,
) -> None:
    """Extract all of the profile, between the boundaries 0 and 1, out of calibrated events."""
    name = f"{FIRST}_corrtag_a.fits"
    numbers = {"HEIGHT": 31, "LOWER_OUTER": 0.0, "UPPER_OUTER": 1.0, "B_BKG1": 438.0, "BHEIGHT": 11}
    recipe = {"members": {"file": name}, "extraction": {"twozone": {"FUVA": numbers}}}
    _, products = recalibrate(
        recipe, raw | {name: first / f"{name}.gz"}, references, label, folder / "whole"
    )
    (row,), header = spectra(products, FIRST)
    good = (row["DQ_WGT"] > 0) & (row["WAVELENGTH"] > 1250) & (row["WAVELENGTH"] < 1900)
    assert set(row["NUM_EXTRACT_ROWS"][good]) == {31}
    assert row["ACTUAL_EE"][good] == pytest.approx(1.0)
    assert row["NET"][good].sum() == pytest.approx(net, rel=0.01)
    assert (header["B_HGT1_A"], header["B_BKG1_A"]) == (11, pytest.approx(438, abs=1))
