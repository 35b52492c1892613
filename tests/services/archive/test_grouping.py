"""Which files make a dataset, and what is missing."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from astropy.io import fits

from services.archive.grouping import DatasetListing, Grouping, group
from services.archive.metadata import FileMetadata, is_input, read_facts
from services.archive.sources import SourceFile, open_source
from shared.cos.association import Association, Row
from shared.cos.names import is_product, parse_name


def _grouping(folder: Path) -> Grouping:
    source = open_source(str(folder))
    files = [file for file in source.list().files if is_input(parse_name(file.name))]
    facts = {file.stem: read_facts(partial(source.open, file), file.name) for file in files}
    return group(files, facts)


def _listings(folder: Path) -> dict[str, DatasetListing]:
    return {listing.rootname: listing for listing in _grouping(folder).datasets}


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
    """Rewrite a gzipped file, plain, with other primary keywords."""
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


def test_missing_pulse_heights_of_accum_are_named(folder: Path) -> None:
    path = folder / "ldfd01vnq_rawtag_a.fits.gz"
    _set_keywords(path, OBSMODE="ACCUM", PHACORR="perform")
    (folder / "ldfd01vnq_rawtag_a.fits").rename(folder / "ldfd01vnq_rawaccum_a.fits")
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01vnq_pha_a"]
    shutil.copyfile(folder / "ldfd01vnq_rawaccum_a.fits", folder / "ldfd01vnq_pha_a.fits")
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


def _edit_table(folder: Path, edit: Callable[[fits.FITS_rec], fits.FITS_rec]) -> None:
    """Write the association table again, plain."""
    path = folder / "ldfd01010_asn.fits.gz"
    with fits.open(path) as hdus:
        hdus["ASN"].data = edit(hdus["ASN"].data)
        hdus.writeto(path.with_suffix(""))
    path.unlink()


def _switch_off(rows: fits.FITS_rec) -> fits.FITS_rec:
    rows["MEMPRSNT"][3] = False
    return rows


@pytest.mark.parametrize(
    ("edit", "reason"),
    [(_switch_off, "MEMPRSNT"), (lambda rows: rows[[0, 1, 2, 4]], "does not list it")],
)
@pytest.mark.parametrize("there", [True, False])
def test_exposure_that_the_table_leaves_out(
    folder: Path, edit: Callable[[fits.FITS_rec], fits.FITS_rec], reason: str, there: bool
) -> None:
    _edit_table(folder, edit)
    if not there:
        for path in folder.glob("ldfd01vtq_*"):
            path.unlink()
    grouping = _grouping(folder)
    found = {listing.rootname: listing for listing in grouping.datasets}
    assert set(found) == {"ldfd01010", "ldfd01vlq"}
    association = found["ldfd01010"]
    assert association.members == ["ldfd01vnq", "ldfd01vpq", "ldfd01vrq"]
    assert association.missing == []
    assert not [file for file in association.files if "vtq" in file.name]
    if there or reason == "MEMPRSNT":
        assert reason in association.left_aside["ldfd01vtq"]
    off = {"ldfd01vtq_rawtag_a", "ldfd01vtq_spt"} if there else set()
    assert {file.stem for file in grouping.switched_off} == off


def test_row_added_by_hand_brings_an_exposure_of_another_visit_in(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    for suffix in ("rawtag_a", "spt"):
        with fits.open(folder / f"ldfd01vnq_{suffix}.fits.gz") as hdus:
            hdus[0].header["ASN_ID"] = "LXXX01010"
            hdus[0].header["EXPTYPE"] = "WAVECAL"
            hdus.writeto(other / f"lxxx01abq_{suffix}.fits")

    def add(rows: fits.FITS_rec) -> fits.FITS_rec:
        hdu = fits.BinTableHDU.from_columns(rows.columns, nrows=6)
        hdu.data[5] = ("lxxx01abq", "exp-gwave", True)
        return hdu.data

    _edit_table(folder, add)
    found = _listings(folder.parent)
    assert set(found) == {"ldfd01010", "ldfd01vlq"}
    assert found["ldfd01010"].members[-1] == "lxxx01abq"
    assert {"lxxx01abq_rawtag_a", "lxxx01abq_spt"} <= {
        file.stem for file in found["ldfd01010"].files
    }
    assert found["ldfd01010"].missing == []


def test_association_file_has_any_name(folder: Path) -> None:
    (folder / "ldfd01010_asn.fits.gz").rename(folder / "My Star_asn.fits.gz")
    found = _listings(folder)
    assert set(found) == {"my star", "ldfd01vlq", "ldfd01010"}
    assert {file.stem for file in found["ldfd01010"].files} == {"ldfd01010_jit", "ldfd01010_jif"}
    assert (found["my star"].kind, found["my star"].missing) == ("association", [])
    assert len(found["my star"].members) == 4


def test_names_in_upper_case_and_with_other_endings(folder: Path) -> None:
    expected = _listings(folder)
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.upper())
    found = _listings(folder)
    for rootname, listing in expected.items():
        assert [file.name for file in found[rootname].files] == [
            file.name for file in listing.files
        ]
        assert (found[rootname].members, found[rootname].missing) == (listing.members, [])


def test_integer_presence_misses_the_right_file(folder: Path) -> None:
    def as_integers(rows: fits.FITS_rec) -> fits.FITS_rec:
        columns = [column for column in rows.columns if column.name != "MEMPRSNT"]
        columns.append(fits.Column("MEMPRSNT", "K", array=[1, 1, 1, 1, 1]))
        return fits.BinTableHDU.from_columns(columns).data

    _edit_table(folder, as_integers)
    (folder / "ldfd01vtq_rawtag_a.fits.gz").unlink()
    assert _listings(folder)["ldfd01010"].missing == ["ldfd01vtq_raw*"]


def test_conflicting_versions_make_their_dataset_incomplete(folder: Path) -> None:
    source = open_source(str(folder))
    files = [file for file in source.list().files if is_input(parse_name(file.name))]
    facts = {file.stem: read_facts(partial(source.open, file), file.name) for file in files}
    for stem, missing in (("ldfd01vnq_spt", "ldfd01vnq_spt"), ("ldfd01010_asn", "ldfd01010_asn")):
        datasets = group(files, facts, conflicts={stem: f"{stem}: a and b differ"}).datasets
        (found,) = [listing for listing in datasets if listing.rootname == "ldfd01010"]
        assert found.kind == "association"
        assert found.missing == [missing, f"{stem}: a and b differ"]
        assert stem not in {file.stem for file in found.files}


def test_support_files_without_raw_data_are_a_dataset(folder: Path) -> None:
    """What is of use with raw data only is an orphan."""
    (folder / "ldfd01vlq_rawacq.fits.gz").unlink()
    (folder / "ldfd01vtq_rawtag_a.fits.gz").rename(folder / "lxxx01abq_pha_a.fits.gz")
    grouping = _grouping(folder)
    (found,) = [listing for listing in grouping.datasets if listing.rootname == "ldfd01vlq"]
    assert (found.kind, found.missing) == ("products", [])
    assert {file.stem for file in found.files} == {
        "ldfd01vlq_spt",
        "ldfd01vlj_jit",
        "ldfd01vlj_jif",
    }
    assert {file.stem for file in grouping.orphans} == {"lxxx01abq_pha_a"}


@pytest.mark.parametrize(
    ("suffix", "keywords", "foreign"),
    [
        ("spt", {"INSTRUME": "STIS"}, True),
        ("spt", {"INSTRUME": "cos "}, False),
        ("asn", {"INSTRUME": "WFC3"}, True),
        ("asn", {}, False),
        ("jit", {"INSTRUME": "FGS", "CONFIG": "STIS/CCD"}, True),
        ("jit", {"INSTRUME": "FGS", "CONFIG": "COS/FUV"}, False),
        ("rawtag", {"INSTRUME": "STIS"}, True),
    ],
)
def test_instrument_is_what_the_header_says(
    tmp_path: Path, suffix: str, keywords: dict[str, str], foreign: bool
) -> None:
    fits.PrimaryHDU(header=fits.Header(keywords)).writeto(tmp_path / f"o6gp01020_{suffix}.fits")
    source = open_source(str(tmp_path))
    (file,) = source.list().files
    facts = read_facts(partial(source.open, file), file.name)
    assert facts.is_foreign is foreign
    assert FileMetadata.from_dict(facts.to_dict()) == facts


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
    names = [
        "ldfd01vnr_rawtag",
        "ldfd01vnr_spt",
        "ldfd01vnj_jit",
        "ldfd01vnj_jif",
        "ldfd01vpq_rawtag",
        "ldfd01vpj_jit",
    ]
    listings = group([_file(name) for name in names], dict.fromkeys(names, FileMetadata())).datasets
    found = {listing.rootname: listing for listing in listings}
    assert {file.stem for file in found["ldfd01vnr"].files} == set(names[:4])
    assert {file.stem for file in found["ldfd01vpq"].files} == set(names[4:])


def test_jitter_of_a_member_without_other_files() -> None:
    names = [
        "ldfd01010_asn",
        "ldfd01vns_rawtag",
        "ldfd01vns_spt",
        "ldfd01vpr_spt",
        "ldfd01vpj_jit",
        "ldfd01010_jit",
    ]
    table = Association(
        "ldfd01010_asn.fits", (Row("ldfd01vns", "EXP-FP", True), Row("ldfd01vpr", "EXP-FP", True))
    )
    facts = {
        **dict.fromkeys(names, FileMetadata()),
        "ldfd01010_asn": FileMetadata(association=table),
    }
    (found,) = group([_file(name) for name in names], facts).datasets
    assert {file.stem for file in found.files} == set(names)
    assert found.missing == ["ldfd01vpr_raw*"]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x1f\x8bgarbage"])
@pytest.mark.parametrize("name", ["ldfd01vpq_rawtag_a.fits.gz", "ldfd01010_asn.fits.gz"])
def test_unreadable_files_count_as_there(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert _listings(folder)["ldfd01010"].missing == []


def test_products_in_the_source_belong_to_the_dataset_of_their_exposures(data_dir: Path) -> None:
    found = _listings(data_dir / "ldfd01010")
    products = [file for file in found["ldfd01010"].files if is_product(parse_name(file.name))]
    assert (len(found["ldfd01010"].files), len(products)) == (21, 10)
    assert {name: listing.kind for name, listing in found.items()} == {
        "ldfd01010": "association",
        "ldfd01vlq": "acquisition",
    }
    assert "ldfd01vlq_trl" in {file.stem for file in found["ldfd01vlq"].files}


def test_facts_of_an_earlier_version_are_not_final() -> None:
    earlier = {
        "members": [],
        "asn_id": "ldfd01010",
        "segment": "FUVA",
        "acquisitions": [],
        "error": "",
    }
    assert not FileMetadata.from_dict(earlier).final
    assert FileMetadata.from_dict(earlier).asn_id == "ldfd01010"
    assert FileMetadata.from_dict(FileMetadata(segments=["FUVA"]).to_dict()) == FileMetadata(
        segments=["FUVA"]
    )
    assert FileMetadata().final
    assert not FileMetadata(error="truncated").final


def test_scanning_does_not_import_astropy() -> None:
    code = "import services.archive.scan, sys; sys.exit('astropy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
