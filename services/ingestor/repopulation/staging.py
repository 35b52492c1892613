"""The tables that a re-population fills before readers see them, and how their content takes the
old one's place.
"""

import asyncio
from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.ingestor.extractors import preferred_kinds
from services.ingestor.repopulation.tables import STAGING, create_staged, finish_staged, take_place
from services.ingestor.schedule_versions import prefer_newest_schedules
from services.ingestor.visibility import mark_preferred
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.repopulation import Repopulation
from shared.database.models.science import SCIENCE_TABLES
from shared.database.schema import newest_revision
from shared.errors import PermanentError, TransientError
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event

__all__ = ["abandon", "begin_or_resume", "show_staged"]

_PATIENCE = "800ms"
"""How long the swap waits for a reader.

Others queue behind it, so that it gives way and tries again. Below a second,
Postgres's deadlock_timeout: else a reader of two tables might be the one who is cancelled."""

_TRIES, _PAUSE = 120, 2.0
_LOCK_NOT_AVAILABLE, _DEADLOCK, _DEPENDENTS = "55P03", "40P01", "2BP01"
"""SQLSTATE (PostgreSQL, appendix A)."""

_SEE_STAGED = text(f"SET LOCAL search_path TO {STAGING}, public")
_SEE_PUBLIC = text("SET LOCAL search_path TO DEFAULT")
"""What marks the rows that readers see marks those of the tables beside."""

_BATCHES = text(
    """
    INSERT INTO repopulation_batches (repopulation_id, first_dataset, last_dataset, datasets,
      files, rows)
    SELECT :repopulation, min(id), max(id), count(*), 0, 0
    FROM (
        SELECT id, (row_number() OVER (ORDER BY id) - 1) / :size AS batch FROM datasets
        WHERE EXISTS (SELECT FROM files WHERE dataset_id = datasets.id AND ingested_at IS NOT NULL)
    ) AS numbered
    GROUP BY batch
    RETURNING datasets
    """
)


async def begin_or_resume(database: Database, tables: Collection[str], batch_size: int) -> int:
    """Return the key of the re-population that is unfinished, or of a new one with its batches and
    empty tables.

    Parameters
    ----------
    database
        Database.
    tables
        Names of the tables to fill.
    batch_size
        Datasets that a worker does at once.

    Raises
    ------
    PermanentError
        If one of other tables, or for another revision of the schema, is unfinished.
    """
    wanted, revision = sorted(tables), newest_revision()
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE repopulations IN EXCLUSIVE MODE"))
        query = select(Repopulation).where(Repopulation.finished_at.is_(None))
        unfinished = (await session.execute(query)).scalar_one_or_none()
        if unfinished is None:
            return await _begin(session, wanted, revision, batch_size)
        if (unfinished.tables, unfinished.revision) != (wanted, revision):
            raise PermanentError(
                f"a repopulation of {', '.join(unfinished.tables)} begun at "
                f"{unfinished.started_at:%Y-%m-%d %H:%M} is "
                "unfinished: name the same tables to finish it, or give --restart to start over"
            )
        return unfinished.id


async def _begin(session: AsyncSession, tables: list[str], revision: str, batch_size: int) -> int:
    repopulation = Repopulation(tables=tables, revision=revision, datasets=0)
    session.add(repopulation)
    await session.flush()
    batches = await session.execute(_BATCHES, {"repopulation": repopulation.id, "size": batch_size})
    repopulation.datasets = sum(batches.scalars())
    await session.execute(text(f"CREATE SCHEMA {STAGING}"))
    for table in tables:
        await create_staged(await session.connection(), table)
    return repopulation.id


async def abandon(database: Database) -> None:
    """Forget an unfinished re-population; readers keep the old content."""
    async with database.transaction() as session:
        await session.execute(text(f"DROP SCHEMA IF EXISTS {STAGING} CASCADE"))
        await session.execute(delete(Repopulation).where(Repopulation.finished_at.is_(None)))


async def show_staged(database: Database, repopulation: int) -> None:
    """Let readers see the new content: in one transaction the filled tables take the place of the
    old ones.

    Rows of files that were ingested since the re-population began are newer, and are carried over.
    Keys and indexes are built before; the swap itself takes seconds however large the tables are.
    Ingests wait for it, and readers while the tables are renamed.

    Parameters
    ----------
    database
        Database.
    repopulation
        Key of the re-population, of which every batch is done.

    Raises
    ------
    TransientError
        If another session keeps reading a table; starting it again continues.
    PermanentError
        If a view depends on a table.
    """
    async with database.session() as session:
        found = (
            await session.execute(select(Repopulation).where(Repopulation.id == repopulation))
        ).scalar_one()
    if found.finished_at is not None:
        return
    tables = [str(table) for table in found.tables]
    for table in tables:
        async with database.transaction() as session:
            await _finish(session, table)
    for _ in range(_TRIES):
        try:
            async with database.transaction() as session:
                await _swap(session, repopulation, tables)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state == _DEPENDENTS:
                depends = (
                    getattr(getattr(error.orig, "__cause__", None), "detail", None) or error.orig
                )
                raise PermanentError(
                    f"the tables cannot be replaced: {depends}; drop what depends on them, then "
                    "start it again"
                ) from error
            if state not in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return
    raise TransientError(
        "another session keeps reading the tables; start the command again when it has ended: it "
        "continues"
    )


async def _finish(session: AsyncSession, table: str) -> None:
    """Mark the rows of a filled table that readers see, and give it its keys and indexes."""
    if table in preferred_kinds():
        await session.execute(_SEE_STAGED)
        await mark_preferred(session, [table])
        await session.execute(_SEE_PUBLIC)
    await finish_staged(await session.connection(), table)


async def _swap(session: AsyncSession, repopulation: int, tables: Sequence[str]) -> None:
    query = select(Repopulation).where(Repopulation.id == repopulation).with_for_update()
    found = (await session.execute(query)).scalar_one()
    if found.finished_at is not None:
        return
    connection = await session.connection()
    # Ingests lock the tables in this order too.
    names = ", ".join(f"public.{table}" for table in tables)
    await connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
    for table in tables:
        await _carry_over(connection, table, repopulation)
    await connection.execute(_SEE_STAGED)
    newer = (
        select(File.rootname)
        .where(File.ingested_at >= found.started_at, File.rootname.is_not(None))
        .distinct()
    )
    rootnames = {str(rootname) for rootname in (await session.execute(newer)).scalars()}
    await mark_preferred(
        session, [table for table in preferred_kinds() if table in tables], rootnames
    )
    if "sms" in tables:
        await prefer_newest_schedules(connection)
    await connection.execute(_SEE_PUBLIC)
    await connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
    for table in tables:
        await take_place(connection, table)
    await connection.execute(text(f"DROP SCHEMA {STAGING} CASCADE"))
    await connection.execute(
        text("UPDATE repopulations SET finished_at = now() WHERE id = :id"), {"id": repopulation}
    )
    changed = NewEvent(
        EventName.TABLES_CHANGED, {"repopulated": repopulation, "rows": dict.fromkeys(tables)}
    )
    await record_event(session, None, changed, Outbox())


async def _carry_over(connection: AsyncConnection, table: str, repopulation: int) -> None:
    """Put the rows of files that were ingested meanwhile in place of those that the re-population
    made of them.
    """
    names = ", ".join(f'"{column.name}"' for column in SCIENCE_TABLES[table].__table__.columns)
    begun = "(SELECT started_at FROM repopulations WHERE id = :repopulation)"
    newer = f"file_id IN (SELECT id FROM files WHERE ingested_at >= {begun})"  # noqa: S608 - every name is our own
    stale = f"DELETE FROM {STAGING}.{table} WHERE {newer}"  # noqa: S608
    # None of them is preferred yet: a row that they take the place of may be.
    values = names.replace('"preferred"', "false")
    fresh = (
        f"INSERT INTO {STAGING}.{table} ({names}) SELECT {values} FROM public.{table} WHERE {newer}"  # noqa: S608
    )
    for statement in (stale, fresh):
        await connection.execute(text(statement), {"repopulation": repopulation})
