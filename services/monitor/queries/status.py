"""What runs, what waits, what failed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, String, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.archive import read_catalogues
from services.monitor.response_models.status import (
    FailureCount,
    QueueStatus,
    ScanSummary,
    SystemStatus,
    WorkerStatus,
)
from shared.cos.times import from_mjd
from shared.database.models.operations import Attempt, Event, Job, JobState, Scan
from shared.database.models.science import Header, believed
from shared.jobs.counts import read_counts
from shared.jobs.queues import Queue
from shared.masking import mask_passwords
from shared.worker.presence import AT_WORK, WorkerState, read_workers

__all__ = ["read_status"]


async def read_status(session: AsyncSession) -> SystemStatus:
    """Count datasets and jobs by state, what waits where and since when, and failures by kind."""
    # All from one snapshot: when no job waits or runs, the states of the datasets are final.
    counts = await read_counts(session)
    totals, stages, waiting = Counter[str](), dict[str, Counter[str]](), Counter[str]()
    for count in counts:
        if count.stage is not None and count.queue is not None:
            totals[count.state] += count.number
            stages.setdefault(count.stage, Counter())[count.state] += count.number
            if count.state == JobState.QUEUED:
                waiting[count.queue] += count.number
    workers = await read_workers(session)
    queues = await _queues(session, waiting, workers)
    catalogues = await read_catalogues(session)
    return SystemStatus(
        datasets={count.state: count.number for count in counts if count.stage is None},
        jobs={str(state): totals[state] for state in JobState if totals[state]},
        stages={stage: dict(numbers) for stage, numbers in stages.items()},
        oldest_running_seconds=await _oldest_running(session),
        queues=queues,
        failures=await _failures(session),
        last_scan=await _last_scan(session),
        catalogues=catalogues,
        workers=[_worker(worker) for worker in workers],
        trouble=[
            *(worker.describe() for worker in workers if worker.state != AT_WORK),
            *(
                f"{found.catalogue} does not answer: {found.error}"
                for found in catalogues
                if found.failing_since is not None
            ),
            *(
                f"no worker serves the queue {name}, in which {queue.waiting} jobs wait"
                for name, queue in queues.items()
                if not queue.workers and queue.waiting
            ),
        ],
        newest_event=await session.scalar(select(Event.at).order_by(Event.id.desc()).limit(1)),
        newest_exposure=await _newest_exposure(session),
    )


async def _oldest_running(session: AsyncSession) -> float | None:
    age: Any = await session.scalar(
        select(func.extract("epoch", func.now() - func.min(Attempt.started_at)))
        .join(Job)
        .where(Job.state == JobState.RUNNING, Attempt.finished_at.is_(None))
    )
    return None if age is None else float(age)


async def _queues(
    session: AsyncSession, waiting: Mapping[str, int], workers: Sequence[WorkerState]
) -> dict[str, QueueStatus]:
    """Say of each queue how many jobs wait, how long the first of them has been due, and how many
    workers serve it.
    """
    serving = Counter(queue for worker in workers if not worker.away for queue in worker.queues)
    queue = func.unnest(literal(list(Queue), ARRAY(String))).column_valued("queue")
    # The first of each queue by the index, where a minimum by queue would read all that wait.
    first = (
        select(Job.not_before)
        .where(Job.queue == queue, Job.state == JobState.QUEUED)
        .order_by(Job.not_before)
        .limit(1)
        .scalar_subquery()
    )
    found = await session.execute(select(queue, func.extract("epoch", func.now() - first)))
    return {
        name: QueueStatus(
            waiting=waiting[name],
            oldest_seconds=max(0.0, float(oldest or 0.0)),
            workers=serving[name],
        )
        for name, oldest in found
    }


async def _failures(session: AsyncSession) -> list[FailureCount]:
    found = await session.execute(
        select(Job.stage, Job.error_kind, func.count())
        .where(Job.state == JobState.FAILED)
        .group_by(Job.stage, Job.error_kind)
    )
    return [FailureCount(stage=stage, kind=kind, count=count) for stage, kind, count in found]


async def _last_scan(session: AsyncSession) -> ScanSummary | None:
    scan = await session.scalar(select(Scan).order_by(Scan.id.desc()).limit(1))
    if scan is None:
        return None
    return ScanSummary(
        source=mask_passwords(scan.source),
        files=scan.files,
        changed=scan.changed,
        datasets=scan.datasets,
        left_aside=scan.left_aside,
        finished_at=scan.finished_at,
    )


def _worker(worker: WorkerState) -> WorkerStatus:
    return WorkerStatus(
        name=worker.name,
        state=worker.state,
        silent_seconds=round(worker.silent_seconds, 1),
        reason=worker.reason,
        queues=list(worker.queues),
    )


async def _newest_exposure(session: AsyncSession) -> Any:
    """End of the newest exposure whose date can be believed."""
    ended = await session.scalar(select(func.max(Header.expend)).where(believed(Header)))
    return None if ended is None else from_mjd(ended)
