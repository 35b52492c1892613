"""File names."""

import pytest

from shared.cos.names import STANDALONE, is_association, parse_name, stem_of
from shared.errors import PermanentError


def test_parts() -> None:
    name = parse_name("LDFD01VNQ_rawtag_a.fits.gz")
    assert (name.rootname, name.suffix, name.stem) == ("ldfd01vnq", "rawtag_a", "LDFD01VNQ_rawtag_a")


@pytest.mark.parametrize("name", ["short_x1d.fits", "ldfd01vnq_x1d.txt", "ldfd01vnq.fits"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="rootname"):
        parse_name(name)


def test_roots() -> None:
    assert is_association("ldfd01010")
    assert stem_of("a.fits") == stem_of("a.fits.gz") == "a"
    assert stem_of("a.txt") is None


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("181137b4.txt", "181137b4", "sms"),
        ("181137B4.l-exp", "181137B4", "sms"),
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


@pytest.mark.parametrize("name", ["LICENSE.txt", "README.txt", "bad_111078a6.txt", "181137b4.log"])
def test_other_texts_are_not_of_cos(name: str) -> None:
    assert stem_of(name) is None
