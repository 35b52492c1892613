"""Jobs and failures."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.monitor.queries.jobs import JobChoice, job_ids, list_jobs
from services.monitor.response_models.common import Page
from services.monitor.response_models.jobs import DroppedJobs, JobRecord, RequeuedJobs
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.error_responses import ApiError, beyond_quota
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import ErrorKind, Name, RowNumber
from services.monitor.web.statuses import may_answer
from shared.database.models.operations import JobState, Stage
from shared.jobs.operations import drop, requeue
from shared.logs import get_logger
from shared.recalibrations import within_quota

__all__ = ["router"]

router = APIRouter(tags=["jobs"])

_Rootname = Annotated[Name | None, Query(description="Rootname of the dataset")]


def _no_failure(job_id: int) -> ApiError:
    return ApiError(404, "no_failure", f"job {job_id} is not on the list of failures")


@router.get("/jobs", summary="Jobs, newest first")
async def show_jobs(
    request: Request,
    response: Response,
    session: Session,
    state: JobState | None = None,
    stage: Stage | None = None,
    queue: Name | None = None,
    kind: ErrorKind = None,
    rootname: _Rootname = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JobRecord]:
    """Show a page of jobs."""
    choice = JobChoice(state, stage, queue, kind, rootname)
    return page_of(request, response, await list_jobs(session, choice, limit, cursor))


@router.get("/failures", summary="Failed jobs with their reasons")
async def show_failures(
    request: Request,
    response: Response,
    session: Session,
    stage: Stage | None = None,
    kind: ErrorKind = None,
    rootname: _Rootname = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JobRecord]:
    """Show a page of failures."""
    choice = JobChoice(JobState.FAILED, stage, kind=kind, rootname=rootname)
    return page_of(request, response, await list_jobs(session, choice, limit, cursor))


@router.post(
    "/failures/requeue",
    summary="Retry all failed jobs that match a filter",
    response_model_exclude_none=True,
)
async def requeue_failures(
    session: Session,
    context: CurrentContext,
    name: Operator,
    stage: Stage | None = None,
    kind: ErrorKind = None,
    rootname: _Rootname = None,
) -> RequeuedJobs:
    """Requeue by filter; recalibrations beyond their token's quota stay where they are."""
    choice = JobChoice(JobState.FAILED, stage, kind=kind, rootname=rootname)
    found = await job_ids(session, choice)
    allowed = await within_quota(session, found, context.settings.api.calibrations_per_token)
    moved = await requeue(session, allowed)
    await session.commit()
    get_logger().info("failures requeued", count=moved, by=name)
    return RequeuedJobs(requeued=moved, beyond_quota=len(found) - len(allowed) or None)


@router.post(
    "/failures/{job_id}/requeue",
    summary="Retry a failed job",
    response_model_exclude_none=True,
)
@may_answer(429)
async def requeue_failure(
    job_id: RowNumber, session: Session, context: CurrentContext, name: Operator
) -> RequeuedJobs:
    """Requeue one."""
    most = context.settings.api.calibrations_per_token
    if not await within_quota(session, [job_id], most):
        raise beyond_quota(most)
    if not await requeue(session, [job_id]):
        raise _no_failure(job_id)
    await session.commit()
    get_logger().info("job requeued", job=job_id, by=name)
    return RequeuedJobs(requeued=1)


@router.post("/failures/{job_id}/drop", summary="Remove a failed job from the list of failures")
async def drop_failure(job_id: RowNumber, session: Session, name: Operator) -> DroppedJobs:
    """Drop one."""
    if not await drop(session, [job_id]):
        raise _no_failure(job_id)
    await session.commit()
    get_logger().info("job dropped", job=job_id, by=name)
    return DroppedJobs(dropped=1)
