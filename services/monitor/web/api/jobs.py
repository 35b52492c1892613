"""Jobs and failures."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

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

_Number = Annotated[RowNumber, Path(description="Number of the job")]
_Stage = Annotated[Stage | None, Query(description="Kind of work")]
_Rootname = Annotated[Name | None, Query(description="Rootname of the dataset")]


def _no_failure(job_id: int) -> ApiError:
    return ApiError(404, "no_failure", f"job {job_id} is not on the list of failures")


@router.get("/jobs", summary="Jobs, newest first")
async def show_jobs(
    request: Request,
    response: Response,
    session: Session,
    state: Annotated[JobState | None, Query(description="State of the jobs")] = None,
    stage: _Stage = None,
    queue: Annotated[Name | None, Query(description="Name of the queue")] = None,
    kind: ErrorKind = None,
    rootname: _Rootname = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JobRecord]:
    """List jobs, newest first, with their attempts, last errors, and times.

    E.g. ``/jobs?state=running`` lists what is worked on now, and by which worker.
    """
    choice = JobChoice(state, stage, queue, kind, rootname)
    return page_of(request, response, await list_jobs(session, choice, limit, cursor))


@router.get("/failures", summary="Failed jobs with their reasons")
async def show_failures(
    request: Request,
    response: Response,
    session: Session,
    stage: _Stage = None,
    kind: ErrorKind = None,
    rootname: _Rootname = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JobRecord]:
    """List failed jobs, newest first; ``error`` says why each failed, ``error_kind`` of what kind.

    They stay until they are requeued or dropped.
    """
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
    stage: _Stage = None,
    kind: ErrorKind = None,
    rootname: _Rootname = None,
) -> RequeuedJobs:
    """Requeue all failed jobs that match a filter; without one, all.

    Recalibrations beyond the quota of their tokens stay failed; ``beyond_quota`` counts them.
    """
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
    job_id: _Number, session: Session, context: CurrentContext, name: Operator
) -> RequeuedJobs:
    """Try a failed job again; 404 where it is not among the failures, 429 beyond a quota."""
    most = context.settings.api.calibrations_per_token
    if not await within_quota(session, [job_id], most):
        raise beyond_quota(most)
    if not await requeue(session, [job_id]):
        raise _no_failure(job_id)
    await session.commit()
    get_logger().info("job requeued", job=job_id, by=name)
    return RequeuedJobs(requeued=1)


@router.post("/failures/{job_id}/drop", summary="Remove a failed job from the list of failures")
async def drop_failure(job_id: _Number, session: Session, name: Operator) -> DroppedJobs:
    """Take a failed job off the list of failures; 404 where it is not among them."""
    if not await drop(session, [job_id]):
        raise _no_failure(job_id)
    await session.commit()
    get_logger().info("job dropped", job=job_id, by=name)
    return DroppedJobs(dropped=1)
