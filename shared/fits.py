"""Is a file a whole FITS file? A walk over its blocks, plain or gzipped, in bounded memory.

Source: FITS standard 4.0, sections 3 (file organisation), 4.4.1 (mandatory keywords) and 4.4.2.7 (checksums).
"""

import gzip
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from shared.errors import PermanentError, TransientError

__all__ = ["Header", "check_fits", "read_header"]

_BLOCK = 2880
_CARD = 80
_CHUNK = _BLOCK * 1024
_MAX_HEADER_BLOCKS = 2000
_BITPIX = (8, 16, 32, 64, -32, -64)
_ALL_ONES = 0xFFFFFFFF
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)
"""What the content of a gzip file raises; any other OSError is of the disk."""

Value = str | int | float | bool | None
Header = Mapping[str, Value]


def open_fits(path: Path) -> IO[bytes]:
    """Open a plain or gzipped file, told apart by its first bytes."""
    with path.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def check_fits(path: Path) -> None:
    """Refuse what is not a whole, uncorrupted FITS file.

    Every header must end, every data unit must be there to the last byte of its last block, nothing may follow, and
    ``DATASUM`` and ``CHECKSUM`` must agree where they are given.

    Parameters
    ----------
    path
        Local file, plain or gzipped.

    Raises
    ------
    PermanentError
        With the name of the file and what is wrong with it.
    TransientError
        If the file cannot be read, which says nothing of its content.
    """
    try:
        if path.stat().st_size == 0:
            raise PermanentError(f"{path.name}: the file is empty; fetch it again")
        with open_fits(path) as stream:
            number = 0
            while _check_hdu(stream, path.name, number):
                number += 1
    except _DAMAGED as error:
        raise PermanentError(f"{path.name}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise TransientError(f"{path} cannot be read: {error}; check the disk and the permissions") from error


def _check_hdu(stream: IO[bytes], name: str, number: int) -> bool:
    """Walk over one HDU; False at the end of the file."""
    block = stream.read(_BLOCK)
    if not block and number > 0:
        return False
    where = f"{name}, HDU {number}"
    header, raw = _header(stream, block, where, number)
    size = _data_size(header, where)
    padded = -(-size // _BLOCK) * _BLOCK
    check = any(isinstance(header.get(keyword), str) for keyword in ("DATASUM", "CHECKSUM"))
    total, left = 0, padded
    while left:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            raise PermanentError(f"{where}: truncated, {left} of {padded} bytes of data are missing; fetch it again")
        left -= len(chunk)
        if check and len(chunk) % 4 == 0:
            total = _ones_sum(chunk, total)
    if check:
        _check_sums(header, raw, total, where)
    return True


def _header(stream: IO[bytes], block: bytes, where: str, number: int) -> tuple[dict[str, Value], bytes]:
    first = b"SIMPLE  =" if number == 0 else b"XTENSION="
    if not block.startswith(first):
        what = "not a FITS file" if number == 0 else "neither an extension nor the end of the file"
        raise PermanentError(f"{where}: {what} (it starts with {block[:9]!r}); fetch it again")
    header: dict[str, Value] = {}
    raw = b""
    for _ in range(_MAX_HEADER_BLOCKS):
        if len(block) < _BLOCK:
            raise PermanentError(f"{where}: truncated in its header; fetch it again")
        raw += block
        for start in range(0, _BLOCK, _CARD):
            card = block[start : start + _CARD]
            if card.rstrip() == b"END":
                return header, raw
            keyword, value = _card(card)
            if keyword:
                header.setdefault(keyword, value)
        block = stream.read(_BLOCK)
    raise PermanentError(f"{where}: its header has no end within {_MAX_HEADER_BLOCKS} blocks")


def _card(card: bytes) -> tuple[str, Value]:
    """Keyword and value of a card; blank keyword for comments and the like."""
    if card[8:10] != b"= ":
        return "", None
    keyword = card[:8].decode("ascii", "replace").strip()
    text = card[10:].decode("ascii", "replace").strip()
    if text.startswith("'"):
        end = 1
        while (end := text.find("'", end)) != -1 and text[end : end + 2] == "''":
            end += 2
        return keyword, text[1 : end if end != -1 else None].replace("''", "'").rstrip()
    text = text.split("/", 1)[0].strip()
    if text in ("T", "F"):
        return keyword, text == "T"
    for kind in (int, float):
        try:
            return keyword, kind(text.replace("D", "E") if kind is float else text)
        except ValueError:
            continue
    return keyword, None


def _integer(header: Header, keyword: str, where: str, default: int | None = None) -> int:
    value = header.get(keyword, default)
    if not isinstance(value, int) or isinstance(value, bool) or (keyword != "BITPIX" and value < 0):
        raise PermanentError(f"{where}: {keyword} is {value!r}, not a count")
    return value


def _data_size(header: Header, where: str) -> int:
    """Bytes of data without padding: |BITPIX|/8 x GCOUNT x (PCOUNT + NAXIS1 x ... x NAXISm)."""
    bitpix = _integer(header, "BITPIX", where)
    if bitpix not in _BITPIX:
        raise PermanentError(f"{where}: BITPIX is {bitpix}, which FITS does not know")
    axes = _integer(header, "NAXIS", where)
    if axes == 0:
        return 0
    elements = 1
    for axis in range(1, axes + 1):
        elements *= _integer(header, f"NAXIS{axis}", where)
    pcount, gcount = _integer(header, "PCOUNT", where, 0), _integer(header, "GCOUNT", where, 1)
    return abs(bitpix) // 8 * gcount * (pcount + elements)


def _ones_sum(content: bytes, total: int) -> int:
    """32-bit ones' complement sum, continued."""
    total += int(np.frombuffer(content, dtype=">u4").sum(dtype=np.uint64))
    while total > _ALL_ONES:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


def _check_sums(header: Header, raw: bytes, total: int, where: str) -> None:
    stored = str(header.get("DATASUM") or "").strip()
    if stored.isdigit() and int(stored) != total and not (int(stored) in (0, _ALL_ONES) and total in (0, _ALL_ONES)):
        raise PermanentError(f"{where}: its data do not agree with DATASUM ({total} against {stored}); fetch it again")
    if isinstance(header.get("CHECKSUM"), str) and str(header["CHECKSUM"]).strip("0 "):
        whole = _ones_sum(raw, total)
        if whole not in (0, _ALL_ONES):
            raise PermanentError(f"{where}: it does not agree with its CHECKSUM; fetch it again")


def read_header(stream: "io.BufferedReader[Any]", name: str) -> dict[str, Value]:
    """Keywords of the primary header.

    Parameters
    ----------
    stream
        Plain or gzipped content, from its first byte; it need not be able to seek.
    name
        Name of the file, for errors.

    Raises
    ------
    PermanentError
        If it is not a FITS file.
    """
    zipped = stream.peek(2)[:2] == b"\x1f\x8b"
    content: IO[bytes] = gzip.GzipFile(fileobj=stream) if zipped else stream  # type: ignore[assignment]
    try:
        return _header(content, content.read(_BLOCK), f"{name}, HDU 0", 0)[0]
    except _DAMAGED as error:
        raise PermanentError(f"{name}: damaged gzip file ({error}); fetch it again") from error
