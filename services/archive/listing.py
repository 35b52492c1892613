"""What a source lists, compared with what is known of it, in SQL."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import IO

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.aside import PRODUCT, LeftAside, reason_of
from services.archive.metadata import FACTS_VERSION, is_input, visit_of
from services.archive.sources import Source
from services.archive.spool import add_rows, copy_rows
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.locks import AdvisoryLock

__all__ = [
    "LISTED_TABLE",
    "PENDING",
    "PENDING_EVERYWHERE",
    "SEEN",
    "UNREAD",
    "VERSIONS",
    "Listed",
    "compare",
    "scan_transaction",
]

_COLUMNS = ("url", "name", "stem", "visit", "identity", "size", "modified")

LISTED_TABLE = """
    CREATE TEMPORARY TABLE listed (url text, name text, stem text, visit text, identity text,
      size bigint, modified float8, md5 text DEFAULT '', association text) ON COMMIT DROP
"""
VERSIONS = """
    UPDATE listed SET identity =
      left(encode(sha256(convert_to(identity || ' ' || url, 'UTF8')), 'hex'), 32)
    WHERE stem IN (SELECT stem FROM listed GROUP BY stem HAVING count(*) > 1)
"""
"""Lets versions of one file differ though their sizes and times are equal."""
SEEN = """
    jsonb_build_object('identity', l.identity, 'size', l.size, 'modified', l.modified, 'md5', l.md5)
"""
UNREAD = """
    (f.visit <> l.visit OR (f.facts->>'version')::int IS DISTINCT FROM :version
      OR (f.facts->>'error' <> '' AND f.facts->>'instrument' IN ('', 'COS')))
"""
"""`FileMetadata.final` does not hold, or the file was grouped elsewhere."""
_NEW = f"""
    INSERT INTO source_files (source, stem, url, name, identity, size, modified, visit, facts,
      present, listed)
    SELECT CAST(:source AS text), stem, url, name, identity, size, modified, visit, '{{}}', false,
      {SEEN}
    FROM listed AS l
    WHERE NOT EXISTS (SELECT FROM source_files AS f WHERE f.source = :source AND f.url = l.url)
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - every part is our own
_CHANGED = f"""
    UPDATE source_files AS f SET listed = {SEEN} FROM listed AS l
    WHERE f.source = :source AND f.url = l.url AND (f.identity <> l.identity OR {UNREAD})
      AND f.listed IS DISTINCT FROM {SEEN}
"""  # noqa: S608 - every part is our own
PENDING = """
    INSERT INTO source_visits (source, visit, pending)
    SELECT DISTINCT CAST(:source AS text), visit, 1 FROM changed
    ON CONFLICT (source, visit) DO UPDATE SET pending = source_visits.pending + 1
"""
PENDING_EVERYWHERE = """
    INSERT INTO source_visits (source, visit, pending)
    SELECT CAST(:source AS text), visit, 1 FROM changed
    UNION SELECT v.source, v.visit, 1
    FROM source_visits AS v JOIN changed ON changed.visit = v.visit
    ON CONFLICT (source, visit) DO UPDATE SET pending = source_visits.pending + 1
"""
"""Of other sources too, which may have what this one has no longer."""
_BACK = f"""
    WITH changed AS (
      UPDATE source_files AS f SET present = true, listed = NULL FROM listed AS l
      WHERE f.source = :source AND f.url = l.url AND f.identity = l.identity AND NOT {UNREAD}
        AND (NOT f.present OR f.listed IS NOT NULL)
      RETURNING f.visit)
    {PENDING}
"""  # noqa: S608 - every part is our own
_GONE = f"""
    WITH changed AS (
      UPDATE source_files AS f SET present = false, listed = NULL
      WHERE f.source = :source AND (f.present OR f.listed IS NOT NULL)
        AND NOT EXISTS (SELECT FROM listed AS l WHERE l.url = f.url)
        AND NOT EXISTS (SELECT FROM unnest(CAST(:unreadable AS text[])) AS u
          WHERE f.url = u OR starts_with(f.url, rtrim(u, '/') || '/'))
      RETURNING f.visit)
    {PENDING_EVERYWHERE}
"""  # noqa: S608 - every part is our own
"""What cannot be read at the moment is taken to be as it was."""


@dataclass(frozen=True)
class Listed:
    """What a listing has beside the files that are known now.

    Attributes
    ----------
    unreadable
        URL of each folder or file that could not be read, and why.
    left_aside
        Files by whose names nothing can be done with them.
    """

    unreadable: dict[str, str] = field(default_factory=dict)
    left_aside: LeftAside = field(default_factory=LeftAside)


async def compare(database: Database, source: Source) -> Listed:
    """List a source, and mark what is new, changed, back or gone.

    The header of what is new or changed is to be read; it counts as it was until then. A listing
    that breaks off changes nothing.

    Raises
    ------
    TransientError
        If the source cannot be listed at all.
    """
    with tempfile.TemporaryFile(prefix="cosmo-listing-") as spool:
        listed = await asyncio.to_thread(_list, source, spool)
        async with scan_transaction(database) as session:
            await session.execute(text(LISTED_TABLE))
            await copy_rows(session, spool, "listed", _COLUMNS)
            await session.execute(text("ANALYZE listed"))
            await session.execute(text(VERSIONS))
            values = {"source": source.url, "version": FACTS_VERSION}
            await session.execute(text(_NEW), {"source": source.url})
            for statement in (_CHANGED, _BACK):
                await session.execute(text(statement), values)
            gone = {"source": source.url, "unreadable": list(listed.unreadable)}
            await session.execute(text(_GONE), gone)
    return listed


def _list(source: Source, spool: IO[bytes]) -> Listed:
    """Write the pages of a listing to a file, so that no transaction waits for the source."""
    listed = Listed()
    for page in source.pages():
        listed.unreadable.update(page.unreadable)
        for url in page.others:
            listed.left_aside.add(reason_of(url), [url])
        rows = []
        for file in page.files:
            name = parse_name(file.name)
            if is_input(name):
                visit = visit_of(name.rootname)
                found = (file.url, file.name, file.stem, visit)
                rows.append((*found, file.identity, file.size, file.modified))
            else:
                listed.left_aside.add(PRODUCT, [file.url])
        add_rows(spool, rows)
    return listed


@asynccontextmanager
async def scan_transaction(database: Database) -> AsyncIterator[AsyncSession]:
    """Provide a transaction of a scan, of which there is one at a time whoever scans."""
    async with database.transaction() as session:
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": AdvisoryLock.SCAN}
        )
        yield session
