"""Real files whose keywords are set, one at a time, to values that no file should have."""

import gzip
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from shared.cos.names import parse_name

__all__ = ["VALUES", "Mutation", "base_of", "mutated", "mutations_of", "renamed"]

_CARD = 80
_EVENTS = 3000
"""Events that are kept of a real table of them: what follows from headers does not need more."""

VALUES = ("NAN", "1.0E9", "-1", "1.0E20", "''", "'N/A'", "'abc'", "12345")
"""Values as cards have them; the last two are text for a number and a number for text."""

_STRUCTURE = (
    "SIMPLE",
    "BITPIX",
    "NAXIS",
    "EXTEND",
    "PCOUNT",
    "GCOUNT",
    "TFIELDS",
    "TTYPE",
    "TFORM",
    "TDISP",
    "TUNIT",
    "TDIM",
    "TNULL",
    "TSCAL",
    "TZERO",
    "BSCALE",
    "BZERO",
    "XTENSION",
    "EXTNAME",
    "EXTVER",
    "END",
    "COMMENT",
    "HISTORY",
    "CONTINUE",
    "CHECKSUM",
    "DATASUM",
    "NEXTEND",
    "GROUPS",
)
"""Beginnings of the keywords that say how a file is built: what becomes of such damage has tests of
its own.
"""

_ALIKE = ("ROOTNAME", "INSTRUME")
"""Keywords that decide whose file it is: one that says otherwise is no file of the exposure."""


@dataclass(frozen=True)
class Mutation:
    """A card that is set to a value: where its 80 bytes begin, its keyword, and the value."""

    start: int
    keyword: str
    value: str


def base_of(path: Path) -> bytes:
    """Return the content of a real file, with the first of its events and without checksums, which
    no longer would be right.
    """
    content = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    with fits.open(io.BytesIO(content)) as hdus:
        for hdu in hdus:
            for keyword in ("CHECKSUM", "DATASUM"):
                hdu.header.remove(keyword, ignore_missing=True)
        if parse_name(path.name).suffix.startswith(("rawtag", "corrtag")):
            hdus[1] = fits.BinTableHDU(hdus[1].data[:_EVENTS], hdus[1].header)
        buffer = io.BytesIO()
        hdus.writeto(buffer, output_verify="ignore")
    return buffer.getvalue()


def renamed(content: bytes, rootname: str) -> bytes:
    """Return the content as the file of another exposure."""
    for start in list(_cards(content)):
        if content[start : start + 8] == b"ROOTNAME":
            card = f"ROOTNAME= '{rootname:9}'".ljust(_CARD).encode()
            content = content[:start] + card + content[start + _CARD :]
    return content


def mutations_of(content: bytes) -> list[Mutation]:
    """Return every value in every card of a file, in an order of chance that is the same each
    time.
    """
    found = [
        Mutation(start, keyword, value)
        for start in _cards(content)
        for value in VALUES
        if not (keyword := content[start : start + 8].decode().strip()).startswith(_STRUCTURE)
        and keyword not in _ALIKE
    ]
    random.Random(1).shuffle(found)
    return found


def mutated(content: bytes, mutation: Mutation) -> bytes:
    """Return the content with one card set."""
    card = f"{mutation.keyword:8}= {mutation.value:>20}".ljust(_CARD).encode()
    return content[: mutation.start] + card + content[mutation.start + _CARD :]


def _cards(content: bytes) -> Iterator[int]:
    """Yield where the cards with values begin."""
    with fits.open(io.BytesIO(content)) as hdus:
        places = [(hdu.fileinfo()["hdrLoc"], hdu.fileinfo()["datLoc"]) for hdu in hdus]
    for begin, end in places:
        yield from (
            start for start in range(begin, end, _CARD) if content[start + 8 : start + 10] == b"= "
        )
