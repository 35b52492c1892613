"""Reference files that CalCOS used, as inputs of monitors."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import String, column, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.declaration import Reference
from shared.cos.reference_names import RemoteFolder, find_reference
from shared.database.models.operations import Run

__all__ = ["find_references"]


async def find_references(
    session: AsyncSession, reference: Reference, folder: Path | RemoteFolder | None
) -> Sequence[Path]:
    """Find the files of a kind that CalCOS used and that are there, the one that it used last
    first.

    Parameters
    ----------
    session
        Session of the transaction to read in.
    reference
        What kind.
    folder
        Folder of the reference files; None where there is none.
    """
    if folder is None:
        return []
    used = func.jsonb_each(Run.references).table_valued(
        column("key", String), column("value", JSONB), name="used"
    )
    names = await session.execute(
        select(used.c.key)
        .select_from(Run)
        .join(used, used.c.value["keyword"].astext == reference.keyword)
        .where(Run.current)
        .group_by(used.c.key)
        .order_by(func.max(Run.id).desc())
    )
    return [path for name in names.scalars() if (path := find_reference(folder, name)) is not None]
