"""Status, health and metrics."""

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.context import CurrentContext, Session
from services.monitor.errors import ApiError
from shared.database.models.operations import Dataset, Event, Job, JobState
from shared.database.schema import is_current

__all__ = ["read_status", "router"]

router = APIRouter(tags=["status"])


async def read_status(session: AsyncSession) -> dict[str, Any]:
    """Count datasets and jobs by state, what waits where and since when, and failures by kind."""
    datasets = await session.execute(select(Dataset.state, func.count()).group_by(Dataset.state))
    jobs = await session.execute(select(Job.state, func.count()).group_by(Job.state))
    queues = await session.execute(
        select(Job.queue, func.count(), func.extract("epoch", func.now() - func.min(Job.not_before)))
        .where(Job.state == JobState.QUEUED)
        .group_by(Job.queue)
    )
    failures = await session.execute(
        select(Job.stage, Job.error_kind, func.count())
        .where(Job.state == JobState.FAILED)
        .group_by(Job.stage, Job.error_kind)
    )
    newest = (await session.execute(select(func.max(Event.at)))).scalar()
    return {
        "datasets": {str(state): count for state, count in datasets},
        "jobs": {str(state): count for state, count in jobs},
        "queues": {queue: {"waiting": count, "oldest_seconds": max(0.0, float(age))} for queue, count, age in queues},
        "failures": [{"stage": stage, "kind": kind, "count": count} for stage, kind, count in failures],
        "newest_event": newest.isoformat() if newest else None,
    }


@router.get("/status", summary="What runs, what waits, what failed")
async def show_status(session: Session) -> dict[str, Any]:
    """Report the status."""
    return await read_status(session)


@router.get("/health/live", summary="The process answers")
async def live() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@router.get("/health/ready", summary="The database answers, with the schema that this code was written for")
async def ready(session: Session, context: CurrentContext) -> dict[str, str]:
    """Check what a request needs."""
    try:
        await session.execute(text("SELECT 1"))
        current = await is_current(context.database)
    except OSError as error:
        raise ApiError(503, "not_ready", f"the database does not answer: {error}") from error
    if not current:
        raise ApiError(503, "not_ready", "the database schema is outdated; run `cosmo migrate`")
    return {"status": "ok"}


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(session: Session) -> Response:
    """Export the state of datasets and queues."""
    status = await read_status(session)
    registry = CollectorRegistry()
    datasets = Gauge("cosmo_datasets", "Datasets by state", ["state"], registry=registry)
    jobs = Gauge("cosmo_jobs", "Jobs by state", ["state"], registry=registry)
    waiting = Gauge("cosmo_queue_waiting", "Jobs that wait, by queue", ["queue"], registry=registry)
    oldest = Gauge("cosmo_queue_oldest_seconds", "Age of the oldest waiting job", ["queue"], registry=registry)
    for gauge, counts in ((datasets, status["datasets"]), (jobs, status["jobs"])):
        for state, count in counts.items():
            gauge.labels(state).set(count)
    for queue, numbers in status["queues"].items():
        waiting.labels(queue).set(numbers["waiting"])
        oldest.labels(queue).set(numbers["oldest_seconds"])
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
