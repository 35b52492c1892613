"""Deliveries of one file: whether calibration notices that another one took its place."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import IO, Any, Final

from sqlalchemy import select

from services.archive.copying import CopiedFile
from services.archive.metadata import RAW
from shared.cos.names import JITTER, parse_name
from shared.cos.references import FILETYPES, needed_references
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.errors import PermanentError
from shared.fits import FitsFile
from shared.fits.streams import inflated, reading
from shared.logs import get_logger
from shared.store import Store

__all__ = ["find_alike"]

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


async def find_alike(
    database: Database, store: Store, dataset_id: int, fetched: Sequence[CopiedFile]
) -> dict[str, str]:
    """Return SHA-256 of the earlier delivery that calibration takes a raw file for, by name, where
    there is one.

    Both have the same data units and the same keywords, but for those that calibration does not
    read. Of the names of reference files those count that calibrating the file opens.

    Parameters
    ----------
    database
        Database.
    store
        Where the deliveries are.
    dataset_id
        Dataset that the files are of.
    fetched
        Its files as they are now.

    Raises
    ------
    OutageError
        If the store cannot be read.
    """
    names = [file.stored.name for file in fetched]
    mine = (File.dataset_id == dataset_id, File.origin == "raw", File.name.in_(names))
    async with database.session() as session:
        rows = (await session.execute(select(File).where(*mine))).scalars().all()
    return await asyncio.to_thread(_find, store, fetched, rows)


def _find(store: Store, fetched: Sequence[CopiedFile], rows: Sequence[File]) -> dict[str, str]:
    known = {(row.path, row.name): row for row in rows}
    current = {row.name: row for row in rows if row.current}
    alike = {}
    for stored in (file.stored for file in fetched):
        name, earlier = stored.name, current.get(stored.name)
        if (row := known.get((stored.path, name))) is not None:
            if row.calibrates_as is not None:
                alike[name] = row.calibrates_as
        elif (
            earlier is not None
            and parse_name(name).suffix not in JITTER  # calibration reads none of them
            and _calibrates_alike(
                partial(store.open, f"{earlier.path}/{name}"),
                partial(store.open, f"{stored.path}/{name}"),
                name,
            )
        ):
            alike[name] = earlier.calibrates_as or earlier.sha256
            get_logger().info("delivered again with the same data", file=name)
    return alike


def _calibrates_alike(earlier: Opener, later: Opener, file_name: str) -> bool:
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
