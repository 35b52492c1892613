"""What a job that does nothing asks of Postgres, and how its lease is kept."""

from typing import Any

import pytest
import sqlalchemy.event
from sqlalchemy import select, update

from shared.database.engine import Database
from shared.database.models.operations import Attempt, Dataset, Job, JobState, Stage
from shared.errors import LostClaimError
from shared.events import EventName
from shared.jobs import claims
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.renewal import LeaseRenewal
from shared.jobs.runner import Completion, JobRunner
from shared.settings import JobSettings
from shared.worker.broker import Messenger
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration

SETTINGS = JobSettings()


def _statements(database: Database) -> list[str]:
    """Return a list that receives each statement from now on."""
    statements: list[str] = []

    @sqlalchemy.event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    return statements


async def _claim(database: Database, rootname: str) -> ClaimedJob:
    job_id = await queue_job(database, await add_dataset(database, rootname=rootname))
    async with database.autocommit() as session:
        job = await claims.claim(session, job_id or 0, "tester", SETTINGS)
    assert job is not None
    return job


async def test_a_job_takes_three_statements(database: Database, messenger: Messenger) -> None:
    """One to claim it, one to end it, one for its event."""

    async def handler(_job: ClaimedJob) -> Completion:
        return Completion(NewEvent(EventName.DATASET_INGESTED))

    job_id = await queue_job(database, await add_dataset(database), Stage.INGEST_RAW)
    assert job_id is not None
    handlers = {Stage.INGEST_RAW: handler}
    runner = JobRunner(database, messenger, SETTINGS, handlers, "tester")
    statements = _statements(database)
    await runner.run(job_id)
    assert len([one for one in statements if "pg_notify" not in one]) == 3, statements
    async with database.session() as session:
        found = await session.execute(
            select(Job.state, Job.attempts, Attempt.outcome, Dataset.state)
            .join(Attempt)
            .join(Dataset, Dataset.id == Job.dataset_id)
        )
        assert found.one() == (JobState.DONE, 1, "done", "ingested")


async def test_a_job_that_another_one_ends_changes_nothing(database: Database) -> None:
    job = await _claim(database, "ldfd01010")
    async with database.transaction() as session:
        await session.execute(update(Job).values(worker="another"))
    with pytest.raises(LostClaimError):
        async with database.transaction() as session:
            await claims.finish(session, job)
    async with database.session() as session:
        attempt = (await session.execute(select(Attempt))).scalar_one()
        assert (attempt.outcome, attempt.finished_at) == (None, None)
        assert (await session.execute(select(Dataset.state))).scalar_one() == "calibrating"


async def test_one_statement_renews_all_leases(database: Database) -> None:
    kept, lost = await _claim(database, "first"), await _claim(database, "second")
    renewal, statements = LeaseRenewal(database, SETTINGS), _statements(database)

    async def until() -> list[Any]:
        async with database.session() as session:
            query = select(Job.lease_until).order_by(Job.id)
            return list((await session.execute(query)).scalars())

    before = await until()
    with renewal.hold(kept) as of_kept, renewal.hold(lost) as of_lost:
        statements.clear()
        await renewal._renew()
        assert len(statements) == 1
        assert all(old < new for old, new in zip(before, await until(), strict=True))
        async with database.transaction() as session:
            await session.execute(update(Job).where(Job.id == lost.id).values(worker="another"))
        await renewal._renew()
        assert of_lost.done()
        assert not of_kept.done()
