"""Best references by real contexts of CRDS, without a network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits

from services.calibrator.run.crds import best_references
from services.calibrator.run.headers import Exposure, read_exposures
from services.calibrator.run.workspace import stage
from shared.cos.references import FILETYPES
from shared.errors import PermanentError


@pytest.fixture
def exposure(small_files: dict[str, Path], tmp_path: Path) -> Exposure:
    name = "ldfd01vnq_rawtag_a.fits.gz"
    stage({name: small_files[name]}, tmp_path)
    (found,) = read_exposures(tmp_path)
    return found


def test_the_context_of_the_headers_names_what_the_headers_name(
    data_dir: Path, exposure: Exposure
) -> None:
    found = best_references(data_dir / "crds", "hst_0613.pmap", exposure)
    named = {
        name: exposure.text(name).removeprefix("lref$")
        for name in FILETYPES
        if name in exposure.header
    }
    same = {name: value for name, value in named.items() if found.get(name) == value}
    assert len(same) >= 20
    differ = {name for name, value in named.items() if name in found and found[name] != value}
    assert differ == set()
    later = best_references(data_dir / "crds", "hst_1028.pmap", exposure)
    assert sum(later[name] != value for name, value in found.items() if name in later) >= 12


def test_what_an_exposure_does_without_is_not_applicable(
    data_dir: Path, exposure: Exposure
) -> None:
    """The rules say ``NOT FOUND n/a`` of a kind of reference that an FUV spectrum has no use
    for.
    """
    image = fits.Header([*exposure.header.items()])
    image.update(
        {"DETECTOR": "NUV", "OBSTYPE": "IMAGING", "OPT_ELEM": "MIRRORA", "OBSMODE": "TIME-TAG"}
    )
    found = best_references(data_dir / "crds", "hst_1028.pmap", replace(exposure, header=image))
    assert found["GSAGTAB"] == found["PHATAB"] == "N/A"


def test_what_cannot_be_resolved_is_refused(data_dir: Path, exposure: Exposure) -> None:
    with pytest.raises(PermanentError, match="COSMO_REFERENCES__CRDS"):
        best_references(None, "hst_0613.pmap", exposure)
    with pytest.raises(PermanentError, match=r"whose contexts are: hst_0613.pmap, hst_1028.pmap"):
        best_references(data_dir / "crds", "hst_0001.pmap", exposure)


def test_files_of_the_cache_of_crds_are_found(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    from services.calibrator.run.references import ReferenceFolder

    folder = tmp_path / "crds" / "references" / "hst"
    folder.mkdir(parents=True)
    header = fits.Header([("FILETYPE", FILETYPES["DEADTAB"]), ("VCALCOS", "2.0")])
    fits.HDUList([fits.PrimaryHDU(header=header)]).writeto(folder / "a_dead.fits")
    (tmp_path / "folder").mkdir()
    references = ReferenceFolder(
        tmp_path / "folder", tmp_path / "cache", "3.6.2", tmp_path / "crds"
    )
    exposure = make_exposure(
        DEADCORR="PERFORM", DEADTAB="lref$a_dead.fits", PHACORR="OMIT", GEOCORR="OMIT"
    )
    (found,) = references.resolve([exposure])
    assert (found.keyword, found.name) == ("DEADTAB", "a_dead.fits")
    references.link([found], tmp_path / "lref")
    assert (tmp_path / "lref" / "a_dead.fits").read_bytes() == (folder / "a_dead.fits").read_bytes()
