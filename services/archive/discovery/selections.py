"""What is wanted: the selections in force, and the entries that they mean."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, exists, func, select, update

from services.archive.discovery.entries import lock_catalogue
from shared.catalogues.conditions import selected_datasets
from shared.catalogues.plans import make_plan, require_room
from shared.catalogues.selection import BY_SETTING, Selection
from shared.database.engine import Database
from shared.database.models.archive import ArchiveSelection, CatalogueEntryRow, SelectionOrder

__all__ = ["adopt_setting", "mark_wanted", "selections_in_force"]


async def selections_in_force(database: Database) -> list[ArchiveSelection]:
    """Return the selections that were not withdrawn, the oldest first."""
    query = select(ArchiveSelection).where(ArchiveSelection.ended_at.is_(None))
    async with database.session() as session:
        return list((await session.execute(query.order_by(ArchiveSelection.id))).scalars())


async def adopt_setting(
    database: Database, wanted: Selection | None, order: SelectionOrder, room: int | None
) -> None:
    """Let the selection of the settings be in force, and end another one that they had.

    Parameters
    ----------
    database
        Database.
    wanted
        Selection of the settings; None where they want nothing.
    order
        Which datasets come first.
    room
        Room on the disk of the store, bytes, if that is known.

    Raises
    ------
    RefusedError
        If it is everything, and that is not known or does not fit.
    """
    row = ArchiveSelection
    mine = select(row).where(row.ended_at.is_(None), row.created_by == BY_SETTING)
    async with database.transaction() as session:
        await lock_catalogue(session)
        kept = False
        for found in (await session.execute(mine)).scalars():
            kept = wanted is not None and found.selection == wanted.document()
            if kept:
                found.order = order
            else:
                found.ended_at = func.now()
        if wanted is None or kept:
            return
        if wanted.everything:
            require_room(await make_plan(session, [wanted], room))
        session.add(
            row(
                selection=wanted.document(),
                order=order,
                created_at=func.now(),
                created_by=BY_SETTING,
            )
        )


async def mark_wanted(database: Database, selections: Sequence[ArchiveSelection]) -> int:
    """Mark the entries that some selections mean, and no others.

    Returns
    -------
        Number of entries of which that changed.
    """
    entry = CatalogueEntryRow
    chosen = selected_datasets(
        [Selection.model_validate(found.selection) for found in selections]
    ).subquery("chosen")
    is_chosen = exists().where(chosen.c.dataset == entry.dataset)
    changed = 0
    async with database.transaction() as session:
        await lock_catalogue(session)
        for statement in (
            update(entry).where(~entry.wanted, is_chosen).values(wanted=True),
            update(entry).where(entry.wanted, ~is_chosen).values(wanted=False),
        ):
            result = cast("CursorResult[Any]", await session.execute(statement))
            changed += result.rowcount
    return changed
