"""Tables of corrected events are first written as the original writes them."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from services.calibrator.acceleration.event_files import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "writeOutputEvents")


def raw_file(
    path: Path, random: np.random.Generator, count: int, detector: str, gti: bool = True
) -> None:
    """Write raw events, some of them with values that no detector gives."""
    time = np.sort(random.uniform(0, 900, count)).astype(">f4")
    time[::97] = np.nan
    limits = np.iinfo(np.int16)
    columns = [
        fits.Column("TIME", "E", unit="s", array=time),
        fits.Column(
            "RAWX",
            "I",
            unit="pixel",
            array=random.integers(limits.min, limits.max, count, endpoint=True),
        ),
        fits.Column("RAWY", "I", unit="pixel", array=random.integers(0, 1024, count)),
    ]
    if detector == "FUV":
        columns.append(fits.Column("PHA", "B", array=random.integers(0, 256, count)))
    primary = fits.PrimaryHDU()
    primary.header["DETECTOR"], primary.header["FILENAME"] = detector, path.name
    events = fits.BinTableHDU.from_columns(columns, name="EVENTS")
    events.header["EXPTIME"], events.header["TCTYP2"], events.header["TCRVL2"] = (
        900.0,
        "WAVE",
        1291.0,
    )
    hdus = fits.HDUList([primary, events])
    if gti:
        hdus.append(
            fits.BinTableHDU.from_columns([fits.Column("START", "D", array=[0.0])], name="GTI")
        )
    hdus.writeto(path)


@pytest.mark.parametrize("count", [0, 1, 7, 65_536, 70_001])
@pytest.mark.parametrize("detector", ["FUV", "NUV"])
def test_files_are_the_same(tmp_path: Path, count: int, detector: str) -> None:
    raw = tmp_path / "lxxx01abq_rawtag_a.fits"
    raw_file(raw, np.random.default_rng(count), count, detector, gti=count != 7)
    written = []
    for function in (ORIGINAL, STAND_IN):
        path = tmp_path / "lxxx01abq_corrtag_a.fits"
        assert function(str(raw), str(path)) == count
        written.append(path.read_bytes())
        path.unlink()
    assert written[0] == written[1]


def test_corrected_events_are_copied(tmp_path: Path) -> None:
    raw = tmp_path / "raw.fits"
    raw_file(raw, np.random.default_rng(1), 9, "NUV")
    STAND_IN(str(raw), str(tmp_path / "corrected.fits"))
    assert STAND_IN(str(tmp_path / "corrected.fits"), str(tmp_path / "copy.fits")) == 9
    assert (tmp_path / "copy.fits").read_bytes() == (tmp_path / "corrected.fits").read_bytes()


def test_a_raw_file_without_a_column_fails_alike(tmp_path: Path) -> None:
    raw = tmp_path / "raw.fits"
    raw_file(raw, np.random.default_rng(1), 9, "NUV")
    shutil.copy(raw, tmp_path / "fuv.fits")
    fits.setval(
        tmp_path / "fuv.fits", "DETECTOR", value="FUV"
    )  # its events would have a pulse height
    for function in (ORIGINAL, STAND_IN):
        with pytest.raises(KeyError, match="PHA"):
            function(str(tmp_path / "fuv.fits"), str(tmp_path / "corrected.fits"))
        assert not (tmp_path / "corrected.fits").exists()


@pytest.mark.parametrize(
    ("column", "cards"),
    [
        (fits.Column("RAWX", "E", array=np.linspace(-9.7, 40_000.0, 9)), {}),
        (fits.Column("RAWX", "I", array=np.arange(9)), {"TSCAL2": 0.5}),
        (fits.Column("RAWX", "I", array=np.arange(9)), {"TZERO2": 32768}),
        (fits.Column("RAWX", "J", array=np.arange(9) * 10_000), {}),
        (fits.Column("RAWX", "2I", array=np.ones((9, 2))), {}),
        (fits.Column("RAWX", "4A", array=["7"] * 9), {}),
        (fits.Column("rawx", "I", array=np.arange(9)), {}),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_raw_events_of_other_forms(
    tmp_path: Path, column: fits.Column, cards: dict[str, Any]
) -> None:
    raw = tmp_path / "raw.fits"
    raw_file(raw, np.random.default_rng(1), 9, "NUV")
    with fits.open(raw, mode="update", memmap=False) as hdus:
        time, _, row = hdus[1].columns
        hdus[1] = fits.BinTableHDU.from_columns(
            [time, column, row], header=hdus[1].header, name="EVENTS"
        )
    for keyword, value in cards.items():
        fits.setval(raw, keyword, value=value, ext=1)
    results = []
    for function in (ORIGINAL, STAND_IN):
        path = tmp_path / "corrected.fits"
        try:
            function(str(raw), str(path))
            results.append(path.read_bytes())
            path.unlink()
        except ValueError as error:
            results.append(str(error).encode())
    assert results[0] == results[1]
