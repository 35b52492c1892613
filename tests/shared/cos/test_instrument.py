"""Which instrument a file is of."""

import pytest

from shared.cos.instrument import check_instrument, instrument_of
from shared.errors import PermanentError


@pytest.mark.parametrize(
    ("header", "instrument"),
    [
        ({"INSTRUME": "COS"}, "COS"),
        ({"INSTRUME": " wfc3 "}, "WFC3"),
        ({"INSTRUME": "FGS", "CONFIG": "COS/FUV"}, "COS"),
        ({"INSTRUME": "FGS", "CONFIG": "STIS/CCD"}, "STIS"),
        ({"INSTRUME": None}, ""),
        ({}, ""),
    ],
)
def test_header_says(header: dict[str, str], instrument: str) -> None:
    assert instrument_of(header) == instrument


def test_other_instruments_are_refused_and_files_that_do_not_say_are_not() -> None:
    check_instrument({"INSTRUME": "COS"}, "a.fits")
    check_instrument({}, "a.fits")
    with pytest.raises(PermanentError, match=r"a\.fits is of STIS"):
        check_instrument({"INSTRUME": "STIS"}, "a.fits")
