"""File names."""

import pytest

from shared.cos.names import is_association, parse_name, stem_of
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
