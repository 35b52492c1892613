"""What runs, what waits, what failed."""

from collections import Counter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.response_models.status import (
    FailureCount,
    QueueStatus,
    ScanSummary,
    SystemStatus,
    WorkerStatus,
)
from shared.cos.times import from_mjd
from shared.database.models.operations import Attempt, Dataset, Event, Job, JobState, Scan
from shared.database.models.science import Header, believed
from shared.masking import mask_passwords
from shared.worker.presence import AT_WORK, WorkerState, read_workers

__all__ = ["read_status"]


async def read_status(session: AsyncSession) -> SystemStatus:
    """Count datasets and jobs by state, what waits where and since when, and failures by kind."""
    # Jobs first: when none waits or runs, the states that are read after them are final.
    stages = await _stages(session)
    totals = Counter[str]()
    for counts in stages.values():
        totals.update(counts)
    datasets = await session.execute(select(Dataset.state, func.count()).group_by(Dataset.state))
    workers = await read_workers(session)
    return SystemStatus(
        datasets={str(state): count for state, count in datasets},
        jobs={str(state): totals[state] for state in JobState if totals[state]},
        stages=stages,
        oldest_running_seconds=await _oldest_running(session),
        queues=await _queues(session),
        failures=await _failures(session),
        last_scan=await _last_scan(session),
        workers=[_worker(worker) for worker in workers],
        trouble=[worker.describe() for worker in workers if worker.state != AT_WORK],
        newest_event=await session.scalar(select(Event.at).order_by(Event.id.desc()).limit(1)),
        newest_exposure=await _newest_exposure(session),
    )


async def _stages(session: AsyncSession) -> dict[str, dict[str, int]]:
    found = await session.execute(
        select(Job.stage, Job.state, func.count()).group_by(Job.stage, Job.state)
    )
    stages: dict[str, dict[str, int]] = {}
    for stage, state, count in found:
        stages.setdefault(str(stage), {})[str(state)] = count
    return stages


async def _oldest_running(session: AsyncSession) -> float | None:
    age: Any = await session.scalar(
        select(func.extract("epoch", func.now() - func.min(Attempt.started_at)))
        .join(Job)
        .where(Job.state == JobState.RUNNING, Attempt.finished_at.is_(None))
    )
    return None if age is None else float(age)


async def _queues(session: AsyncSession) -> dict[str, QueueStatus]:
    age = func.extract("epoch", func.now() - func.min(Job.not_before))
    found = await session.execute(
        select(Job.queue, func.count(), age).where(Job.state == JobState.QUEUED).group_by(Job.queue)
    )
    return {
        queue: QueueStatus(waiting=count, oldest_seconds=max(0.0, float(oldest)))
        for queue, count, oldest in found
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
    )


async def _newest_exposure(session: AsyncSession) -> Any:
    """End of the newest exposure whose date can be believed."""
    ended = await session.scalar(select(func.max(Header.expend)).where(believed(Header)))
    return None if ended is None else from_mjd(ended)
