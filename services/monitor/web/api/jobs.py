"""Jobs and failures."""

from typing import Annotated, Any, TypeVarTuple

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Select, select

from services.monitor.queries.pages import decode_cursor, split
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.error_responses import ApiError, beyond_quota
from services.monitor.web.pagination import page
from shared.database.models.operations import Dataset, Job, JobState, Stage
from shared.jobs.operations import drop, requeue
from shared.logs import get_logger
from shared.recalibrations import within_quota

__all__ = ["router"]

router = APIRouter(tags=["jobs"])
_Columns = TypeVarTuple("_Columns")
_NAMES = (
    "id",
    "trace",
    "stage",
    "queue",
    "state",
    "attempts",
    "worker",
    "error_kind",
    "error",
    "fingerprint",
)


def _job(job: Job, rootname: str | None) -> dict[str, Any]:
    times = {
        name: getattr(job, name)
        for name in ("created_at", "not_before", "lease_until", "finished_at")
    }
    return {
        "rootname": rootname,
        "monitor": job.monitor,
        **{name: getattr(job, name) for name in _NAMES},
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
    }


def _chosen(
    query: Select[*_Columns], stage: Stage | None, kind: str | None, rootname: str | None
) -> Select[*_Columns]:
    if stage is not None:
        query = query.where(Job.stage == stage)
    if kind is not None:
        query = query.where(Job.error_kind == kind)
    if rootname is not None:
        query = query.where(Dataset.rootname == rootname.lower())
    return query


async def _page(
    request: Request,
    response: Response,
    session: Session,
    query: Select[Job, str],
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Job.id < after[0])
    rows, more = split(
        (await session.execute(query.order_by(Job.id.desc()).limit(limit + 1))).all(), limit
    )
    items = [_job(job, rootname) for job, rootname in rows]
    return page(request, response, items, (items[-1]["id"],) if more else None)


@router.get("/jobs", summary="Jobs, newest first")
async def list_jobs(
    request: Request,
    response: Response,
    session: Session,
    state: JobState | None = None,
    stage: Stage | None = None,
    queue: str | None = None,
    kind: Annotated[str | None, Query(description="Kind of error")] = None,
    rootname: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of jobs."""
    query = _chosen(select(Job, Dataset.rootname).outerjoin(Dataset), stage, kind, rootname)
    if state is not None:
        query = query.where(Job.state == state)
    if queue is not None:
        query = query.where(Job.queue == queue)
    return await _page(request, response, session, query, limit, cursor)


@router.get("/failures", summary="Failed jobs with their reasons")
async def list_failures(
    request: Request,
    response: Response,
    session: Session,
    stage: Stage | None = None,
    kind: Annotated[str | None, Query(description="Kind of error")] = None,
    rootname: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of failures."""
    failed = select(Job, Dataset.rootname).outerjoin(Dataset).where(Job.state == JobState.FAILED)
    query = _chosen(failed, stage, kind, rootname)
    return await _page(request, response, session, query, limit, cursor)


@router.post("/failures/requeue", summary="Retry all failed jobs that match a filter")
async def requeue_failures(
    session: Session,
    context: CurrentContext,
    name: Operator,
    stage: Stage | None = None,
    kind: Annotated[str | None, Query(description="Kind of error")] = None,
    rootname: str | None = None,
) -> dict[str, int]:
    """Requeue by filter; recalibrations beyond their token's quota stay where they are."""
    failed = select(Job.id).outerjoin(Dataset).where(Job.state == JobState.FAILED)
    found = (await session.execute(_chosen(failed, stage, kind, rootname))).scalars().all()
    allowed = await within_quota(session, found, context.settings.api.calibrations_per_token)
    moved = await requeue(session, allowed)
    await session.commit()
    get_logger().info("failures requeued", count=moved, by=name)
    left_out = len(found) - len(allowed)
    return {"requeued": moved, **({"beyond_quota": left_out} if left_out else {})}


@router.post("/failures/{job_id}/requeue", summary="Retry a failed job")
async def requeue_failure(
    job_id: int, session: Session, context: CurrentContext, name: Operator
) -> dict[str, int]:
    """Requeue one."""
    most = context.settings.api.calibrations_per_token
    if not await within_quota(session, [job_id], most):
        raise beyond_quota(most)
    if not await requeue(session, [job_id]):
        raise ApiError(404, "no_failure", f"job {job_id} is not on the list of failures")
    await session.commit()
    get_logger().info("job requeued", job=job_id, by=name)
    return {"requeued": 1}


@router.post("/failures/{job_id}/drop", summary="Remove a failed job from the list of failures")
async def drop_failure(job_id: int, session: Session, name: Operator) -> dict[str, int]:
    """Drop one."""
    if not await drop(session, [job_id]):
        raise ApiError(404, "no_failure", f"job {job_id} is not on the list of failures")
    await session.commit()
    get_logger().info("job dropped", job=job_id, by=name)
    return {"dropped": 1}
