"""Remote archives: their datasets, what is wanted, and how they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.errors import ConflictError, NotFoundError
from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.queries.transfers import read_transfer
from services.monitor.response_models.archive import (
    ArchiveDataset,
    ArchiveSelectionRecord,
    ArchiveStatus,
    CatalogueStatus,
    ListingRecord,
    PlanRecord,
)
from shared.alerts import OPERATIONS
from shared.catalogues import REFUSED_SETTING
from shared.catalogues.conditions import selected_datasets
from shared.catalogues.plans import make_plan, require_known, require_room
from shared.catalogues.selection import BY_SETTING, Selection
from shared.database.models.archive import (
    Access,
    ArchiveSelection,
    CatalogueEntryRow,
    CatalogueHealth,
    CatalogueListing,
    ListingKind,
    SelectionOrder,
)
from shared.database.models.monitoring import Alert, AlertState

__all__ = [
    "EntryChoice",
    "add_selection",
    "describe_plan",
    "end_selection",
    "list_entries",
    "list_newest_entries",
    "read_archive_status",
    "read_catalogues",
]


@dataclass(frozen=True)
class EntryChoice:
    """Which entries of the catalogues are listed.

    Attributes
    ----------
    selection
        What a selection means; None for any.
    dataset
        Beginning of the rootname.
    access
        Who may have it.
    wanted
        Whether it is wanted.
    missing
        Whether the archive no longer has it.
    """

    selection: Selection | None = None
    dataset: str | None = None
    access: Access | None = None
    wanted: bool | None = None
    missing: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Make the conditions of a query."""
        entry, found = CatalogueEntryRow, list[ColumnElement[bool]]()
        if self.selection is not None:
            found.append(entry.dataset.in_(selected_datasets([self.selection])))
        if self.dataset is not None:
            found.append(entry.dataset.startswith(self.dataset.lower(), autoescape=True))
        if self.access is not None:
            found.append(entry.access == self.access)
        if self.wanted is not None:
            found.append(entry.wanted == self.wanted)
        if self.missing is not None:
            found.append(entry.missing_since.is_not(None) == self.missing)
        return found


async def list_entries(
    session: AsyncSession, choice: EntryChoice, limit: int, cursor: str | None = None
) -> Records[ArchiveDataset]:
    """List a page of what the catalogues have, by rootname."""
    entry = CatalogueEntryRow
    query = _entries().where(*choice.conditions()).order_by(entry.dataset)
    if (after := decode_cursor(cursor, str)) is not None:
        query = query.where(entry.dataset > after[0])
    found, more = split((await session.execute(query.limit(limit + 1))).all(), limit)
    return Records(
        [_dataset(row, last_seen) for row, last_seen in found],
        encode_cursor((found[-1][0].dataset,)) if more else None,
    )


async def list_newest_entries(session: AsyncSession, limit: int) -> list[ArchiveDataset]:
    """List what was put into the archive last, the newest first."""
    archived = CatalogueEntryRow.archived
    query = _entries().where(archived.is_not(None)).order_by(archived.desc()).limit(limit)
    return [_dataset(row, last_seen) for row, last_seen in await session.execute(query)]


def _entries() -> Select[CatalogueEntryRow, datetime]:
    """Return the query of entries, each with the last full listing that had it."""
    entry, listing = CatalogueEntryRow, CatalogueListing
    last_full = (
        select(func.max(listing.started_at))
        .where(
            listing.catalogue == entry.source,
            listing.kind == ListingKind.FULL,
            listing.error.is_(None),
            or_(entry.missing_since.is_(None), listing.finished_at < entry.missing_since),
        )
        .scalar_subquery()
    )
    return select(entry, func.greatest(entry.first_seen, last_full))


async def describe_plan(
    session: AsyncSession, selections: Sequence[Selection], room: int | None
) -> PlanRecord:
    """Say what fetching some selections amounts to."""
    return PlanRecord.model_validate(await make_plan(session, selections, room))


async def add_selection(
    session: AsyncSession,
    selection: Selection,
    order: SelectionOrder,
    name: str,
    room: int | None,
) -> ArchiveSelectionRecord:
    """Let a selection be wanted, unless it is already.

    Parameters
    ----------
    session
        Session; the caller commits.
    selection
        What is wanted.
    order
        Which datasets come first.
    name
        Name of the token of who asks.
    room
        Room on the disk of the store, bytes, if that is known.

    Raises
    ------
    RefusedError
        If it names what no catalogue has, or is everything and that does not fit.
    """
    plan = await make_plan(session, [selection], room)
    require_known(plan)
    if selection.everything:
        require_room(plan)
    row, document = ArchiveSelection, selection.document()
    same = and_(row.ended_at.is_(None), row.selection == document, row.created_by != BY_SETTING)
    found = await session.scalar(select(row).where(same).order_by(row.id).limit(1))
    if found is None:
        found = row(selection=document, order=order, created_at=func.now(), created_by=name)
        session.add(found)
    found.order = order
    await session.flush()
    await session.refresh(found)
    return _selection(found)


async def end_selection(session: AsyncSession, number: int) -> None:
    """Withdraw a selection; the caller commits. What was fetched is kept.

    Raises
    ------
    NotFoundError
        If there is none of this number that is in force.
    ConflictError
        If it is that of the settings.
    """
    found = await session.get(ArchiveSelection, number)
    if found is None or found.ended_at is not None:
        raise NotFoundError(
            "unknown_selection",
            f"no selection {number} is in force; /api/v1/archive/status lists those that are",
        )
    if found.created_by == BY_SETTING:
        raise ConflictError(
            "set_by_settings", f"selection {number} is that of {BY_SETTING}: change it there"
        )
    found.ended_at = func.now()


async def read_archive_status(session: AsyncSession, room: int | None) -> ArchiveStatus:
    """Say how remote archives are, what is wanted, and what of it is still to come."""
    row = ArchiveSelection
    query = select(row).where(row.ended_at.is_(None)).order_by(row.id)
    selections = (await session.execute(query)).scalars().all()
    wanted = [Selection.model_validate(found.selection) for found in selections]
    return ArchiveStatus(
        catalogues=await read_catalogues(session),
        entries=await session.scalar(select(func.count()).select_from(CatalogueEntryRow)) or 0,
        selections=[_selection(found) for found in selections],
        refused=await session.scalar(
            select(Alert.message).where(
                Alert.monitor == OPERATIONS,
                Alert.key == REFUSED_SETTING,
                Alert.state != AlertState.RESOLVED,
            )
        ),
        wanted=await describe_plan(session, wanted, room),
        transfer=await read_transfer(session),
    )


async def read_catalogues(session: AsyncSession) -> list[CatalogueStatus]:
    """Say of each catalogue that was ever asked whether it answers, and its last listings."""
    listing = CatalogueListing
    last = (
        select(listing)
        .where(listing.error.is_(None))
        .ext(distinct_on(listing.catalogue, listing.kind))
        .order_by(listing.catalogue, listing.kind, listing.started_at.desc())
    )
    listings = {
        (found.catalogue, found.kind): ListingRecord.model_validate(found)
        for found in (await session.execute(last)).scalars()
    }
    health = select(CatalogueHealth).order_by(CatalogueHealth.catalogue)
    return [
        CatalogueStatus(
            catalogue=found.catalogue,
            last_answer=found.last_answer,
            failing_since=found.failing_since,
            retry_at=found.retry_at,
            error=found.error,
            last_full=listings.get((found.catalogue, ListingKind.FULL)),
            last_short=listings.get((found.catalogue, ListingKind.SHORT)),
        )
        for found in (await session.execute(health)).scalars()
    ]


def _dataset(row: CatalogueEntryRow, last_seen: datetime) -> ArchiveDataset:
    return ArchiveDataset(
        dataset=row.dataset,
        association=row.association,
        proposal=row.proposal,
        target=row.target,
        ra=row.ra,
        dec=row.dec,
        configuration=row.configuration,
        start=row.start,
        public_from=row.public_from,
        generated=row.generated,
        archived=row.archived,
        access=row.access.value,
        source=row.source,
        delivery=row.delivery,
        first_seen=row.first_seen,
        last_seen=last_seen,
        missing_since=row.missing_since,
        wanted=row.wanted,
        files_listed=not row.files_due,
    )


def _selection(row: ArchiveSelection) -> ArchiveSelectionRecord:
    return ArchiveSelectionRecord(
        id=row.id,
        selection=row.selection,
        description=Selection.model_validate(row.selection).describe(),
        order=row.order.value,
        created_at=row.created_at,
        created_by=row.created_by,
        ended_at=row.ended_at,
    )
