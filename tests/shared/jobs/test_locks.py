"""Transactions on one dataset wait for each other in one order, and what they replace is closed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy.event
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.operations import Attempt, Dataset, File, Job, JobState, Stage
from shared.events import EventName
from shared.jobs import claims, operations
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob
from shared.jobs.runner import Completion, JobRunner
from shared.jobs.states import lock_datasets
from shared.settings import JobSettings
from shared.worker.broker import Messenger
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration
SETTINGS = JobSettings(backoff_seconds=0.0)
ROUNDS, SIDES = 15, 3


async def _all(
    database: Database, *works: Callable[[AsyncSession, int], Awaitable[object]]
) -> None:
    """Do each work many times, in transactions of several connections at once."""

    async def repeat(work: Callable[[AsyncSession, int], Awaitable[object]], side: int) -> None:
        for number in range(ROUNDS):
            async with database.transaction() as session:
                await work(session, side * ROUNDS + number)

    await asyncio.gather(*(repeat(work, side) for work in works for side in range(SIDES)))


async def test_requests_and_workers_on_one_dataset(database: Database) -> None:
    """A request writes a job, a worker files and an event, and both the dataset's state."""
    dataset = await add_dataset(database)

    async def request(session: AsyncSession, number: int) -> None:
        job = NewJob(Stage.RECALIBRATE, {}, {"version": number})
        await record_event(
            session,
            dataset,
            NewEvent(EventName.CALIBRATION_REQUESTED),
            Outbox(),
            await add_job(session, dataset, job, Outbox()),
        )

    async def start(session: AsyncSession, number: int) -> None:
        await add_job(session, dataset, NewJob(Stage.CALIBRATE, {}, {"n": number}), Outbox())

    async def finish(session: AsyncSession, number: int) -> None:
        due = select(Job.id).where(Job.stage == Stage.CALIBRATE, Job.state == JobState.QUEUED)
        job_id = (await session.execute(due)).scalars().first()
        job = (
            await claims.claim(session, job_id, "worker", SETTINGS) if job_id is not None else None
        )
        if job is None:
            return
        await claims.finish(session, job)
        session.add(
            File(
                dataset_id=dataset,
                origin="extra",
                path=f"p{number}",
                name=f"n{number}",
                suffix="s",
                size=1,
                sha256="0",
            )
        )
        await session.flush()
        await record_event(
            session,
            dataset,
            NewEvent(EventName.DATASET_CALIBRATED, {"depends_on": {}}),
            Outbox(),
            job_id,
        )

    await _all(database, request, start, finish)
    async with database.session() as session:
        jobs = (
            (await session.execute(select(Job.state).where(Job.stage == Stage.RECALIBRATE)))
            .scalars()
            .all()
        )
    assert len(jobs) == ROUNDS * SIDES


async def test_an_operator_with_many_jobs_and_their_workers(database: Database) -> None:
    """Whoever requeues takes one dataset after the other."""
    datasets = [await add_dataset(database, rootname=f"ldfd0{number}010") for number in range(6)]
    jobs = [
        job_id for dataset in datasets if (job_id := await queue_job(database, dataset)) is not None
    ]
    async with database.transaction() as session:
        await session.execute(update(Job).values(state=JobState.FAILED))

    async def requeue(session: AsyncSession, number: int) -> None:
        await operations.requeue(session, jobs if number % 2 else jobs[::-1])

    async def work(session: AsyncSession, number: int) -> None:
        job = await claims.claim(session, jobs[number % len(jobs)], "worker", SETTINGS)
        if job is not None:
            await claims.fail(session, job, "permanent", "wrong", SETTINGS, Outbox())

    await _all(database, requeue, work)


async def test_a_finished_run_survives_a_deadlock(database: Database, messenger: Messenger) -> None:
    """The victim of a deadlock that comes from elsewhere writes its result once more."""
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    for rootname in ("first", "second"):
        await add_dataset(database, rootname=rootname)
    met, tries, discarded = asyncio.Event(), list[int](), list[int]()

    async def touch(session: AsyncSession, rootname: str) -> None:
        await session.execute(
            update(Dataset).where(Dataset.rootname == rootname).values(reason="touched")
        )

    async def other() -> None:
        async with database.transaction() as session:
            await touch(session, "second")
            await met.wait()
            await asyncio.sleep(0.3)
            await touch(session, "first")

    async def apply(session: AsyncSession) -> None:
        tries.append(1)
        if len(tries) == 1:
            await touch(session, "first")
            met.set()  # who waits first, as this one now does, becomes the victim
        await touch(session, "second")

    async def handler(_job: ClaimedJob) -> Completion:
        return Completion(
            NewEvent(EventName.DATASET_CALIBRATED), apply, lambda: discarded.append(1)
        )

    rival = asyncio.ensure_future(_until_it_wins(other))
    await asyncio.sleep(0.1)
    await JobRunner(database, messenger, SETTINGS, {Stage.CALIBRATE: handler}, "tester").run(job_id)
    await rival
    async with database.session() as session:
        assert (
            await session.execute(select(Job.state).where(Job.id == job_id))
        ).scalar_one() is JobState.DONE
    assert (len(tries), discarded) == (2, [])


async def _until_it_wins(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:  # noqa: BLE001 - it was the victim
        await work()


@pytest.mark.parametrize("stage", [Stage.CALIBRATE, Stage.INGEST_RAW])
async def test_a_superseded_attempt_is_closed(database: Database, stage: Stage) -> None:
    dataset = await add_dataset(database)
    first = await queue_job(database, dataset, stage)
    assert first is not None
    async with database.transaction() as session:
        assert await claims.claim(session, first, "worker", SETTINGS) is not None
    await queue_job(database, dataset, stage, version=2)
    async with database.session() as session:
        (attempt,) = (await session.execute(select(Attempt))).scalars()
    assert (attempt.outcome, attempt.finished_at is None) == ("superseded", False)


async def test_more_datasets_than_a_statement_has_parameters(database: Database) -> None:
    dataset = await add_dataset(database)
    async with database.transaction() as session:
        await lock_datasets(session, [dataset, *range(10**6, 10**6 + 40_000)])
        assert await operations.requeue(session, list(range(40_000))) == 0


async def test_a_transaction_takes_a_dataset_once(database: Database) -> None:
    dataset = await add_dataset(database)
    job_id = await queue_job(database, dataset)
    taken = 0

    @sqlalchemy.event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def count(*arguments: Any) -> None:
        nonlocal taken
        taken += "FOR NO KEY UPDATE" in arguments[2]

    async with database.session() as session:
        assert await claims.claim(session, job_id or 0, "worker", SETTINGS) is not None
        await lock_datasets(session, [dataset])
        assert taken == 1
        await session.commit()  # which gives it back
        await lock_datasets(session, [dataset])
        assert taken == 2
