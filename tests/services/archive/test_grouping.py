"""Which files make a dataset, and what is missing."""

import shutil
from pathlib import Path

import pytest

from services.archive.grouping import DatasetListing, group, read_facts
from services.archive.sources import open_source
from shared.errors import TransientError


def _listings(folder: Path) -> dict[str, DatasetListing]:
    source = open_source(str(folder))
    files = source.list()
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
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01vpq_rawtag", "ldfd01vrq_spt"]


def test_missing_association_table_is_named(folder: Path) -> None:
    (folder / "ldfd01010_asn.fits.gz").unlink()
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01010_asn"]


def test_twins_count_once(folder: Path) -> None:
    (folder / "ldfd01010_asn.fits").write_bytes(b"")
    names = [file.name for file in open_source(str(folder)).list() if file.stem == "ldfd01010_asn"]
    assert names == ["ldfd01010_asn.fits"]


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_unreadable_files_count_as_there(folder: Path, content: bytes) -> None:
    (folder / "ldfd01vpq_rawtag_a.fits.gz").write_bytes(content)
    assert _listings(folder)["ldfd01010"].missing == []


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="check its address"):
        open_source(str(tmp_path / "nowhere")).list()


def test_products_in_the_source_are_no_inputs(data_dir: Path) -> None:
    found = _listings(data_dir / "ldfd01010")["ldfd01010"]
    assert len(found.files) == 11
    assert not [file.name for file in found.files if "x1d" in file.name]
