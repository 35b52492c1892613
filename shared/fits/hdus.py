"""The headers of a file and where its data are, found without reading the data."""

import os
from dataclasses import dataclass, field
from typing import IO

from shared.errors import PermanentError
from shared.fits.cards import BLOCK, CARD, Header, Value, parse_header
from shared.fits.streams import inflated, reading

__all__ = [
    "MAX_HEADER_BLOCKS",
    "Hdu",
    "data_size",
    "only_zeros",
    "read_cards",
    "read_hdus",
    "read_header",
]

MAX_HEADER_BLOCKS = 2000
"""Most header blocks of a file (5.8 MB).

A COS support file, the richest kind, has about a hundred.
"""

_BITPIX = (8, 16, 32, 64, -32, -64)
_LARGEST = 1 << 50
"""Most bytes of a data unit: a million gigabytes, which no file has and a file can still seek to.
"""
_MAX_AXES = 999
_SKIP = 1 << 20


_SMALL = 16 * BLOCK
"""Data of so many bytes are kept where they are passed anyway: good time intervals lie behind the
events.
"""


@dataclass(frozen=True)
class Hdu:
    """Header and data unit.

    Attributes
    ----------
    header
        Its keywords.
    start, size
        Where its data are in the inflated file, bytes.
    content
        The data, where they are few in a gzipped file; each look for them would inflate all that
        lies before.
    """

    header: Header
    start: int
    size: int
    content: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Name of the extension, upper case."""
        return str(self.header.get("EXTNAME", "")).upper()

    @property
    def version(self) -> int:
        """Version of the extension among those of its name, from 1."""
        found = self.header.get("EXTVER", 1)
        return found if isinstance(found, int) else 1


def read_hdus(stream: IO[bytes], name: str) -> list[Hdu]:
    """Return every header of a file.

    Parameters
    ----------
    stream
        Plain or gzipped content that can seek, at its first byte.
    name
        Name of the file, for errors.

    Raises
    ------
    PermanentError
        If it is not a FITS file, or it is truncated or damaged; the message says where.
    """
    with reading(name):
        content = inflated(stream)
        length = None if content is not stream else _length(stream)
        found: list[Hdu] = []
        budget, position = MAX_HEADER_BLOCKS, 0
        while block := content.read(BLOCK):
            if found and only_zeros(content, block):
                break
            where = f"{name}, HDU {len(found)}"
            raw = read_cards(content, block, where, len(found), budget)
            blocks = len(raw) // BLOCK + 1
            budget -= blocks
            header = parse_header(raw, where)
            size = data_size(header, where)
            kept = content.read(size) if length is None and size <= _SMALL else None
            hdu = Hdu(header, position + blocks * BLOCK, size, kept)
            position = hdu.start + -(-hdu.size // BLOCK) * BLOCK
            _skip(content, position, length, where)
            found.append(hdu)
        if not found:
            raise PermanentError(f"{name}: the file is empty; fetch it again")
    return found


def only_zeros(content: IO[bytes], block: bytes) -> bool:
    """Return whether nothing but zeros follows, which readers of FITS pass over.

    Content is read up to the first other byte.

    Parameters
    ----------
    content
        Inflated content behind the block.
    block
        A block behind a data unit.
    """
    while block and not block.strip(b"\0"):
        block = content.read(BLOCK)
    return not block


def read_header(stream: IO[bytes], name: str) -> dict[str, Value]:
    """Return the keywords of the primary header.

    Parameters
    ----------
    stream
        Plain or gzipped content at its first byte, buffered or able to seek.
    name
        Name of the file, for errors.

    Raises
    ------
    PermanentError
        If it is not a FITS file.
    """
    where = f"{name}, HDU 0"
    with reading(name):
        content = inflated(stream)
        return parse_header(
            read_cards(content, content.read(BLOCK), where, 0, MAX_HEADER_BLOCKS), where
        )


def _length(stream: IO[bytes]) -> int:
    length = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return length


def _skip(content: IO[bytes], position: int, length: int | None, where: str) -> None:
    """Go to the end of a data unit, which must be there."""
    if length is not None:
        missing = position - length
        if missing <= 0:
            content.seek(position)
    else:
        missing = position - content.tell()
        while missing and (chunk := content.read(min(missing, _SKIP))):
            missing -= len(chunk)
    if missing > 0:
        raise PermanentError(
            f"{where}: truncated, {missing} bytes of data are missing; fetch it again"
        )


def read_cards(content: IO[bytes], block: bytes, where: str, number: int, budget: int) -> bytes:
    """Return the cards of a header up to its END, which is left out.

    Parameters
    ----------
    content
        Inflated content, behind the header's first block.
    block
        That block.
    where
        File and HDU, for errors.
    number
        Number of the HDU; the first one begins differently.
    budget
        Most blocks that the header may have.

    Raises
    ------
    PermanentError
        If it is no header, or has no end.
    """
    first = b"SIMPLE  =" if number == 0 else b"XTENSION="
    if not block.startswith(first):
        what = "not a FITS file" if number == 0 else "neither an extension nor the end of the file"
        raise PermanentError(f"{where}: {what} (it starts with {block[:9]!r}); fetch it again")
    parts: list[bytes] = []
    while len(parts) < budget:
        if len(block) < BLOCK:
            raise PermanentError(f"{where}: truncated in its header; fetch it again")
        end = _end(block)
        if end is not None:
            return b"".join((*parts, block[:end]))
        parts.append(block)
        block = content.read(BLOCK)
    raise PermanentError(f"{where}: its header has no end within {budget} blocks")


def _end(block: bytes) -> int | None:
    """Return the offset of the END card of a block."""
    start = 0
    while (start := block.find(b"END     ", start)) != -1:
        if start % CARD == 0 and not block[start + 3 : start + CARD].strip():
            return start
        start += 1
    return None


def _count(header: Header, keyword: str, where: str, default: int | None = None) -> int:
    value = header.get(keyword, default)
    if not isinstance(value, int) or isinstance(value, bool) or (keyword != "BITPIX" and value < 0):
        raise PermanentError(f"{where}: {keyword} is {value!r}, not a count")
    return value


def data_size(header: Header, where: str) -> int:
    """Return the bytes of data without padding.

    |BITPIX|/8 x GCOUNT x (PCOUNT + NAXIS1 x ... x NAXISm).

    Raises
    ------
    PermanentError
        If a keyword that says it is missing or wrong.
    """
    bitpix, axes = _count(header, "BITPIX", where), _count(header, "NAXIS", where)
    if bitpix not in _BITPIX:
        raise PermanentError(f"{where}: BITPIX is {bitpix}, which FITS does not know")
    if axes > _MAX_AXES:
        raise PermanentError(f"{where}: NAXIS is {axes}; FITS knows at most {_MAX_AXES}")
    if axes == 0:
        return 0
    elements = 1
    for axis in range(1, axes + 1):
        elements *= _count(header, f"NAXIS{axis}", where)
    size = (
        abs(bitpix)
        // 8
        * _count(header, "GCOUNT", where, 1)
        * (_count(header, "PCOUNT", where, 0) + elements)
    )
    if size > _LARGEST:
        shape = " x ".join(str(header[f"NAXIS{axis}"]) for axis in range(1, axes + 1))
        raise PermanentError(
            f"{where}: its data would be larger than any file ({shape} elements); fetch it again"
        )
    return size
