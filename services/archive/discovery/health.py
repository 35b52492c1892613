"""Which catalogues may be asked: one that does not answer is left alone for a while."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from shared.database.engine import Database
from shared.database.models.archive import CatalogueHealth
from shared.logs import get_logger
from shared.masking import mask_passwords
from shared.metrics import CATALOGUE_FAILURES

__all__ = ["available", "note_answer", "note_failure"]

_NOTED_SECONDS = 60
"""An answer is not noted again within this time."""


async def available(database: Database, names: Sequence[str]) -> list[str]:
    """Return those of some catalogues that may be asked now, in the same order."""
    paused = select(CatalogueHealth.catalogue).where(CatalogueHealth.retry_at > func.now())
    async with database.session() as session:
        away = set((await session.execute(paused)).scalars())
    return [name for name in names if name not in away]


async def note_answer(database: Database, name: str) -> None:
    """Note that a catalogue answers."""
    values = {
        "last_answer": func.now(),
        "failing_since": None,
        "retry_at": None,
        "error": None,
    }
    failing = select(CatalogueHealth.failing_since).where(CatalogueHealth.catalogue == name)
    news = or_(
        CatalogueHealth.failing_since.is_not(None),
        CatalogueHealth.last_answer.is_(None),
        CatalogueHealth.last_answer < func.now() - timedelta(seconds=_NOTED_SECONDS),
    )
    statement = insert(CatalogueHealth).values(catalogue=name, **values)
    async with database.transaction() as session:
        since = await session.scalar(failing)
        await session.execute(
            statement.on_conflict_do_update(index_elements=["catalogue"], set_=values, where=news)
        )
    if since is not None:
        get_logger().info("catalogue answers again", catalogue=name, failed_since=str(since))


async def note_failure(
    database: Database, name: str, error: Exception, pause_seconds: float
) -> None:
    """Note that a catalogue does not answer, and leave it alone for a while.

    Parameters
    ----------
    database
        Database.
    name
        The catalogue.
    error
        Why it is not believed to be well.
    pause_seconds
        How long it is not asked.
    """
    reason = mask_passwords(str(error) or type(error).__name__)
    values = {
        "retry_at": func.now() + timedelta(seconds=pause_seconds),
        "error": reason,
    }
    statement = insert(CatalogueHealth).values(catalogue=name, failing_since=func.now(), **values)
    since = func.coalesce(CatalogueHealth.failing_since, func.now())
    async with database.transaction() as session:
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["catalogue"], set_={**values, "failing_since": since}
            )
        )
    CATALOGUE_FAILURES.labels(name).inc()
    get_logger().warning(
        "catalogue does not answer", catalogue=name, reason=reason, pause_seconds=pause_seconds
    )
