"""What pages and answers read does not grow with the history behind them."""

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.scale.archive import fill
from services.monitor.monitors import monitors
from services.monitor.queries.datasets import DatasetChoice, list_datasets
from services.monitor.queries.jobs import JobChoice, list_jobs
from services.monitor.queries.monitors import describe_monitor, list_monitors
from services.monitor.queries.status import read_status
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, Job, JobState, Stage
from tests.rows_read import rows_read

pytestmark = pytest.mark.integration

_DATASETS = 3000
_PAGE = 5
_MOST = 400
"""Rows that one answer may read: some tens of each of its lists; each table has thousands."""


async def _deep_page(session: AsyncSession) -> object:
    first = await list_datasets(session, DatasetChoice(), _PAGE)
    return await list_datasets(session, DatasetChoice(), _PAGE, first.cursor)


def _datasets(choice: DatasetChoice) -> Callable[[AsyncSession], Awaitable[object]]:
    return lambda session: list_datasets(session, choice, _PAGE)


def _jobs(choice: JobChoice) -> Callable[[AsyncSession], Awaitable[object]]:
    return lambda session: list_jobs(session, choice, _PAGE)


_QUERIES: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "status": read_status,
    "datasets": _datasets(DatasetChoice()),
    "datasets, next page": _deep_page,
    "datasets that failed": _datasets(DatasetChoice(DatasetState.FAILED)),
    "datasets that were fetched": _datasets(DatasetChoice(DatasetState.FETCHED)),
    "acquisitions": _datasets(DatasetChoice(kind="acquisition")),
    "no such kind": _datasets(DatasetChoice(kind="products")),
    "datasets by name": _datasets(DatasetChoice(rootname="l0000a0")),
    "jobs": _jobs(JobChoice()),
    "jobs that failed": _jobs(JobChoice(JobState.FAILED)),
    "jobs that were skipped": _jobs(JobChoice(JobState.SKIPPED)),
    "jobs of a stage without any": _jobs(JobChoice(stage=Stage.RECALIBRATE)),
    "jobs of a queue without any": _jobs(JobChoice(queue="recalibrate")),
    "jobs with an error": _jobs(JobChoice(kind="permanent")),
    "monitors": list_monitors,
    "a monitor": lambda session: describe_monitor(session, monitors()["stims"]),
}


async def test_answers_read_few_rows_of_a_long_history(database: Database) -> None:
    await fill(database, _DATASETS)
    read = {}
    for name, query in _QUERIES.items():
        async with database.session() as session:
            before = await rows_read(session)
            await query(session)
            read[name] = await rows_read(session) - before
    assert {name: number for name, number in read.items() if number > _MOST} == {}
    async with database.session() as session:
        status = await read_status(session)
        datasets = await session.execute(
            select(Dataset.state, func.count()).group_by(Dataset.state)
        )
        jobs = (
            await session.execute(
                select(Job.stage, Job.queue, Job.state, func.count()).group_by(
                    Job.stage, Job.queue, Job.state
                )
            )
        ).all()
    assert status.datasets == {state.value: count for state, count in datasets}
    waiting = Counter[str]()
    for stage, queue, state, count in jobs:
        waiting[queue] += count if state is JobState.QUEUED else 0
        assert status.stages[stage][state] >= count
    assert sum(status.jobs.values()) == sum(row[-1] for row in jobs)
    assert Counter({name: queue.waiting for name, queue in status.queues.items()}) == waiting
