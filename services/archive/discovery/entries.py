"""What a catalogue lists, compared in SQL with the entries that are known."""

import asyncio
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import IO, Any, Final, cast

from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.archive.catalogues.base import Catalogue, CatalogueEntry, IncompleteListingError
from services.archive.spool import add_rows, copy_rows
from shared.database.engine import Database
from shared.database.locks import AdvisoryLock
from shared.database.models.archive import CatalogueListing, ListingKind
from shared.errors import TransientError

__all__ = ["list_entries", "lock_catalogue"]

_COLUMNS: Final = tuple(field.name for field in fields(CatalogueEntry))
_DETAILS: Final = tuple(name for name in _COLUMNS if name not in ("dataset", "version"))
"""What an entry says beside its name and its version."""

_TABLE: Final = """
    CREATE TEMPORARY TABLE entries_listed (dataset text, association text, proposal integer,
      target text, ra float8, dec float8, configuration text, start timestamptz,
      public_from timestamptz, generated timestamptz, archived timestamptz, access text,
      version text) ON COMMIT DROP
"""
_TWICE: Final = """
    SELECT dataset FROM entries_listed GROUP BY dataset HAVING count(*) > 1 LIMIT 1
"""
_LOST: Final = """
    SELECT count(*) FILTER (WHERE l.dataset IS NULL), count(*)
    FROM catalogue_entries AS e LEFT JOIN entries_listed AS l ON l.dataset = e.dataset
    WHERE e.source = :catalogue AND e.missing_since IS NULL
"""
_OLD: Final = ", ".join(f"e.{name}" for name in _DETAILS)
_LISTED: Final = ", ".join(f"l.{name}" for name in _DETAILS)
_TAKE: Final = f"""
    UPDATE catalogue_entries AS e
    SET (source, {", ".join(_DETAILS)}) = ROW(CAST(:catalogue AS text), {_LISTED}),
      files_due = e.files_due OR e.access <> l.access
    FROM entries_listed AS l
    WHERE e.dataset = l.dataset AND NOT e.source = ANY(CAST(:before AS text[]))
      AND (e.source, {_OLD}) IS DISTINCT FROM (CAST(:catalogue AS text), {_LISTED})
"""  # noqa: S608 - every part is our own
"""An entry is as the first catalogue in the order has it that ever listed it."""
_VERSIONS: Final = """
    WITH changed AS (
      UPDATE catalogue_entries AS e
      SET versions = e.versions || jsonb_build_object(CAST(:catalogue AS text), l.version),
        delivery = e.delivery + l.again::int, missing_since = NULL,
        files_due = e.files_due OR l.again OR e.missing_since IS NOT NULL
      FROM (
        SELECT l.dataset, l.version, coalesce(k.versions->>:catalogue <> l.version, false) AS again
        FROM entries_listed AS l JOIN catalogue_entries AS k ON k.dataset = l.dataset
        WHERE k.versions->>:catalogue IS DISTINCT FROM l.version OR k.missing_since IS NOT NULL
      ) AS l
      WHERE e.dataset = l.dataset
      RETURNING l.again)
    SELECT count(*) FILTER (WHERE again) FROM changed
"""
"""Versions of one catalogue alone say that the archive delivered a dataset again."""
_NEW: Final = f"""
    INSERT INTO catalogue_entries (dataset, {", ".join(_DETAILS)}, versions, source, first_seen)
    SELECT dataset, {_LISTED}, jsonb_build_object(CAST(:catalogue AS text), version), :catalogue,
      now()
    FROM entries_listed AS l
    WHERE NOT EXISTS (SELECT FROM catalogue_entries AS e WHERE e.dataset = l.dataset)
"""  # noqa: S608 - every part is our own
_MISSING: Final = """
    UPDATE catalogue_entries AS e SET missing_since = now()
    WHERE e.source = :catalogue AND e.missing_since IS NULL
      AND NOT EXISTS (SELECT FROM entries_listed AS l WHERE l.dataset = e.dataset)
"""


@dataclass(frozen=True)
class _Changes:
    """Numbers of entries that a listing changed."""

    new: int
    changed: int
    missing: int


async def list_entries(
    database: Database,
    catalogue: Catalogue,
    before: Sequence[str],
    since: datetime | None,
    stop: threading.Event,
) -> CatalogueListing:
    """List a catalogue, and write what is new, delivered again, back or missing.

    A listing that is not believed changes nothing. For an entry that is as it was nothing is
    written.

    Parameters
    ----------
    database
        Database.
    catalogue
        Catalogue to list.
    before
        Catalogues that come before it in the order: what they say of a dataset stays.
    since
        Only what was archived from then on, of which nothing can be missing; without it, all.
    stop
        Set when it is no longer wanted.

    Raises
    ------
    TransientError
        If the archive does not answer, or the listing is not believed.
    """
    started = datetime.now(UTC)
    kind = ListingKind.FULL if since is None else ListingKind.SHORT
    with tempfile.TemporaryFile(prefix="cosmo-catalogue-") as spool:
        entries = await asyncio.to_thread(_spool, catalogue, since, spool, stop)
        async with database.transaction() as session:
            await lock_catalogue(session)
            await session.execute(text(_TABLE))
            await copy_rows(session, spool, "entries_listed", _COLUMNS)
            await session.execute(text("ANALYZE entries_listed"))
            changes = await _compare(session, catalogue.name, before, kind)
            listing = CatalogueListing(
                catalogue=catalogue.name,
                kind=kind,
                started_at=started,
                finished_at=datetime.now(UTC),
                entries=entries,
                new=changes.new,
                changed=changes.changed,
                missing=changes.missing,
            )
            session.add(listing)
    return listing


async def lock_catalogue(session: AsyncSession) -> None:
    """Let no other transaction write what catalogues list until this one ends."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(:key)"), {"key": AdvisoryLock.CATALOGUE}
    )


def _spool(
    catalogue: Catalogue, since: datetime | None, spool: IO[bytes], stop: threading.Event
) -> int:
    """Write the pages of a listing to a file; returns the number of entries."""
    row, entries = attrgetter(*_COLUMNS), 0
    for page in catalogue.entries(since):
        if stop.is_set():
            raise TransientError(f"the listing of {catalogue.name} was interrupted")
        add_rows(spool, [row(entry) for entry in page])
        entries += len(page)
    return entries


async def _compare(
    session: AsyncSession, catalogue: str, before: Sequence[str], kind: ListingKind
) -> _Changes:
    twice = await session.scalar(text(_TWICE))
    if twice is not None:
        raise IncompleteListingError(
            f"the listing of {catalogue} has {twice} twice: it shifted while it was paged, and is "
            "not believed"
        )
    values = {"catalogue": catalogue}
    await session.execute(text(_TAKE), {**values, "before": list(before)})
    changed = await session.scalar(text(_VERSIONS), values)
    new = await _count(session, _NEW, values)
    missing = 0
    if kind is ListingKind.FULL:
        await _require_most(session, catalogue)
        missing = await _count(session, _MISSING, values)
    return _Changes(new, changed or 0, missing)


async def _count(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> int:
    """Execute a statement; returns the number of rows that it wrote."""
    return cast("CursorResult[Any]", await session.execute(text(statement), values)).rowcount


async def _require_most(session: AsyncSession, catalogue: str) -> None:
    """Refuse a listing that lost more than it has: an archive loses datasets one by one."""
    lost, known = (await session.execute(text(_LOST), {"catalogue": catalogue})).one()
    if lost > known - lost:
        raise IncompleteListingError(
            f"the listing of {catalogue} lacks {lost} of the {known} datasets that it had: it is "
            "not believed"
        )
