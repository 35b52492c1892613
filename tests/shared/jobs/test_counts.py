"""Numbers by state are those of the tables, whatever happened."""

import pytest
from sqlalchemy import delete, func, select, text

from shared.database.engine import Database
from shared.database.models.operations import Dataset, Job, StateCount
from shared.invariants.database import check_database
from shared.jobs import counts
from shared.jobs.claims import claim, finish
from shared.jobs.counts import Count, merge_counts, read_counts
from shared.settings import JobSettings
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration


async def _counted(database: Database) -> list[Count]:
    """Count what is in the tables."""
    async with database.session() as session:
        jobs = await session.execute(
            select(Job.stage, Job.queue, Job.state, func.count()).group_by(
                Job.stage, Job.queue, Job.state
            )
        )
        datasets = await session.execute(
            select(Dataset.state, func.count()).group_by(Dataset.state)
        )
    found = [Count(stage.value, queue, state.value, number) for stage, queue, state, number in jobs]
    return found + [Count(None, None, state.value, number) for state, number in datasets]


async def _kept(database: Database) -> list[Count]:
    async with database.session() as session:
        return await read_counts(session)


def _key(count: Count) -> tuple[str, str, str]:
    return count.stage or "", count.queue or "", count.state


async def _agree(database: Database) -> bool:
    return sorted(await _kept(database), key=_key) == sorted(await _counted(database), key=_key)


async def test_numbers_follow_what_happens(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await _kept(database) == []
    datasets = [await add_dataset(database, rootname=f"ldfd0{n}010") for n in range(3)]
    jobs = [await queue_job(database, dataset) for dataset in datasets]
    await queue_job(database, datasets[0], version=2)
    assert await _agree(database)
    assert Count("calibrate", "calibrate", "superseded", 1) in await _kept(database)
    async with database.transaction() as session:
        job = await claim(session, jobs[1] or 0, "worker", JobSettings())
        assert job is not None
    assert Count("calibrate", "calibrate", "running", 1) in await _kept(database)
    async with database.transaction() as session:
        await finish(session, job)
    assert await _agree(database)
    async with database.transaction() as session:  # a transaction that fails counts nothing
        await session.execute(delete(Dataset))
        await session.rollback()
    assert await _agree(database)
    async with database.transaction() as session:
        await session.execute(delete(Dataset).where(Dataset.id == datasets[2]))
    before = await _kept(database)
    monkeypatch.setattr(counts, "_MERGED_ROWS", 1)
    async with database.transaction() as session:
        await merge_counts(session)
        rows = await session.execute(select(func.count()).select_from(StateCount))
        assert rows.scalar_one() == len(before)
    assert await _agree(database)


async def test_a_wrong_number_is_a_violation(database: Database) -> None:
    await queue_job(database, await add_dataset(database))
    async with database.transaction() as session:
        assert await check_database(session) == []
        await session.execute(text("UPDATE state_counts SET number = 2 WHERE stage IS NOT NULL"))
        (violation,) = await check_database(session)
    assert violation.subject == "calibrate queued"
    assert violation.message == "2 are counted, and there are 1"
