"""The approach of the original system.

For each file a session, astropy headers, and one ORM object that is added.
"""

import time
from functools import partial
from pathlib import Path

from astropy.io import fits

from benchmarks.ingest.archive import Archive
from services.ingestor.extractors import References, Source
from services.ingestor.extractors.headers import HEADER_PREFERENCE
from services.ingestor.extractors.rows import keywords
from shared.database.engine import Database
from shared.database.models.science import Header, row_key
from shared.fits import FitsFile, open_fits

__all__ = ["ingest_as_original"]


async def ingest_as_original(database: Database, archive: Archive, datasets: int) -> float:
    """Return the datasets per second of one process that fills ``headers``.

    Parameters
    ----------
    database
        Database, whose ``headers`` are empty.
    archive
        Files.
    datasets
        How many datasets.
    """
    began = time.perf_counter()
    for number in range(1, datasets + 1):
        for order, name in enumerate(archive.names):
            root, _, suffix = name.partition(".")[0].partition("_")
            path = Path(archive.folder) / f"d{number}" / name
            with fits.open(path) as hdus:
                headers = [dict(hdu.header) for hdu in hdus]
            if suffix not in HEADER_PREFERENCE:
                continue
            key = order * datasets + number
            opener = partial(open_fits, path)
            source = Source(
                FitsFile(opener, name, headers),
                opener,
                root,
                suffix,
                lambda *_: None,
                References(None),
            )
            row = keywords(Header, source)
            async with database.transaction() as session:
                session.add(
                    Header(id=row_key(key, 0), file_id=key, rootname=root, preferred=False, **row)
                )
    return datasets / (time.perf_counter() - began)
