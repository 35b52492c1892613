"""Extraction tables of one mode, and the header of an exposure that takes them."""

from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

TWOZONE = {
    "XTRCTALG": "TWOZONE",
    "X1DCORR": "PERFORM",
    "TRCECORR": "PERFORM",
    "ALGNCORR": "PERFORM",
    "BACKCORR": "PERFORM",
    "TWOZXTAB": "lref$two_2zx.fits",
    "XTRACTAB": "lref$box_1dx.fits",
    "GSAGTAB": "lref$sag_gsag.fits",
    "RANDSEED": 5,
    "DQICORR": "PERFORM",
}


@pytest.fixture
def lref(tmp_path: Path) -> Path:
    """Write extraction tables of one mode, and gain-sagged rows 540 to 549 since MJD 58000."""
    folder = tmp_path / "ref"
    folder.mkdir()

    def write(name: str, columns: list[fits.Column], **keywords: Any) -> None:
        table = fits.BinTableHDU.from_columns(columns)
        table.header.update(keywords)
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / name)

    def rows(*apertures: str) -> list[fits.Column]:
        count = len(apertures)
        names = [fits.Column("SEGMENT", "4A", array=["FUVA"] * count)]
        names += [fits.Column("OPT_ELEM", "8A", array=["G140L"] * count)]
        names += [fits.Column("CENWAVE", "1J", array=[1105] * count)]
        return [*names, fits.Column("APERTURE", "4A", array=list(apertures))]

    numbers = {"B_SPEC": 460.0, "B_BKG1": 420.0, "B_BKG2": 500.0}
    zones = {"LOWER_OUTER": 0.005, "LOWER_INNER": 0.1, "UPPER_INNER": 0.9, "UPPER_OUTER": 0.995}
    two = [
        fits.Column(name, "1D", array=[value] * 2) for name, value in {**numbers, **zones}.items()
    ]
    two += [
        fits.Column(name, "1J", array=[value] * 2)
        for name, value in {"HEIGHT": 51, "BHEIGHT": 21}.items()
    ]
    write("two_2zx.fits", [*rows("BOA", "PSA"), *two])
    box = [fits.Column(name, "1D", array=[value, 560.0]) for name, value in numbers.items()]
    box += [
        fits.Column("SLOPE", "1D", array=[0.0, 0.0]),
        fits.Column("HEIGHT", "1J", array=[35, 31]),
    ]
    write("box_1dx.fits", [*rows("PSA", "WCA"), *box, fits.Column("BHEIGHT", "1J", array=[21, 21])])
    area = {"LX": 1000, "LY": 540, "DX": 5, "DY": 10, "DQ": 8192}
    sag = [fits.Column(name, "1J", array=[value, value]) for name, value in area.items()]
    sag += [fits.Column("DATE", "1D", array=[58000.0, 61000.0])]
    write("sag_gsag.fits", sag, SEGMENT="FUVA", HVLEVELA=163)
    return folder
