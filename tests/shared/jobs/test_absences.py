"""Jobs whose source is away wait, and keep no other job from being done."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.operations import Attempt, Job, JobState, Stage
from shared.errors import AbsentSourceError
from shared.events import EventName
from shared.jobs.claims import ClaimedJob
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion, JobRunner
from shared.settings import JobSettings
from shared.worker.broker import Messenger
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration

_REMOTE, _FOLDER = {"source": "archive:"}, {"source": "file:///data"}


class _Source:
    """Fetches, those of the archive only when it is there."""

    def __init__(self) -> None:
        self.is_there = False
        self.done: list[int] = []

    async def fetch(self, job: ClaimedJob) -> Completion:
        if job.payload == _REMOTE and not self.is_there:
            raise AbsentSourceError("no archive answers", _REMOTE["source"])
        self.done.append(job.id)
        return Completion(NewEvent(EventName.PRODUCTS_FETCHED, {"depends_on": {}}))


async def _fetches(database: Database, *payloads: dict[str, Any]) -> list[int]:
    """Write a fetch of a dataset for each payload."""
    ids = []
    for number, payload in enumerate(payloads):
        dataset = await add_dataset(database, rootname=f"ldfd0{number}010")
        job_id = await queue_job(database, dataset, Stage.FETCH, payload=payload)
        assert job_id is not None
        ids.append(job_id)
    return ids


async def _job(database: Database, job_id: int) -> Job:
    async with database.session() as session:
        return (await session.execute(select(Job).where(Job.id == job_id))).scalar_one()


def _runner(database: Database, messenger: Messenger, source: _Source, seconds: float) -> JobRunner:
    settings = JobSettings(backoff_seconds=seconds)
    return JobRunner(database, messenger, settings, {Stage.FETCH: source.fetch}, "tester")


async def test_the_others_go_on(database: Database, messenger: Messenger) -> None:
    source = _Source()
    runner = _runner(database, messenger, source, 30.0)
    first, second, other = await _fetches(database, _REMOTE, _REMOTE, _FOLDER)
    for job_id in (first, second, other):
        await runner.run(job_id)
    assert source.done == [other]
    assert runner.trouble is None
    for job_id in (first, second):
        job = await _job(database, job_id)
        assert (job.state, job.attempts, job.sent_at) == (JobState.QUEUED, 0, None)
        assert 20 < (job.not_before - datetime.now(UTC)).total_seconds() < 45
    async with database.session() as session:
        attempts = (await session.execute(select(Attempt).order_by(Attempt.id))).scalars().all()
    # The second one was never claimed.
    assert [(one.job_id, one.outcome) for one in attempts] == [
        (first, "given back"),
        (other, "done"),
    ]
    assert attempts[0].error == "no archive answers"


async def test_what_was_put_off_is_sent_and_done_when_the_source_is_back(
    database: Database, messenger: Messenger
) -> None:
    source = _Source()
    runner = _runner(database, messenger, source, 0.2)
    jobs = await _fetches(database, _REMOTE, _REMOTE)
    for job_id in jobs:
        await runner.run(job_id)
    source.is_there = True
    dispatcher = Dispatcher(database, messenger, JobSettings())
    sent = 0
    while sent < len(jobs):
        sent += await dispatcher.feed("fetch")
    for job_id in [*jobs, *jobs]:
        await runner.run(job_id)
    assert source.done == jobs
    assert [(await _job(database, job_id)).state for job_id in jobs] == [JobState.DONE] * 2


async def test_a_job_in_other_hands_is_left_there(database: Database, messenger: Messenger) -> None:
    source = _Source()
    runner = _runner(database, messenger, source, 30.0)
    first, second = await _fetches(database, _REMOTE, _REMOTE)
    await runner.run(first)

    async def fetch(job: ClaimedJob) -> Completion:
        await runner.run(job.id)  # a second delivery, to the one that waits
        held = await _job(database, job.id)
        assert (held.state, held.worker) == (JobState.RUNNING, "another")
        return Completion(NewEvent(EventName.PRODUCTS_FETCHED, {"depends_on": {}}))

    other = JobRunner(database, messenger, JobSettings(), {Stage.FETCH: fetch}, "another")
    await other.run(second)
    assert (await _job(database, second)).state is JobState.DONE
