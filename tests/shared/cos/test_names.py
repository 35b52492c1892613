"""File names."""

import pytest

from shared.cos.names import STANDALONE, parse_name, stem_of
from shared.errors import PermanentError


@pytest.mark.parametrize(
    "name",
    [
        "ldfd01vnq_rawtag_a.fits.gz",
        "LDFD01VNQ_rawtag_a.fits.gz",
        "LDFD01VNQ_RAWTAG_A.FITS.GZ",
        "Ldfd01vnq_rawtag_A.Fits.gz",
    ],
)
def test_case_of_a_name_does_not_matter(name: str) -> None:
    found = parse_name(name)
    assert (found.rootname, found.suffix, found.stem) == (
        "ldfd01vnq",
        "rawtag_a",
        "ldfd01vnq_rawtag_a",
    )
    assert found.name == "ldfd01vnq_rawtag_a.fits.gz"


@pytest.mark.parametrize(
    ("name", "rootname", "suffix"),
    [
        ("STAR_ALL_x1dsum.fits.gz", "star_all", "x1dsum"),
        ("star_all_x1dsum3.fits", "star_all", "x1dsum3"),
        ("my star.v2_asn.fits", "my star.v2", "asn"),
        ("abcdefghi_x_fltsum.fits", "abcdefghi_x", "fltsum"),
        ("star_jnk.fits", "star", "jnk"),
        ("ldfd01010_asn.fits", "ldfd01010", "asn"),
        ("ldfd01010_x1dsum1.fits", "ldfd01010", "x1dsum1"),
    ],
)
def test_associations_and_their_products_have_any_name(
    name: str, rootname: str, suffix: str
) -> None:
    found = parse_name(name)
    assert (found.rootname, found.suffix) == (rootname, suffix)


@pytest.mark.parametrize(
    "name",
    [
        "short_x1d.fits",
        "ldfd01vnq_x1d.txt",
        "ldfd01vnq.fits",
        "ldfd01vnq_rawtag_a(1).fits",
        "ldfd01vnq_rawtag_a (1).fits.gz",
        "ldfd01010_asn - Copy.fits.zip",
        "ldfd01010_asn.fits.fz",
        ".._asn.fits",
        "x/y_asn.fits",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="rootname"):
        parse_name(name)
    assert stem_of(name) is None


def test_plain_and_gzipped_twins_have_one_stem() -> None:
    assert stem_of("ldfd01vnq_spt.fits") == stem_of("LDFD01VNQ_SPT.FITS.GZ") == "ldfd01vnq_spt"


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("181137b4.txt", "181137b4", "sms"),
        ("181137B4.l-exp", "181137b4", "sms"),
        ("l_2017300120000_00_163_cci.fits.gz", "l_2017300120000_00_163_cci", "cci"),
        ("l_2017300120000_03_169_cci.fits", "l_2017300120000_03_169_cci", "cci"),
        ("orbital_info.json.gz", "orbital_info", "darkrates"),
        ("LDCAMPAT.txt", "LDCAMPAT", "readings"),
    ],
)
def test_files_of_no_exposure(name: str, stem: str, suffix: str) -> None:
    found = parse_name(name)
    assert (found.stem, found.rootname, found.suffix) == (stem, stem.lower(), suffix)
    assert stem_of(name) == stem
    assert suffix in STANDALONE


@pytest.mark.parametrize("version", ["b1", "bd", "b1a", "b10"])
def test_versions_of_reports(version: str) -> None:
    assert parse_name(f"180147{version}.txt").rootname == f"180147{version}"
    assert parse_name(f"180147{version}.txt".upper().replace("TXT", "txt")).suffix == "sms"


@pytest.mark.parametrize(
    "mnemonic",
    [
        "LDIBT",
        "LDVABPT",
        "LMCHAMPT",
        "LMCPCMDD",
        "LMHIBIAS",
        "LMPCVOLT",
        "LNELBOXT",
        "METPSPR",
        "LSHPOS",
        "LNTUBET",
        "QDVEFGS1",
        "ABC",
    ],
)
def test_mnemonics_are_recognized_by_their_form(mnemonic: str) -> None:
    assert parse_name(f"{mnemonic}.txt").suffix == "readings"
    assert stem_of(f"{mnemonic}.TXT") is None
    assert stem_of(f"{mnemonic}_OLD.txt") is None


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE.txt",
        "NOTICE.txt",
        "TODO.txt",
        "AB.txt",
        "ABCDEFGHI.txt",
        "README.txt",
        "bad_111078a6.txt",
        "181137b4.log",
    ],
)
def test_other_texts_are_not_of_cos(name: str) -> None:
    assert stem_of(name) is None
