"""A pooler in transaction mode between COSMO and Postgres."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import func, select, text

from cosmo.launcher.embedded import EmbeddedPostgres
from services.monitor.web.event_feed import EventFeed
from shared.database.engine import Database
from shared.database.leadership import keep_leading, require_sessions
from shared.database.locks import AdvisoryLock
from shared.database.models.operations import Event, Job, JobState, Stage
from shared.errors import PermanentError
from shared.events import EventName
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion, JobRunner
from shared.jobs.sequencer import keep_sequencing
from shared.settings import JobSettings
from shared.worker.broker import Messenger
from tests.pooler import SESSIONS, pooler
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration

_PATIENCE = 20.0


@pytest.fixture(scope="module")
def address(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of pgbouncer, but for the database."""
    with pooler(postgres, tmp_path_factory.mktemp("pgbouncer")) as found:
        yield found


@pytest.fixture
async def pooled(database: Database, address: str) -> AsyncIterator[Database]:
    """Migrated, empty database through the pooler, with a way past it."""
    found = Database(f"{address}/postgres", direct_url=database.url, statement_timeout=5.0)
    yield found
    await found.dispose()


async def test_one_leads_and_another_follows(address: str, database: Database) -> None:
    leading: list[int] = []
    rivals = [Database(f"{address}/postgres", direct_url=database.url) for _ in range(4)]

    async def lead(number: int) -> None:
        async def turns_of(turns: AsyncIterator[None]) -> None:
            async for _ in turns:
                leading.append(number)

        await keep_leading(rivals[number], AdvisoryLock.SCHEDULER, 0.05, turns_of)

    tasks = [asyncio.ensure_future(lead(number)) for number in range(len(rivals))]
    async with asyncio.timeout(_PATIENCE):
        while len(leading) < 20:  # noqa: ASYNC110 - many turns of everybody
            await asyncio.sleep(0.05)
        first = leading[-1]
        assert set(leading) == {first}
        tasks[first].cancel()
        while leading[-1] == first:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        number = len(leading)
        while len(leading) < number + 10:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert len(set(leading[number:])) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for rival in rivals:
        await rival.dispose()


async def test_a_job_passes_and_its_event_arrives(pooled: Database, messenger: Messenger) -> None:
    feed, settings = EventFeed(pooled), JobSettings()
    job_id = await queue_job(pooled, await add_dataset(pooled))
    assert job_id is not None

    async def work(_job: ClaimedJob) -> Completion:
        return Completion(NewEvent(EventName.DATASET_CALIBRATED, {}))

    runner = JobRunner(pooled, messenger, settings, {Stage.CALIBRATE: work}, "tester")
    sequencing = asyncio.ensure_future(keep_sequencing(pooled))
    async with feed.listening(), asyncio.timeout(_PATIENCE):
        while feed.notification_count is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        count = feed.notification_count
        await runner.run(job_id)
        while feed.notification_count == count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    sequencing.cancel()
    await asyncio.gather(sequencing, return_exceptions=True)
    async with pooled.session() as session:
        assert await session.scalar(select(Job.state).where(Job.id == job_id)) is JobState.DONE
        assert await session.scalar(select(func.count()).select_from(Event)) == 1


async def test_statements_of_many_connections_do_not_meet(pooled: Database) -> None:
    async def ask(number: int) -> None:
        for _ in range(4):
            async with pooled.session() as session:
                rows = await session.stream(
                    text(f"SELECT n, {number} FROM generate_series(1, 200) AS n")
                )
                assert [tuple(row) async for row in rows] == [(n, number) for n in range(1, 201)]

    await asyncio.gather(*(ask(number) for number in range(12)))


async def test_settings_hold_in_every_transaction(pooled: Database, database: Database) -> None:
    for one in (pooled, Database(database.url, statement_timeout=5.0)):
        for _ in range(3):
            async with one.session() as session:
                assert await session.scalar(text("SHOW statement_timeout")) == "5s"
                assert await session.scalar(text("SHOW jit")) == "off"
        await one.dispose()
    async with database.session() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "0"


@pytest.mark.parametrize("direct", [True, False])
async def test_a_leader_behind_a_pooler_of_transactions_is_refused(
    address: str, database: Database, *, direct: bool
) -> None:
    wrong = Database(f"{address}/postgres", direct_url=f"{address}/postgres" if direct else None)
    name = "COSMO_DATABASE_DIRECT_URL" if direct else "COSMO_DATABASE_URL"
    with pytest.raises(PermanentError, match=f"^{name} leads through a pooler"):
        await require_sessions(wrong)
    await wrong.dispose()


async def test_a_pooler_of_sessions_and_none_are_accepted(address: str, pooled: Database) -> None:
    await require_sessions(pooled)
    sessions = Database(f"{address}/{SESSIONS}")
    await require_sessions(sessions)
    async with sessions.session() as session:
        assert await session.scalar(text("SHOW jit")) == "off"
    await sessions.dispose()
