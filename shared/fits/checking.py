"""Is a file a whole FITS file? A walk over its blocks, plain or gzipped, in bounded memory.

Source: FITS standard 4.0, sections 3 (file organisation), 4.4.1 (mandatory keywords) and 4.4.2.7
(checksums).
"""

import io
import os
from pathlib import Path
from typing import IO

import numpy as np

from shared.errors import PermanentError
from shared.fits.cards import BLOCK, CARD, Header, parse_header
from shared.fits.hdus import MAX_HEADER_BLOCKS, data_size, only_zeros, read_cards
from shared.fits.streams import open_fits, reading

__all__ = ["check_fits"]

_CHUNK = BLOCK * 1024
_ALL_ONES = 0xFFFFFFFF


def check_fits(path: Path) -> tuple[str, ...]:
    """Refuse what is not a whole, uncorrupted FITS file.

    Every header must end, every data unit must be there to the last byte of its last block, nothing
    but zeros may follow, and ``DATASUM`` and ``CHECKSUM`` must agree where they are given. Data of
    a plain file without these are not read.

    Parameters
    ----------
    path
        Local file, plain or gzipped.

    Returns
    -------
    tuple of str
        What is unusual, though CalCOS reads the file all the same.

    Raises
    ------
    PermanentError
        With the name of the file and what is wrong with it.
    TransientError
        If the file cannot be read, which says nothing of its content.
    """
    with reading(path.name), open_fits(path) as stream:
        if path.stat().st_size == 0:
            raise PermanentError(f"{path.name}: the file is empty; fetch it again")
        number = 0
        while (block := stream.read(BLOCK)) or number == 0:
            if number and only_zeros(stream, block):
                return (f"{path.name}: there are zeros behind its last extension",)
            _check_hdu(stream, block, path.name, number)
            number += 1
    return ()


def _check_hdu(stream: IO[bytes], block: bytes, name: str, number: int) -> None:
    """Walk over one HDU, of which the first block is read already."""
    where = f"{name}, HDU {number}"
    raw = read_cards(stream, block, where, number, MAX_HEADER_BLOCKS)
    header = parse_header(raw, where)
    size = data_size(header, where)
    padded = -(-size // BLOCK) * BLOCK
    check = any(isinstance(header.get(keyword), str) for keyword in ("DATASUM", "CHECKSUM"))
    total, left = (
        (0, _pass_over(stream, padded))
        if _is_plain(stream) and not check
        else _read(stream, padded, check)
    )
    if left:
        raise PermanentError(
            f"{where}: truncated, {left} of {padded} bytes of data are missing; fetch it again"
        )
    if check:
        _check_sums(header, raw, total, where)


def _is_plain(stream: IO[bytes]) -> bool:
    return isinstance(stream, io.BufferedReader)


def _pass_over(stream: IO[bytes], count: int) -> int:
    """Go past data of a plain file without reading them.

    Returns how many bytes of them are missing.
    """
    end = stream.tell() + count
    missing = max(end - os.fstat(stream.fileno()).st_size, 0)
    if not missing:
        stream.seek(end)
    return missing


def _read(stream: IO[bytes], count: int, check: bool) -> tuple[int, int]:
    """Read data.

    Returns their 32-bit ones' complement sum, if asked for, and how many bytes of them are missing.
    """
    total, left = 0, count
    while left and (chunk := stream.read(min(left, _CHUNK))):
        left -= len(chunk)
        if check and len(chunk) % 4 == 0:
            total = _ones_sum(chunk, total)
    return total, left


def _ones_sum(content: bytes, total: int) -> int:
    """Return the 32-bit ones' complement sum, continued."""
    total += int(np.frombuffer(content, dtype=">u4").sum(dtype=np.uint64))
    while total > _ALL_ONES:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


def _check_sums(header: Header, raw: bytes, total: int, where: str) -> None:
    stored = str(header.get("DATASUM") or "").strip()
    if (
        stored.isdigit()
        and int(stored) != total
        and not (int(stored) in (0, _ALL_ONES) and total in (0, _ALL_ONES))
    ):
        raise PermanentError(
            f"{where}: its data do not agree with DATASUM ({total} against {stored}); fetch it "
            "again"
        )
    if isinstance(header.get("CHECKSUM"), str) and str(header["CHECKSUM"]).strip("0 "):
        blocks = raw + b"END".ljust(CARD)
        whole = _ones_sum(blocks.ljust(-(-len(blocks) // BLOCK) * BLOCK), total)
        if whole not in (0, _ALL_ONES):
            raise PermanentError(f"{where}: it does not agree with its CHECKSUM; fetch it again")
