"""What goes in must be complete; references must be what they claim; products are packed reversibly."""

import gzip
import shutil
from pathlib import Path

import pytest
from astropy.io import fits

from services.calibrator.expectations import expected_products, refuse_incomplete
from services.calibrator.headers import read_association, read_exposures
from services.calibrator.products import kept_products, pack
from services.calibrator.references import ReferenceFolder
from services.calibrator.workspace import fix_seed, open_workspace, stage
from shared.errors import PermanentError, UnsupportedError


@pytest.fixture
def raw(data_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    paths = [path for path in sorted((data_dir / "ldfd01010" / "raw").iterdir()) if "_ji" not in path.name]
    paths = [path for path in paths if "vlq" not in path.name]
    stage(paths, [path.name for path in paths], folder)
    return folder


def test_complete_association_passes(raw: Path) -> None:
    association, exposures = read_association(raw), read_exposures(raw)
    refuse_incomplete(association, exposures, ())
    expected = expected_products(association, exposures)
    assert "ldfd01010_x1dsum.fits" in expected
    assert "ldfd01vtq_lampflash.fits" in expected
    assert len(expected) == 4 * 5 + 1


def test_missing_member_is_refused_unless_accepted(raw: Path) -> None:
    (raw / "ldfd01vpq_rawtag_a.fits").unlink()
    association, exposures = read_association(raw), read_exposures(raw)
    with pytest.raises(PermanentError, match="ldfd01vpq_rawtag"):
        refuse_incomplete(association, exposures, ())
    refuse_incomplete(association, exposures, ["ldfd01vpq_rawtag"])


def test_missing_segment_is_refused(raw: Path) -> None:
    fits.setval(raw / "ldfd01vnq_rawtag_a.fits", "SEGMENT", value="BOTH")
    with pytest.raises(PermanentError, match="ldfd01vnq_rawtag_b"):
        refuse_incomplete(read_association(raw), read_exposures(raw), ())


def test_nothing_to_calibrate_is_unsupported(raw: Path) -> None:
    exposures = read_exposures(raw)
    for exposure in exposures:
        for switch in exposure.switches():
            exposure.header[switch] = "OMIT"
    with pytest.raises(UnsupportedError, match="OMIT"):
        refuse_incomplete(read_association(raw), exposures, ())


def test_references(raw: Path, data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "references"
    shutil.copytree(data_dir / "references", folder, copy_function=shutil.copyfile)
    exposures = read_exposures(raw)
    references = ReferenceFolder(folder, tmp_path / "cache")
    found = {reference.keyword: reference.name for reference in references.resolve(exposures)}
    assert found["LAMPTAB"] == "23n1744jl_lamp.fits"
    before = (tmp_path / "cache" / "23n1744jl_lamp.fits").stat().st_ino
    references.resolve(exposures)
    assert (tmp_path / "cache" / "23n1744jl_lamp.fits").stat().st_ino == before
    lamp, disp = folder / "23n1744jl_lamp.fits.gz", folder / "xaa18189l_disp.fits.gz"
    kept = lamp.read_bytes()
    lamp.write_bytes(disp.read_bytes())
    with pytest.raises(PermanentError, match=r"LAMPTAB.*DISPERSION"):
        references.resolve(exposures)
    lamp.write_bytes(kept[:1000])
    with pytest.raises(PermanentError, match="LAMPTAB"):
        references.resolve(exposures)
    lamp.unlink()
    with pytest.raises(PermanentError, match=r"LAMPTAB.*23n1744jl_lamp.fits"):
        references.resolve(exposures)


def test_seed_is_fixed(raw: Path) -> None:
    path = raw / "ldfd01vnq_rawtag_a.fits"
    assert fix_seed(path, 7) == 7
    assert fix_seed(path, 9) == 7


def test_packing_is_reversible_and_reproducible(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for suffix in ("flt_a", "x1d", "corrtag_a"):
        (tmp_path / "out" / f"ldfd01vnq_{suffix}.fits").write_bytes(b"\0" * 100_000 + suffix.encode())
    kept = kept_products(tmp_path / "out", "x1d, flt*")
    assert [path.name for path in kept] == ["ldfd01vnq_flt_a.fits", "ldfd01vnq_x1d.fits"]
    first, second = pack(kept, tmp_path / "a"), pack(kept, tmp_path / "b")
    assert gzip.decompress(first[0].read_bytes()) == kept[0].read_bytes()
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_scratch_is_always_removed(tmp_path: Path) -> None:
    with open_workspace(tmp_path, "x") as workspace:
        assert workspace.outdir.is_dir()
    with pytest.raises(PermanentError), open_workspace(tmp_path, "x"):
        raise PermanentError("a run that fails")
    assert list(tmp_path.iterdir()) == []
