"""Status, health and metrics."""

import asyncio
from datetime import UTC, datetime
from math import nan
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from shared.cos.times import from_mjd
from shared.database.engine import DATABASE_ERRORS
from shared.database.models.operations import (
    Attempt,
    Dataset,
    DatasetState,
    Event,
    Job,
    JobState,
    Scan,
    Stage,
)
from shared.database.models.science import Header as HeaderRow
from shared.database.models.science import believed
from shared.database.schema import is_current
from shared.jobs.queues import Queue
from shared.masking import mask_passwords
from shared.worker.presence import AT_WORK, STATES, read_workers

__all__ = ["read_status", "router"]

router = APIRouter(tags=["status"])

_CHECK_SECONDS = 4.0
"""Longest wait for Postgres; the probes of containers give up after 5 or 6 s."""


def _age(moment: str | None) -> float:
    return (
        nan
        if moment is None
        else (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    )


async def read_status(session: AsyncSession) -> dict[str, Any]:
    """Count datasets and jobs by state, what waits where and since when, and failures by kind."""
    # Jobs first: when none waits or runs, the states that are read after them are final.
    jobs = (
        await session.execute(
            select(Job.stage, Job.state, func.count()).group_by(Job.stage, Job.state)
        )
    ).all()
    stages: dict[str, dict[str, int]] = {}
    for stage, state, count in jobs:
        stages.setdefault(str(stage), {})[str(state)] = count
    datasets = await session.execute(select(Dataset.state, func.count()).group_by(Dataset.state))
    running = await session.execute(
        select(func.extract("epoch", func.now() - func.min(Attempt.started_at)))
        .join(Job)
        .where(Job.state == JobState.RUNNING, Attempt.finished_at.is_(None))
    )
    oldest = running.scalar()
    queues = await session.execute(
        select(
            Job.queue, func.count(), func.extract("epoch", func.now() - func.min(Job.not_before))
        )
        .where(Job.state == JobState.QUEUED)
        .group_by(Job.queue)
    )
    failures = await session.execute(
        select(Job.stage, Job.error_kind, func.count())
        .where(Job.state == JobState.FAILED)
        .group_by(Job.stage, Job.error_kind)
    )
    workers = await read_workers(session)
    scan = (
        await session.execute(select(Scan).order_by(Scan.id.desc()).limit(1))
    ).scalar_one_or_none()
    newest = (await session.execute(select(Event.at).order_by(Event.id.desc()).limit(1))).scalar()
    observed = (
        await session.execute(select(func.max(HeaderRow.expend)).where(believed(HeaderRow)))
    ).scalar()
    exposed = None if observed is None else from_mjd(observed)
    return {
        "datasets": {str(state): count for state, count in datasets},
        "jobs": {
            str(state): total
            for state in JobState
            if (total := sum(counts.get(state, 0) for counts in stages.values()))
        },
        "stages": stages,
        "oldest_running_seconds": None if oldest is None else float(oldest),
        "queues": {
            queue: {"waiting": count, "oldest_seconds": max(0.0, float(age))}
            for queue, count, age in queues
        },
        "failures": [
            {"stage": stage, "kind": kind, "count": count} for stage, kind, count in failures
        ],
        "last_scan": None
        if scan is None
        else {
            "source": mask_passwords(scan.source),
            **{
                name: getattr(scan, name) for name in ("files", "changed", "datasets", "left_aside")
            },
            "finished_at": scan.finished_at.isoformat(),
        },
        "workers": [
            {
                "name": w.name,
                "state": w.state,
                "silent_seconds": round(w.silent_seconds, 1),
                "reason": w.reason,
            }
            for w in workers
        ],
        "trouble": [worker.describe() for worker in workers if worker.state != AT_WORK],
        "newest_event": newest.isoformat() if newest else None,
        "newest_exposure": exposed.isoformat() if exposed else None,
    }


@router.get("/status", summary="Numbers of datasets and jobs by state, and state of the services")
async def show_status(session: Session) -> dict[str, Any]:
    """Report the status."""
    return await read_status(session)


@router.get("/health/live", summary="Liveness: the process answers")
async def live() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


@router.get(
    "/health/ready",
    summary="Readiness: Postgres, its schema, the broker and all services are available",
)
async def ready(context: CurrentContext) -> dict[str, str]:
    """Check what requests and jobs need; a service that never ran here is not missed."""
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
    return {"status": "ok"}


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(session: Session) -> Response:
    """Export the state of datasets and queues."""
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
        datasets.labels(state).set(status["datasets"].get(state, 0))
    for stage in Stage:
        for job_state in JobState:
            jobs.labels(stage, job_state).set(status["stages"].get(stage, {}).get(job_state, 0))
    for queue in Queue:
        numbers = status["queues"].get(queue, {"waiting": 0, "oldest_seconds": 0.0})
        waiting.labels(queue).set(numbers["waiting"])
        oldest.labels(queue).set(numbers["oldest_seconds"])
    for name in STATES:
        workers.labels(name).set(sum(worker["state"] == name for worker in status["workers"]))
    event_age.set(_age(status["newest_event"]))
    data_age.set(_age(status["newest_exposure"]))
    running.set(status["oldest_running_seconds"] or 0.0)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
