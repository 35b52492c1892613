"""The tables that a re-population fills before readers see them, and how their content takes the old one's place."""

from collections.abc import Collection

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.ingestor.datasets import update_preferred
from services.ingestor.schedules import prefer_newest_schedules
from shared.database.engine import Database
from shared.database.models.operations import File
from shared.database.models.repopulation import Repopulation
from shared.database.models.science import SCIENCE_TABLES
from shared.database.schema import newest_revision
from shared.errors import PermanentError
from shared.jobs.events import NewEvent, Outbox, record_event

__all__ = ["STAGING", "abandon", "begin_or_resume", "show_staged"]

STAGING = "repopulation"
"""Schema of the tables that are being filled."""

_BATCHES = text(
    """
    INSERT INTO repopulation_batches (repopulation_id, first_dataset, last_dataset, datasets, files, rows)
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
    """Key of the re-population that is unfinished, or of a new one with its batches and empty tables.

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
                f"a re-population of {', '.join(unfinished.tables)} begun at {unfinished.started_at:%Y-%m-%d %H:%M} is "
                "unfinished: name the same tables to finish it, or --restart to begin anew"
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
        await session.execute(text(f"CREATE TABLE {STAGING}.{table} (LIKE public.{table})"))
    return repopulation.id


async def abandon(database: Database) -> None:
    """Forget an unfinished re-population; readers keep the old content."""
    async with database.transaction() as session:
        await session.execute(text(f"DROP SCHEMA IF EXISTS {STAGING} CASCADE"))
        await session.execute(delete(Repopulation).where(Repopulation.finished_at.is_(None)))


async def show_staged(database: Database, repopulation: int) -> None:
    """Let readers see the new content: in one transaction it takes the old one's place.

    Rows of files that were ingested since the re-population began are newer, and stay. Readers are never blocked;
    ingests wait.

    Parameters
    ----------
    database
        Database.
    repopulation
        Key of the re-population, of which every batch is done.
    """
    async with database.transaction() as session:
        found = (
            await session.execute(select(Repopulation).where(Repopulation.id == repopulation).with_for_update())
        ).scalar_one()
        if found.finished_at is not None:
            return
        tables = [str(table) for table in found.tables]
        # Ingests lock the tables in this order too.
        await session.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"))
        connection = await session.connection()
        for table in tables:
            await _replace(connection, table, repopulation)
        newer = select(File.dataset_id).where(File.ingested_at >= found.started_at).distinct()
        for dataset_id in (await session.execute(newer)).scalars().all():
            await update_preferred(session, dataset_id)
        if "sms" in tables:
            await prefer_newest_schedules(connection)
        await session.execute(text(f"DROP SCHEMA {STAGING} CASCADE"))
        await session.execute(text("UPDATE repopulations SET finished_at = now() WHERE id = :id"), {"id": repopulation})
        changed = NewEvent("tables.changed", {"repopulated": repopulation, "rows": dict.fromkeys(tables)})
        await record_event(session, None, changed, Outbox())
    async with database.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for table in tables:
            await plain.execute(text(f"VACUUM (ANALYZE) public.{table}"))


async def _replace(connection: AsyncConnection, table: str, repopulation: int) -> None:
    names = ", ".join(f'"{column.name}"' for column in SCIENCE_TABLES[table].__table__.columns)
    begun = "(SELECT started_at FROM repopulations WHERE id = :repopulation)"
    older = f"file_id IN (SELECT id FROM files WHERE ingested_at < {begun})"  # noqa: S608 - every name is our own
    old = f"DELETE FROM public.{table} WHERE {older}"  # noqa: S608
    new = f"INSERT INTO public.{table} ({names}) SELECT {names} FROM {STAGING}.{table} WHERE {older}"  # noqa: S608
    for statement in (old, new):
        await connection.execute(text(statement), {"repopulation": repopulation})
