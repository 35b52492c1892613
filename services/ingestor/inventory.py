"""Description, and removal, of what the database knows of a file or rootname."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import LargeBinary, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingestor.schedule_versions import lock_schedules, prefer_newest_schedules
from services.ingestor.visibility import lock_rootnames, show_newest
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File, SourceFile
from shared.database.models.science import SCIENCE_TABLES
from shared.errors import PermanentError
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event

__all__ = ["describe", "forget"]

_FACTS = (
    "id",
    "name",
    "origin",
    "path",
    "size",
    "sha256",
    "run_id",
    "current",
    "shown",
    "problems",
)


async def describe(database: Database, what: str, *, rows: bool = False) -> list[dict[str, Any]]:
    """Return all that is known of a file, or of every file of a rootname.

    Parameters
    ----------
    database
        Database.
    what
        Name of a file, or rootname of an exposure, product or dataset.
    rows
        Whether the rows are wanted, not only their numbers.

    Returns
    -------
    list
        One description for each version of each file, with its rows by table.

    Raises
    ------
    PermanentError
        If nothing is known.
    """
    async with database.session() as session:
        found = await _files(session, what)
        return [
            {
                **{name: getattr(file, name) for name in _FACTS},
                "ingested_at": file.ingested_at.isoformat() if file.ingested_at else None,
                "tables": await _rows(session, file.id)
                if rows
                else await _counts(session, file.id),
            }
            for file in found
        ]


async def _files(session: AsyncSession, what: str) -> Sequence[File]:
    name = what.lower()
    is_it = or_(
        File.name.in_((what, f"{what}.gz")), File.rootname == name, Dataset.rootname == name
    )
    query = select(File).join(Dataset).where(is_it).order_by(File.name, File.id)
    found = (await session.execute(query)).scalars().all()
    if not found:
        raise PermanentError(
            f"{what} is unknown; give a rootname, or the name of a file as in the store"
        )
    return found


async def _counts(session: AsyncSession, file_id: int) -> dict[str, int]:
    counts = {
        table: (
            await session.execute(
                select(func.count()).select_from(model).where(model.file_id == file_id)
            )
        ).scalar_one()
        for table, model in SCIENCE_TABLES.items()
    }
    return {table: count for table, count in counts.items() if count}


async def _rows(session: AsyncSession, file_id: int) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table, model in SCIENCE_TABLES.items():
        columns = (
            column for column in model.__table__.columns if not isinstance(column.type, LargeBinary)
        )
        query = select(*columns).where(model.file_id == file_id).order_by(model.id)
        if rows := (await session.execute(query)).mappings().all():
            found[table] = [dict(row) for row in rows]
    return found


async def forget(database: Database, name: str) -> int:
    """Remove every version of a file, with its rows, from the database; what is in the store stays.

    A source that still has the file hands it out again when its dataset is fetched the next time.

    Parameters
    ----------
    database
        Database.
    name
        Name of the file.

    Returns
    -------
    int
        Number of versions.

    Raises
    ------
    PermanentError
        If there is no file of that name.
    """
    async with database.transaction() as session:
        await lock_schedules(await session.connection())
        found = [file for file in await _files(session, name) if file.name in (name, f"{name}.gz")]
        if not found:
            raise PermanentError(
                f"no file is named {name}; `cosmo ingest describe {name}` lists the files"
            )
        rootnames = {file.rootname for file in found if file.rootname is not None}
        await lock_rootnames(session, rootnames)
        ids = [file.id for file in found]
        counts: Counter[str] = Counter()
        for file_id in ids:
            counts.update(await _counts(session, file_id))
        await session.execute(
            update(SourceFile).where(SourceFile.file_id.in_(ids)).values(fetched_identity=None)
        )
        await session.execute(delete(File).where(File.id.in_(ids)))
        await show_newest(session, rootnames)
        await prefer_newest_schedules(await session.connection())
        changed = NewEvent(
            EventName.TABLES_CHANGED, {"forgotten": found[0].name, "rows": dict(counts)}
        )
        await record_event(session, None, changed, Outbox())
    return len(ids)
