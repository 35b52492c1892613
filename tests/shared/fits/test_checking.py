"""Only whole FITS files pass."""

import gzip
import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from shared.errors import PermanentError, TransientError
from shared.fits import check_fits, read_hdus, read_header


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "ldfd01vnq_rawtag_a.fits"
    table = fits.BinTableHDU.from_columns(
        [fits.Column("TIME", "E", array=np.arange(3000.0))], name="EVENTS"
    )
    image = fits.ImageHDU(np.ones((40, 50), dtype=np.int16), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), table, image]).writeto(path, checksum=True)
    return path


def test_whole_files_pass(whole: Path) -> None:
    check_fits(whole)
    zipped = whole.with_name(f"{whole.name}.gz")
    zipped.write_bytes(gzip.compress(whole.read_bytes()))
    check_fits(zipped)


@pytest.mark.parametrize("kept", [0, 100, 2880, 8000, -1, -2880])
def test_truncated_files_are_refused(whole: Path, kept: int) -> None:
    content = whole.read_bytes()
    whole.write_bytes(content[:kept])
    if kept == 2880:  # the primary HDU alone is a FITS file
        check_fits(whole)
        return
    with pytest.raises(PermanentError, match="ldfd01vnq_rawtag_a"):
        check_fits(whole)


def test_truncated_gzip_is_refused(whole: Path) -> None:
    zipped = whole.with_name(f"{whole.name}.gz")
    zipped.write_bytes(gzip.compress(whole.read_bytes())[:-20])
    with pytest.raises(PermanentError, match="gzip"):
        check_fits(zipped)


@pytest.mark.parametrize("where", [6000, -3000])
def test_flipped_bits_are_refused(whole: Path, where: int) -> None:
    content = bytearray(whole.read_bytes())
    content[where] ^= 0x40
    whole.write_bytes(content)
    with pytest.raises(PermanentError):
        check_fits(whole)


@pytest.mark.parametrize(
    "content", [b"garbage" * 1000, b"<html>not found</html>", b"\x1f\x8b" + b"x" * 500]
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.fits"
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=r"garbage\.fits"):
        check_fits(path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("NAXIS1", "99999999999999999999"),
        ("NAXIS2", "9223372036854775807"),
        ("GCOUNT", "4611686018427387904"),
        ("PCOUNT", "1" * 60),
        ("NAXIS2", "100000000000"),
        ("NAXIS1", "NaN"),
        ("BITPIX", "1.0E+20"),
    ],
)
def test_absurd_sizes_are_refused(whole: Path, keyword: str, value: str, zipped: bool) -> None:
    content = whole.read_bytes()
    start = content.index(f"{keyword:8s}=".encode(), 2880)
    content = content[: start + 10] + value.rjust(20).ljust(70).encode() + content[start + 80 :]
    path = whole.with_name(f"{whole.name}.gz") if zipped else whole
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(PermanentError, match=r"ldfd01vnq_rawtag_a\.fits(\.gz)?, HDU 1: "):
        check_fits(path)
    with path.open("rb") as stream, pytest.raises(PermanentError, match="HDU 1: "):
        read_hdus(stream, path.name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", math.nan),
        ("-Inf", -math.inf),
        ("INFINITY", math.inf),
        ("********", "********"),
        ("1.0.0", "1.0.0"),
    ],
)
def test_values_that_are_no_numbers_are_no_damage(
    whole: Path, text: str, value: float | str
) -> None:
    """They cost whoever asks for this keyword.

    As text where it is not even a number that is not finite.
    """
    card = f"EXPTIME = {text:>20s} / [s] exposure time".ljust(80).encode()
    content = (
        whole.read_bytes()
        .replace(b"CHECKSUM= ", b"NO_CHECK= ")
        .replace(b"DATASUM = ", b"NO_SUM  = ")
    )
    end = content.index(b"END" + b" " * 77)
    whole.write_bytes(content[:end] + card + content[end : 2880 - 80] + content[2880:])
    check_fits(whole)
    with whole.open("rb") as stream:
        found = read_header(stream, whole.name)
    assert repr(found["EXPTIME"]) == repr(value)
    assert found["NAXIS"] == 0


def test_trailing_bytes_are_refused(whole: Path) -> None:
    whole.write_bytes(whole.read_bytes() + b"\0" * 2880 + b"x" * 2880)
    with pytest.raises(PermanentError, match="neither an extension"):
        check_fits(whole)


@pytest.mark.parametrize("count", [2880, 3 * 2880, 100])
def test_trailing_zeros_are_a_warning(whole: Path, tmp_path: Path, count: int) -> None:
    extensions = len(read_hdus(io.BytesIO(whole.read_bytes()), whole.name))
    content = whole.read_bytes() + b"\0" * count
    zipped = tmp_path / "zeros.fits.gz"
    zipped.write_bytes(gzip.compress(content))
    whole.write_bytes(content)
    for path in (whole, zipped):
        assert check_fits(path) == (f"{path.name}: there are zeros behind its last extension",)
        with path.open("rb") as stream:
            assert len(read_hdus(stream, path.name)) == extensions


def test_real_files_pass_and_agree_with_astropy(data_dir: Path) -> None:
    paths = sorted(data_dir.rglob("*.fits.gz"))
    assert len(paths) > 50
    for path in paths:
        check_fits(path)
        with path.open("rb") as stream:
            ours = read_header(stream, path.name)
        for keyword, value in fits.getheader(path).items():
            if keyword in ours and keyword not in ("COMMENT", "HISTORY", ""):
                assert ours[keyword] == value or isinstance(value, fits.card.Undefined), (
                    path.name,
                    keyword,
                )


def test_files_that_cannot_be_read_are_not_called_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "ldfd01vnq_spt.fits"
    folder.mkdir()
    for path in (folder, tmp_path / "nowhere.fits"):
        with pytest.raises(TransientError, match=f"{path.name} cannot be read"):
            check_fits(path)


def test_checksum_counts_without_datasum(whole: Path) -> None:
    with fits.open(whole) as hdus:
        for hdu in hdus:
            del hdu.header["DATASUM"]
            hdu.header["CHECKSUM"] = "0" * 16
            hdu.header["CHECKSUM"] = hdu._calculate_checksum(hdu._calculate_datasum())
        hdus.writeto(whole, overwrite=True)
    check_fits(whole)
    assert b"DATASUM" not in whole.read_bytes()
    content = bytearray(whole.read_bytes())
    content[-3000] ^= 0x40
    whole.write_bytes(content)
    with pytest.raises(PermanentError, match="does not agree with its CHECKSUM"):
        check_fits(whole)


def test_header_of_a_stream_that_cannot_seek(whole: Path) -> None:
    """As over HTTP."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as out:
        out.write(gzip.compress(whole.read_bytes()[:50_000]))  # a pipe takes 64 kB
    with os.fdopen(read, "rb") as stream:
        assert read_header(stream, whole.name)["SIMPLE"] is True
