"""Deliveries of one file: whether calibration would notice that another one took its place."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Any, Final

from services.archive.metadata import RAW
from shared.cos.names import parse_name
from shared.cos.references import FILETYPES, needed_references
from shared.errors import PermanentError
from shared.fits import FitsFile
from shared.fits.streams import inflated, reading

__all__ = ["calibrates_alike"]

Opener = Callable[[], AbstractContextManager[IO[bytes]]]

_REFERENCES: Final = frozenset({*FILETYPES, "PHOTTAB", "IMPHTTAB"})
"""Keywords that name reference files; IMPHTTAB is for other programs than CalCOS."""
_OF_DELIVERY: Final = frozenset(
    {
        *("DATE", "PROCTIME", "OPUS_VER", "CSYS_VER", "CRDS_VER", "CRDS_CTX"),
        *("CHECKSUM", "DATASUM"),
    }
)
"""Keywords that say when and by which programs a file was written, and that CalCOS 3.6.2 does not
read (its modules search headers for none of them).
"""
_CHUNK: Final = 1 << 20


def calibrates_alike(earlier: Opener, later: Opener, file_name: str) -> bool:
    """Return whether two deliveries of a raw file have the same data units and the same keywords,
    but for those that calibration does not read.

    Of the names of reference files those count that calibrating the file opens.

    Parameters
    ----------
    earlier, later
        Open the files from their first byte.
    file_name
        Their name.

    Raises
    ------
    TransientError
        If one cannot be read at the moment.
    """
    try:
        return _content(earlier, file_name) == _content(later, file_name)
    except PermanentError:  # what cannot be compared is another file
        return False


def _content(opener: Opener, file_name: str) -> tuple[Any, ...]:
    """Return what calibration reads of a file: references, keywords and data of each HDU."""
    file = FitsFile(opener, file_name)
    is_raw = parse_name(file_name).suffix.startswith(RAW)
    references = needed_references(file.headers[0]) if is_raw else {}
    skipped = _OF_DELIVERY | _REFERENCES
    keywords = [
        {name: value for name, value in header.items() if name not in skipped}
        for header in file.headers
    ]
    return references, keywords, _digests(file, opener)


def _digests(file: FitsFile, opener: Opener) -> list[str]:
    """Return SHA-256 of each data unit."""
    found = []
    with opener() as stream, reading(file.name):
        content = inflated(stream)
        for hdu in file.hdus:
            content.seek(hdu.start)
            digest, left = hashlib.sha256(), hdu.size
            while left and (chunk := content.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
            found.append(digest.hexdigest())
    return found
