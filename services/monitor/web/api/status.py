"""Status and health."""

import asyncio

from fastapi import APIRouter

from services.monitor.queries.status import read_status
from services.monitor.response_models.status import Health, SystemStatus
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from shared.database.engine import DATABASE_ERRORS
from shared.database.schema import is_current
from shared.worker.presence import read_workers

__all__ = ["refuse_metrics", "router"]

router = APIRouter(tags=["status"])

_CHECK_SECONDS = 4.0
"""Longest wait for Postgres; the probes of containers give up after 5 or 6 s."""


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


async def refuse_metrics(context: CurrentContext) -> None:
    """Say where the metrics are; this address may be open to everybody."""
    port = context.settings.health_port
    where = f"port {port}" if port else "COSMO_HEALTH_PORT, which is not set"
    raise ApiError(404, "not_here", f"each process has its metrics at /metrics of {where}")
