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
_OLD: Final = ", ".join(f"e.{name}" for name in _DETAILS)
_LISTED: Final = ", ".join(f"l.{name}" for name in _DETAILS)
_DIFFERING: Final = ", ".join(f"d.{name}" for name in _DETAILS)
_DIFFERING_TABLE: Final = """
    CREATE TEMPORARY TABLE entries_differing (LIKE entries_listed, is_new boolean,
      is_taken boolean, is_seen boolean, is_again boolean, is_missing boolean) ON COMMIT DROP
"""
_DIFFER: Final = f"""
    INSERT INTO entries_differing
    SELECT * FROM (
      SELECT coalesce(l.dataset, e.dataset), {_LISTED}, l.version,
        e.dataset IS NULL AS is_new,
        e.dataset = l.dataset AND NOT e.source = ANY(CAST(:before AS text[]))
          AND (e.source, {_OLD}) IS DISTINCT FROM (CAST(:catalogue AS text), {_LISTED}) AS is_taken,
        e.dataset = l.dataset AND (e.missing_since IS NOT NULL
          OR e.versions->>:catalogue IS DISTINCT FROM l.version) AS is_seen,
        coalesce(e.versions->>:catalogue <> l.version, false) AS is_again,
        l.dataset IS NULL AND e.source = :catalogue AND e.missing_since IS NULL AS is_missing
      FROM entries_listed AS l FULL JOIN catalogue_entries AS e ON e.dataset = l.dataset) AS d
    WHERE is_new OR is_taken OR is_seen OR is_missing
"""  # noqa: S608 - every part is our own
"""Everything is compared once, and what follows concerns only what differs.

Postgres never does a full join row by row, however little it knows of the tables.
"""
_TAKE: Final = f"""
    UPDATE catalogue_entries AS e
    SET (source, {", ".join(_DETAILS)}) = ROW(CAST(:catalogue AS text), {_DIFFERING}),
      files_due = e.files_due OR e.access <> d.access
    FROM entries_differing AS d
    WHERE d.is_taken AND e.dataset = d.dataset
"""  # noqa: S608 - every part is our own
"""An entry is as the first catalogue in the order has it that ever listed it."""
_VERSIONS: Final = """
    UPDATE catalogue_entries AS e
    SET versions = e.versions || jsonb_build_object(CAST(:catalogue AS text), d.version),
      delivery = e.delivery + d.is_again::int, missing_since = NULL,
      files_due = e.files_due OR d.is_again OR e.missing_since IS NOT NULL
    FROM entries_differing AS d
    WHERE d.is_seen AND e.dataset = d.dataset
"""
_AGAIN: Final = "SELECT count(*) FROM entries_differing WHERE is_again"
"""Versions of one catalogue alone say that the archive delivered a dataset again."""
_NEW: Final = f"""
    INSERT INTO catalogue_entries (dataset, {", ".join(_DETAILS)}, versions, source, first_seen)
    SELECT dataset, {_DIFFERING}, jsonb_build_object(CAST(:catalogue AS text), version), :catalogue,
      now()
    FROM entries_differing AS d WHERE d.is_new
"""  # noqa: S608 - every part is our own
_LOST: Final = """
    SELECT (SELECT count(*) FROM entries_differing WHERE is_missing),
      (SELECT count(*) FROM catalogue_entries WHERE source = :catalogue AND missing_since IS NULL)
"""
_MISSING: Final = """
    UPDATE catalogue_entries AS e SET missing_since = now()
    FROM entries_differing AS d WHERE d.is_missing AND e.dataset = d.dataset
"""
_ANALYZED_SHARE: Final = 10
"""One new entry in so many, and Postgres looks at the table again before it is asked about it."""


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
            changes = await _compare(session, catalogue.name, before, kind, entries)
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
    session: AsyncSession,
    catalogue: str,
    before: Sequence[str],
    kind: ListingKind,
    entries: int,
) -> _Changes:
    twice = await session.scalar(text(_TWICE))
    if twice is not None:
        raise IncompleteListingError(
            f"the listing of {catalogue} has {twice} twice: it shifted while it was paged, and is "
            "not believed"
        )
    values = {"catalogue": catalogue}
    await session.execute(text(_DIFFERING_TABLE))
    await session.execute(text(_DIFFER), {**values, "before": list(before)})
    await session.execute(text("ANALYZE entries_differing"))
    await session.execute(text(_TAKE), values)
    await session.execute(text(_VERSIONS), values)
    changed = await session.scalar(text(_AGAIN))
    new = await _count(session, _NEW, values)
    missing = 0
    if kind is ListingKind.FULL:
        await _require_most(session, catalogue)
        missing = await _count(session, _MISSING, {})
    if new * _ANALYZED_SHARE > entries:
        await session.execute(text("ANALYZE catalogue_entries"))
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
