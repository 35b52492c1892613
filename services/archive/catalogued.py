"""Wanted files of remote archives, compared in SQL with what is known of them.

No header is read of a file that has yet to come, but those of association tables, which say what
belongs together. Of others the catalogue names the association; the fetch reads the rest.
"""

from sqlalchemy import text

from services.archive.catalogues.base import ARCHIVE
from services.archive.listing import (
    LISTED_TABLE,
    PENDING,
    PENDING_EVERYWHERE,
    SEEN,
    UNREAD,
    VERSIONS,
    scan_transaction,
)
from services.archive.metadata import FACTS_VERSION, VISIT_LENGTH
from shared.database.engine import Database

__all__ = ["compare_catalogued"]

_PUBLIC = """
    (e.access = 'public' OR (e.access = 'unknown' AND e.public_from <= now()))
    AND f.access <> 'exclusive'
"""
_WANTED = f"""
    INSERT INTO listed (url, name, stem, visit, identity, size, md5, association)
    SELECT f.uri, f.name, split_part(f.name, '.', 1), left(f.name, :length), f.identity,
      coalesce(f.size, 0), f.md5, e.association
    FROM catalogue_files AS f JOIN catalogue_entries AS e ON e.dataset = f.dataset
    WHERE e.wanted AND e.missing_since IS NULL AND {_PUBLIC}
"""  # noqa: S608 - every part is our own
_IS_TABLE = "right(l.stem, 4) = '_asn'"
_NEW = f"""
    WITH changed AS (
      INSERT INTO source_files (source, stem, url, name, identity, size, md5, visit, facts, present,
        listed)
      SELECT CAST(:source AS text), stem, url, name, identity, size, md5, visit,
        CASE WHEN {_IS_TABLE} THEN '{{}}' ELSE jsonb_build_object(
          'version', CAST(:version AS int), 'asn_id', association, 'unread', true) END,
        NOT {_IS_TABLE}, CASE WHEN {_IS_TABLE} THEN {SEEN} END
      FROM listed AS l
      WHERE NOT EXISTS (SELECT FROM source_files AS f WHERE f.source = :source AND f.url = l.url)
      ON CONFLICT DO NOTHING
      RETURNING visit)
    {PENDING}
"""  # noqa: S608 - every part is our own
_CHANGED_TABLES = f"""
    UPDATE source_files AS f SET listed = {SEEN} FROM listed AS l
    WHERE f.source = :source AND f.url = l.url AND {_IS_TABLE}
      AND (f.identity <> l.identity OR {UNREAD}) AND f.listed IS DISTINCT FROM {SEEN}
"""  # noqa: S608 - every part is our own
_CHANGED = f"""
    WITH changed AS (
      UPDATE source_files AS f SET identity = l.identity, size = l.size, md5 = l.md5,
        present = true, listed = NULL, facts = f.facts || jsonb_build_object(
          'version', CAST(:version AS int), 'unread', true)
      FROM listed AS l
      WHERE f.source = :source AND f.url = l.url AND NOT {_IS_TABLE}
        AND (f.identity <> l.identity OR (f.facts->>'version')::int IS DISTINCT FROM :version)
      RETURNING f.visit)
    {PENDING}
"""  # noqa: S608 - every part is our own
"""Until the file has come, its header counts as it was."""
_BACK = f"""
    WITH changed AS (
      UPDATE source_files AS f SET present = true, listed = NULL FROM listed AS l
      WHERE f.source = :source AND f.url = l.url AND f.identity = l.identity
        AND NOT ({_IS_TABLE} AND {UNREAD}) AND (NOT f.present OR f.listed IS NOT NULL)
      RETURNING f.visit)
    {PENDING}
"""  # noqa: S608 - every part is our own
_GONE = f"""
    WITH changed AS (
      UPDATE source_files AS f SET present = false, listed = NULL
      WHERE f.source = :source AND (f.present OR f.listed IS NOT NULL)
        AND NOT EXISTS (SELECT FROM listed AS l WHERE l.url = f.url)
        AND NOT (f.fetched_identity IS NOT NULL AND EXISTS (
          SELECT FROM catalogue_files AS c JOIN catalogue_entries AS e ON e.dataset = c.dataset
          WHERE c.uri = f.url AND e.missing_since IS NULL))
      RETURNING f.visit)
    {PENDING_EVERYWHERE}
"""  # noqa: S608 - every part is our own
"""What was fetched before it was wanted no longer stays."""


async def compare_catalogued(database: Database) -> None:
    """Mark which wanted, public files of remote archives are new, delivered again, back or gone.

    The association tables among them are to be read.
    """
    source = {"source": ARCHIVE}
    values = {**source, "version": FACTS_VERSION}
    async with scan_transaction(database) as session:
        await session.execute(text(LISTED_TABLE))
        await session.execute(text(_WANTED), {"length": VISIT_LENGTH})
        await session.execute(text("ANALYZE listed"))
        await session.execute(text(VERSIONS))
        for statement in (_NEW, _CHANGED_TABLES, _CHANGED, _BACK):
            await session.execute(text(statement), values)
        await session.execute(text(_GONE), source)
