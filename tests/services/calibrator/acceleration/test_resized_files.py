"""A file whose header grows is the one that the original writes, and its zeros take no room."""

import errno
import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits.hdu.hdulist import HDUList

from services.calibrator.acceleration.holes import HoleyFile
from services.calibrator.acceleration.resized_files import REPLACEMENT

from .conftest import pair

ORIGINAL, STAND_IN = pair(REPLACEMENT, "_flush_resize")
SHAPE = (256, 1024)


def _make(path: Path) -> None:
    random = np.random.default_rng(5)
    image = np.zeros(SHAPE, dtype=">f4")
    image[100:140] = random.random((40, SHAPE[1]))
    columns = [
        fits.Column("TIME", "E", array=random.random(500)),
        fits.Column("NAME", "8A", array=["abc"] * 500),
    ]
    flags = np.full(SHAPE, 128, dtype=">i2")
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(image, name="SCI"),
        fits.ImageHDU(flags, name="DQ"),
        fits.BinTableHDU.from_columns(columns, name="EVENTS"),
    ]
    fits.HDUList(hdus).writeto(path)


def _grow(hdus: Any, extension: int, cards: int) -> None:
    for number in range(cards):
        hdus[extension].header[f"KEY{number}"] = (number, "of many")


def _grow_twice(hdus: Any) -> None:
    _grow(hdus, 1, 80)
    hdus.flush()
    _grow(hdus, 0, 80)
    hdus[2].data[3, 4] = 16


def _grow_and_change(hdus: Any) -> None:
    _grow(hdus, 3, 40)
    hdus["SCI"].data[7, 7] = 2.5
    hdus["EVENTS"].data["TIME"][3] = 9.0


def _grow_table(hdus: Any) -> None:
    _grow(hdus, 3, 200)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a_flt_a.fits", _grow_table),
        ("a_flt_a.fits", _grow_twice),
        ("a_flt_a.fits", _grow_and_change),
        ("a_flt_a.fits.gz", _grow_table),
        ("a_flt_a.fits.gz", _grow_and_change),
    ],
)
@pytest.mark.parametrize("memmap", [True, False])
def test_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, name: str, memmap: bool
) -> None:
    paths = []
    for function, folder in ((ORIGINAL, tmp_path / "original"), (STAND_IN, tmp_path / "fast")):
        folder.mkdir()
        _make(folder / name)
        monkeypatch.setattr(HDUList, "_flush_resize", function)
        with fits.open(folder / name, mode="update", memmap=memmap) as hdus:
            change(hdus)
        assert [path.name for path in folder.iterdir()] == [name]
        paths.append(folder / name)
    first, second = (path.read_bytes() for path in paths)
    if name.endswith(".gz"):
        first, second = (gzip.decompress(content) for content in (first, second))
    assert first == second
    assert paths[0].stat().st_mode == paths[1].stat().st_mode


def test_zeros_take_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path / "a.fits")
    monkeypatch.setattr(HDUList, "_flush_resize", STAND_IN)
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        _grow(hdus, 1, 80)
    status = (tmp_path / "a.fits").stat()
    empty = 4 * (SHAPE[0] - 40) * SHAPE[1]
    assert status.st_blocks * 512 < status.st_size - 0.95 * empty


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path / "a.fits")

    def fill(self: HoleyFile, content: bytes | memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(HDUList, "_flush_resize", STAND_IN)
    monkeypatch.setattr(HoleyFile, "write", fill)
    hdus = fits.open(tmp_path / "a.fits", mode="update")
    _grow(hdus, 1, 80)
    with pytest.raises(OSError, match="No space left"):
        hdus.flush()
