"""File lists of wanted datasets, asked for in batches where they are due."""

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import Update, select, text, update

from services.archive.catalogues.base import ArchiveFile
from services.archive.discovery.entries import lock_catalogue
from services.archive.metadata import is_input
from services.archive.spool import add_rows, copy_rows
from shared.cos.names import is_product, parse_name
from shared.database.engine import Database
from shared.database.models.archive import Access, CatalogueEntryRow, SelectionOrder
from shared.errors import PermanentError

__all__ = ["due_datasets", "write_files", "write_none"]

_COLUMNS: Final = ("dataset", "name", "uri", "size", "md5", "access", "version")

_TABLE: Final = """
    CREATE TEMPORARY TABLE files_listed (dataset text, name text, uri text, size bigint, md5 text,
      access text, version text) ON COMMIT DROP
"""
_GONE: Final = """
    DELETE FROM catalogue_files AS f
    WHERE f.dataset = ANY(CAST(:datasets AS text[])) AND f.catalogue = :catalogue
      AND NOT EXISTS (SELECT FROM files_listed AS l WHERE l.name = f.name)
"""
_OF_OTHERS: Final = """
    DELETE FROM files_listed AS l
    WHERE left(l.name, 9) <> l.dataset
      AND (EXISTS (SELECT FROM catalogue_entries AS e
             WHERE e.dataset = left(l.name, 9) AND e.missing_since IS NULL)
        OR EXISTS (SELECT FROM catalogue_files AS f
             WHERE f.name = l.name AND f.dataset <> l.dataset))
"""
"""Archives list the files of members for their associations too: a file has one dataset."""
_IDENTITY: Final = "md5(l.uri || ' ' || e.delivery)"
_WRITE: Final = f"""
    INSERT INTO catalogue_files AS f
      (name, dataset, uri, size, md5, access, version, identity, catalogue)
    SELECT DISTINCT ON (l.name) l.name, l.dataset, l.uri, l.size, l.md5, l.access, l.version,
      {_IDENTITY}, :catalogue
    FROM files_listed AS l JOIN catalogue_entries AS e ON e.dataset = l.dataset
    ORDER BY l.name, left(l.name, 9) <> l.dataset, l.dataset
    ON CONFLICT (name) DO UPDATE SET dataset = excluded.dataset, uri = excluded.uri,
      size = excluded.size, md5 = excluded.md5, access = excluded.access,
      version = excluded.version, catalogue = excluded.catalogue,
      identity = CASE WHEN f.md5 = excluded.md5 AND f.md5 <> '' AND f.catalogue = excluded.catalogue
        THEN f.identity ELSE excluded.identity END
    WHERE (f.dataset, f.uri, f.size, f.md5, f.access, f.version, f.catalogue, f.identity)
      IS DISTINCT FROM (excluded.dataset, excluded.uri, excluded.size, excluded.md5,
        excluded.access, excluded.version, excluded.catalogue, excluded.identity)
"""  # noqa: S608 - every part is our own


async def due_datasets(
    database: Database, order: SelectionOrder, skipped: Collection[str], limit: int
) -> list[str]:
    """Return the wanted datasets whose files are to be asked for next.

    Parameters
    ----------
    database
        Database.
    order
        Which come first.
    skipped
        Datasets that are not asked for.
    limit
        Most datasets.
    """
    entry = CatalogueEntryRow
    start = entry.start.desc() if order is SelectionOrder.NEWEST else entry.start
    query = (
        select(entry.dataset)
        .where(
            entry.wanted,
            entry.files_due,
            entry.missing_since.is_(None),
            # Listed again when that ends.
            entry.access != Access.EXCLUSIVE,
            entry.dataset.not_in(skipped),
        )
        .order_by(start.nulls_last(), entry.dataset)
        .limit(limit)
    )
    async with database.session() as session:
        return list((await session.execute(query)).scalars())


async def write_files(
    database: Database, catalogue: str, found: Mapping[str, Sequence[ArchiveFile]]
) -> None:
    """Write the files that a catalogue lists of some datasets, those that are fetched.

    Parameters
    ----------
    database
        Database.
    catalogue
        The catalogue.
    found
        Files by the rootname of their dataset.
    """
    rows = [
        (dataset, name, file.uri, file.size, file.md5, file.access.value, file.version)
        for dataset, files in found.items()
        for file in files
        if (name := _fetched_name(file.name)) is not None
    ]
    spool = io.BytesIO()
    add_rows(spool, rows)
    values = {"catalogue": catalogue}
    async with database.transaction() as session:
        await lock_catalogue(session)
        await session.execute(text(_TABLE))
        await copy_rows(session, spool, "files_listed", _COLUMNS)
        await session.execute(text(_GONE), {**values, "datasets": list(found)})
        await session.execute(text(_OF_OTHERS))
        await session.execute(text(_WRITE), values)
        await session.execute(_listed(found))


async def write_none(database: Database, datasets: Sequence[str]) -> None:
    """Write that no catalogue has files of some datasets."""
    async with database.transaction() as session:
        await lock_catalogue(session)
        await session.execute(_listed(datasets))


def _listed(datasets: Collection[str]) -> Update:
    entry = CatalogueEntryRow
    return update(entry).where(entry.dataset.in_(datasets)).values(files_due=False)


def _fetched_name(name: str) -> str | None:
    """Return the canonical name of a file of a kind that is fetched; None of others."""
    try:
        parsed = parse_name(name)
    except PermanentError:
        return None
    wanted = is_input(parsed) and not is_product(parsed)
    return parsed.name if wanted else None
