"""Status, health and metrics."""

import asyncio
from datetime import UTC, datetime
from math import nan
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from services.monitor.queries.status import read_status
from services.monitor.response_models.status import Health, QueueStatus, SystemStatus
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from shared.database.engine import DATABASE_ERRORS
from shared.database.models.operations import DatasetState, JobState, Stage
from shared.database.schema import is_current
from shared.jobs.queues import Queue
from shared.worker.presence import STATES, read_workers

__all__ = ["router"]

router = APIRouter(tags=["status"])

_CHECK_SECONDS = 4.0
"""Longest wait for Postgres; the probes of containers give up after 5 or 6 s."""
_EMPTY = QueueStatus(waiting=0, oldest_seconds=0.0, workers=0)
_METRICS: dict[int | str, dict[str, Any]] = {
    200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}
}


def _age(moment: datetime | None) -> float:
    return nan if moment is None else (datetime.now(UTC) - moment).total_seconds()


@router.get("/status", summary="Numbers of datasets and jobs by state, and state of the services")
async def show_status(session: Session) -> SystemStatus:
    """Count datasets and jobs by state, what waits in each queue, and failures by kind.

    ``workers`` has the state of each worker process, and ``trouble`` in words which of them pause,
    are at fault or are away.
    """
    return await read_status(session)


@router.get("/health/live", summary="Liveness: the process answers")
async def live(context: CurrentContext) -> Health:
    """Say that the process answers; it asks nothing of the database.

    503 says since when its event loop was blocked.
    """
    if (fault := context.process.heartbeat.fault()) is not None:
        raise ApiError(503, "not_alive", fault)
    return Health()


@router.get(
    "/health/ready",
    summary="Readiness: Postgres, its schema, the broker and all services are available",
)
async def ready(context: CurrentContext) -> Health:
    """Check what requests and jobs need; 503 says what is away.

    The process is not about to stop, Postgres answers and has the right schema, the workers reach
    the broker, and of each service that ever ran here a worker is at work.
    """
    if (reason := context.process.unready()) is not None:
        raise ApiError(503, "not_ready", reason)
    try:
        async with asyncio.timeout(_CHECK_SECONDS), context.database.session() as session:
            current = await is_current(context.database)
            workers = await read_workers(session) if current else []
    except DATABASE_ERRORS as error:
        reason = str(error) or f"no answer within {_CHECK_SECONDS:.0f} s"
        raise ApiError(503, "not_ready", f"Postgres does not answer: {reason}") from error
    if not current:
        raise ApiError(503, "not_ready", "the database schema is outdated; run `cosmo migrate`")
    at_work = {worker.service for worker in workers if not worker.away}
    missed = [
        worker.describe() for worker in workers if worker.fault or worker.service not in at_work
    ]
    if missed:
        raise ApiError(503, "not_ready", "; ".join(missed), missed)
    return Health()


@router.get("/metrics", summary="Prometheus metrics", response_class=Response, responses=_METRICS)
async def metrics(session: Session) -> Response:
    """Give numbers of datasets, jobs, queues and workers, and the age of the newest data.

    In the text format of Prometheus; ``/metrics``, outside of ``/api/v1``, has the same.
    """
    status = await read_status(session)
    registry = CollectorRegistry()
    datasets = Gauge("cosmo_datasets", "Datasets by state", ["state"], registry=registry)
    jobs = Gauge("cosmo_jobs", "Jobs by stage and state", ["stage", "state"], registry=registry)
    waiting = Gauge("cosmo_queue_waiting", "Jobs that wait, by queue", ["queue"], registry=registry)
    oldest = Gauge(
        "cosmo_queue_oldest_seconds", "Age of the oldest waiting job", ["queue"], registry=registry
    )
    workers = Gauge("cosmo_workers", "Worker processes by state", ["state"], registry=registry)
    event_age = Gauge(
        "cosmo_newest_event_age_seconds", "Age of the newest event", registry=registry
    )
    data_age = Gauge(
        "cosmo_newest_exposure_age_seconds",
        "Age of the newest exposure ingested",
        registry=registry,
    )
    running = Gauge(
        "cosmo_oldest_running_seconds",
        "Age of the oldest running attempt; 0: none",
        registry=registry,
    )
    # Zeros are exported too: a series that vanishes when all is well triggers no alert and ends
    # none.
    for state in DatasetState:
        datasets.labels(state).set(status.datasets.get(state, 0))
    for stage in Stage:
        for job_state in JobState:
            jobs.labels(stage, job_state).set(status.stages.get(stage, {}).get(job_state, 0))
    for queue in Queue:
        numbers = status.queues.get(queue, _EMPTY)
        waiting.labels(queue).set(numbers.waiting)
        oldest.labels(queue).set(numbers.oldest_seconds)
    for name in STATES:
        workers.labels(name).set(sum(worker.state == name for worker in status.workers))
    event_age.set(_age(status.newest_event))
    data_age.set(_age(status.newest_exposure))
    running.set(status.oldest_running_seconds or 0.0)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
