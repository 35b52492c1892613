"""Which files make a dataset, and what is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

from services.archive.facts import Facts, is_input, read_facts
from services.archive.grouping import DatasetListing, group
from services.archive.sources import SourceFile, open_source


def _listings(folder: Path) -> dict[str, DatasetListing]:
    source = open_source(str(folder))
    files = [file for file in source.list().files if is_input(file.name)]
    facts = {file.stem: read_facts(source, file) for file in files}
    return {listing.rootname: listing for listing in group(files, facts)}


@pytest.fixture
def folder(data_dir: Path, tmp_path: Path) -> Path:
    target = tmp_path / "source" / "14933"
    shutil.copytree(data_dir / "ldfd01010" / "raw", target, copy_function=shutil.copyfile)
    return target


def test_real_association(folder: Path) -> None:
    found = _listings(folder.parent)
    association, acquisition = found["ldfd01010"], found["ldfd01vlq"]
    assert association.kind == "association"
    assert association.members == ["ldfd01vnq", "ldfd01vpq", "ldfd01vrq", "ldfd01vtq"]
    assert association.companions == ["ldfd01vlq"]
    assert len(association.files) == 11
    assert association.missing == []
    assert acquisition.kind == "acquisition"
    assert "ldfd01vlj_jit" in {file.stem for file in acquisition.files}


def test_missing_members_are_named(folder: Path) -> None:
    (folder / "ldfd01vpq_rawtag_a.fits.gz").unlink()
    (folder / "ldfd01vrq_spt.fits.gz").unlink()
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01vpq_raw*", "ldfd01vrq_spt"]


def test_missing_association_table_is_named(folder: Path) -> None:
    (folder / "ldfd01010_asn.fits.gz").unlink()
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01010_asn"]


def _set_keywords(path: Path, **keywords: str) -> None:
    """Write a gzipped file anew, plain, with other primary keywords."""
    with fits.open(path) as hdus:
        hdus[0].header.update(keywords)
        hdus.writeto(path.with_suffix(""))
    path.unlink()


@pytest.mark.parametrize(
    ("voltage", "missing"),
    [("NomAB", ["ldfd01vnq_rawtag_b"]), ("NomA", []), ("Low", []), ("", [])],
)
def test_missing_segment_is_named(folder: Path, voltage: str, missing: list[str]) -> None:
    path = folder / "ldfd01vnq_rawtag_a.fits.gz"
    assert fits.getval(path, "SEGMENT") == "FUVA"
    _set_keywords(path, DETECTHV=voltage)
    assert _listings(folder)["ldfd01010"].missing == missing
    shutil.copyfile(folder / "ldfd01vnq_rawtag_a.fits", folder / "ldfd01vnq_rawtag_b.fits")
    assert _listings(folder)["ldfd01010"].missing == []


def test_other_segment_first(folder: Path) -> None:
    path = folder / "ldfd01vnq_rawtag_a.fits.gz"
    _set_keywords(path, DETECTHV="NomAB", SEGMENT="FUVB")
    (folder / "ldfd01vnq_rawtag_a.fits").rename(folder / "ldfd01vnq_rawtag_b.fits")
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01vnq_rawtag_a"]


def test_acquisitions_of_both_segments_are_complete(data_dir: Path) -> None:
    for listing in _listings(data_dir / "acquisitions").values():
        assert (listing.kind, listing.missing) == ("acquisition", [])


def _association_of(folder: Path, rootname: str, rows: list[int]) -> None:
    with fits.open(folder / "ldfd01010_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[rows]
        hdus.writeto(folder / f"{rootname}_asn.fits")


def test_exposure_of_two_associations_is_in_both(folder: Path) -> None:
    _association_of(folder, "ldfd01020", [0, 4])
    found = _listings(folder)
    assert found["ldfd01020"].members == ["ldfd01vnq"]
    assert found["ldfd01020"].missing == found["ldfd01010"].missing == []
    shared = {"ldfd01vnq_rawtag_a", "ldfd01vnq_spt"}
    for rootname in ("ldfd01010", "ldfd01020"):
        assert shared <= {file.stem for file in found[rootname].files}
    assert len(found["ldfd01010"].files) == 11


def test_own_header_counts_where_no_table_lists_the_exposure(folder: Path) -> None:
    _association_of(folder, "ldfd01020", [0, 4])
    (folder / "ldfd01010_asn.fits.gz").unlink()
    found = _listings(folder)
    assert found["ldfd01010"].members == ["ldfd01vnq", "ldfd01vpq", "ldfd01vrq", "ldfd01vtq"]
    assert found["ldfd01010"].missing == ["ldfd01010_asn"]
    assert found["ldfd01020"].members == ["ldfd01vnq"]


def _file(name: str) -> SourceFile:
    return SourceFile(f"file:///{name}.fits", f"{name}.fits", name, 1, name)


def test_jitter_finds_its_exposure_whatever_its_last_letter() -> None:
    names = ["ldfd01vnr_rawtag", "ldfd01vnr_spt", "ldfd01vnj_jit", "ldfd01vnj_jif", "ldfd01vpq_rawtag", "ldfd01vpj_jit"]
    found = {
        listing.rootname: listing for listing in group([_file(name) for name in names], dict.fromkeys(names, Facts()))
    }
    assert {file.stem for file in found["ldfd01vnr"].files} == set(names[:4])
    assert {file.stem for file in found["ldfd01vpq"].files} == set(names[4:])


def test_jitter_of_a_member_without_other_files() -> None:
    names = ["ldfd01010_asn", "ldfd01vns_rawtag", "ldfd01vns_spt", "ldfd01vpr_spt", "ldfd01vpj_jit", "ldfd01010_jit"]
    facts = {**dict.fromkeys(names, Facts()), "ldfd01010_asn": Facts(members=["ldfd01vns", "ldfd01vpr"])}
    (found,) = group([_file(name) for name in names], facts)
    assert {file.stem for file in found.files} == set(names)
    assert found.missing == ["ldfd01vpr_raw*"]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x1f\x8bgarbage"])
@pytest.mark.parametrize("name", ["ldfd01vpq_rawtag_a.fits.gz", "ldfd01010_asn.fits.gz"])
def test_unreadable_files_count_as_there(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert _listings(folder)["ldfd01010"].missing == []


def test_products_in_the_source_are_no_inputs(data_dir: Path) -> None:
    found = _listings(data_dir / "ldfd01010")["ldfd01010"]
    assert len(found.files) == 11
    assert not [file.name for file in found.files if "x1d" in file.name]


def test_facts_of_an_earlier_version_are_not_final() -> None:
    earlier = {"members": [], "asn_id": "ldfd01010", "segment": "FUVA", "acquisitions": [], "error": ""}
    assert not Facts.from_dict(earlier).final
    assert Facts.from_dict(earlier).asn_id == "ldfd01010"
    assert Facts.from_dict(Facts(segments=["FUVA"]).to_dict()) == Facts(segments=["FUVA"])
    assert Facts().final
    assert not Facts(error="truncated").final


def test_scanning_does_not_import_astropy() -> None:
    code = "import services.archive.scan, sys; sys.exit('astropy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
