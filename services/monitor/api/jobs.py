"""Jobs and failures."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Select, select

from services.monitor.context import Authorised, Session
from services.monitor.errors import ApiError
from services.monitor.paging import decode_cursor, page
from shared.database.models.operations import Dataset, Job, JobState, Stage
from shared.jobs.operations import drop, requeue

__all__ = ["router"]

router = APIRouter(tags=["jobs"])
_NAMES = ("id", "stage", "queue", "state", "attempts", "worker", "error_kind", "error", "fingerprint")


def _job(job: Job, rootname: str) -> dict[str, Any]:
    times = {name: getattr(job, name) for name in ("created_at", "not_before", "lease_until", "finished_at")}
    return {
        "rootname": rootname,
        **{name: getattr(job, name) for name in _NAMES},
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
    }


async def _page(
    request: Request, response: Response, session: Session, query: Select[Job, str], limit: int, cursor: str | None
) -> dict[str, Any]:
    if (after := decode_cursor(cursor, 1)) is not None:
        query = query.where(Job.id < int(after[0]))
    rows = (await session.execute(query.order_by(Job.id.desc()).limit(limit))).all()
    items = [_job(job, rootname) for job, rootname in rows]
    return page(request, response, items, limit, (items[-1]["id"],) if items else None)


@router.get("/jobs", summary="Jobs, newest first")
async def list_jobs(
    request: Request,
    response: Response,
    session: Session,
    state: JobState | None = None,
    stage: Stage | None = None,
    rootname: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of jobs."""
    query = select(Job, Dataset.rootname).join(Dataset)
    if state is not None:
        query = query.where(Job.state == state)
    if stage is not None:
        query = query.where(Job.stage == stage)
    if rootname is not None:
        query = query.where(Dataset.rootname == rootname.lower())
    return await _page(request, response, session, query, limit, cursor)


@router.get("/failures", summary="Failed jobs with their reasons")
async def list_failures(
    request: Request,
    response: Response,
    session: Session,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of failures."""
    query = select(Job, Dataset.rootname).join(Dataset).where(Job.state == JobState.FAILED)
    return await _page(request, response, session, query, limit, cursor)


async def _failures(session: Session, stage: Stage | None, kind: str | None) -> list[int]:
    query = select(Job.id).where(Job.state == JobState.FAILED)
    if stage is not None:
        query = query.where(Job.stage == stage)
    if kind is not None:
        query = query.where(Job.error_kind == kind)
    return list((await session.execute(query)).scalars())


@router.post("/failures/requeue", summary="Try all failures of a filter again")
async def requeue_failures(
    session: Session, _name: Authorised, stage: Stage | None = None, kind: str | None = None
) -> dict[str, int]:
    """Requeue by filter."""
    moved = await requeue(session, await _failures(session, stage, kind))
    await session.commit()
    return {"requeued": moved}


@router.post("/failures/{job_id}/requeue", summary="Try a failed job again")
async def requeue_failure(job_id: int, session: Session, _name: Authorised) -> dict[str, int]:
    """Requeue one."""
    if not await requeue(session, [job_id]):
        raise ApiError(404, "no_failure", f"job {job_id} is not on the list of failures")
    await session.commit()
    return {"requeued": 1}


@router.post("/failures/{job_id}/drop", summary="Take a failed job off the list")
async def drop_failure(job_id: int, session: Session, _name: Authorised) -> dict[str, int]:
    """Drop one."""
    if not await drop(session, [job_id]):
        raise ApiError(404, "no_failure", f"job {job_id} is not on the list of failures")
    await session.commit()
    return {"dropped": 1}
