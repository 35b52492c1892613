"""Work goes on when the database's clock was put back, which is as if all that was written lay in
the future.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from shared.database.engine import Database
from shared.database.models.operations import Job, JobState, Stage
from shared.jobs import claims
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.leases import Lease, LeaseWatch
from shared.settings import JobSettings
from shared.worker.broker import Messenger
from tests.shared.jobs.work import add_dataset, queue_job

SETTINGS = JobSettings(lease_seconds=0.6, backoff_seconds=0.0, resend_seconds=0.1)
BACK = timedelta(hours=2)


@pytest.mark.integration
async def test_a_job_is_due_and_its_message_sent_again(
    database: Database, messenger: Messenger
) -> None:
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    async with database.transaction() as session:
        await session.execute(
            update(Job).values(not_before=func.now() + BACK, sent_at=func.now() + BACK)
        )
    assert await Dispatcher(database, messenger, SETTINGS).feed("calibrate") == 1
    async with database.transaction() as session:
        assert await claims.claim(session, job_id, "worker", SETTINGS) is not None


@pytest.mark.integration
async def test_a_pause_before_a_retry_is_kept(database: Database, messenger: Messenger) -> None:
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    async with database.transaction() as session:
        await session.execute(
            update(Job).values(not_before=func.now() + timedelta(seconds=30), sent_at=None)
        )
    assert await Dispatcher(database, messenger, SETTINGS).feed("calibrate") == 0
    async with database.transaction() as session:
        assert await claims.claim(session, job_id, "worker", SETTINGS) is None


@pytest.mark.integration
@pytest.mark.parametrize("jump", [BACK, -BACK])
async def test_a_dead_worker_is_noticed_and_a_living_one_left(
    database: Database, messenger: Messenger, jump: timedelta
) -> None:
    """However the clock jumps while a lease holds."""
    dataset = await add_dataset(database)
    dead = await queue_job(database, dataset, Stage.CALIBRATE)
    alive = await queue_job(database, dataset, Stage.FETCH)
    assert dead is not None
    assert alive is not None
    dispatcher = Dispatcher(database, messenger, SETTINGS)
    async with database.transaction() as session:
        await claims.claim(session, dead, "dead", SETTINGS)
        job = await claims.claim(session, alive, "alive", SETTINGS)
        assert job is not None
    await dispatcher.expire()
    async with database.transaction() as session:
        await session.execute(update(Job).values(lease_until=Job.lease_until + jump))
    end = time.monotonic() + 5
    while not await dispatcher.expire():
        assert time.monotonic() < end
        async with database.transaction() as session:
            await claims.renew(session, job, SETTINGS)
        await asyncio.sleep(0.1)
    async with database.session() as session:
        found = {(job.worker, job.state) for job in (await session.execute(select(Job))).scalars()}
    assert found == {("dead", JobState.QUEUED), ("alive", JobState.RUNNING)}


def test_a_pause_of_the_watch_itself_takes_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres stood still for a minute: the holders had no chance to renew."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lease = Lease(1, datetime(2026, 1, 1, tzinfo=UTC))
    watch = LeaseWatch(30.0)
    assert watch.find_expired({7: (lease, False)}) == []
    now += 60.0
    assert watch.find_expired({7: (lease, True)}) == []
    for _ in range(4):
        now += 5.0
        found = watch.find_expired({7: (lease, True)})
    assert found == [7]
    assert watch.find_expired({7: (Lease(1, datetime(2026, 1, 2, tzinfo=UTC)), False)}) == []
