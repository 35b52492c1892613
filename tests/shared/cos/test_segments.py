"""Segments that an exposure must have."""

from pathlib import Path

import pytest
from astropy.io import fits

from shared.cos.segments import expected_segments


@pytest.mark.parametrize(
    ("segment", "voltage", "expected"),
    [
        ("FUVA", "NomAB", {"FUVA", "FUVB"}),
        ("FUVB", "NomAB", {"FUVA", "FUVB"}),
        ("FUVA", "NomA", {"FUVA"}),
        ("FUVB", "NomB  ", {"FUVB"}),
        ("FUVA", "NomB", {"FUVA", "FUVB"}),
        ("FUVA", "Low", {"FUVA"}),
        ("FUVB", None, {"FUVB"}),
        ("N/A", "NomAB", set()),
        ("BOTH", "NomAB", set()),
        (None, None, set()),
    ],
)
def test_by_high_voltage(segment: str | None, voltage: str | None, expected: set[str]) -> None:
    header = {"SEGMENT": segment, "DETECTHV": voltage}
    assert expected_segments(header) == expected
    assert (
        expected_segments({key: value for key, value in header.items() if value is not None})
        == expected
    )


def test_real_headers(data_dir: Path) -> None:
    assert expected_segments(
        fits.getheader(data_dir / "ldfd01010/raw/ldfd01vnq_rawtag_a.fits.gz")
    ) == {"FUVA"}
    for name in ("ldngz2szq", "lbhx1epiq"):
        assert (
            expected_segments(fits.getheader(data_dir / f"acquisitions/{name}_rawacq.fits.gz"))
            == frozenset()
        )
