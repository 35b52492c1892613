"""Jobs, and those of them that failed."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.jobs import JobRecord
from shared.database.models.operations import Dataset, Job, JobState, Stage

__all__ = ["JobChoice", "job_ids", "list_jobs"]

_COLUMNS = (
    Dataset.rootname,
    Job.monitor,
    Job.id,
    Job.trace,
    Job.stage,
    Job.queue,
    Job.state,
    Job.attempts,
    Job.worker,
    Job.error_kind,
    Job.error,
    Job.fingerprint,
    Job.created_at,
    Job.not_before,
    Job.lease_until,
    Job.finished_at,
)


@dataclass(frozen=True)
class JobChoice:
    """Which jobs are listed; None for any.

    Attributes
    ----------
    state, stage, queue
        State, kind of work and queue.
    kind
        Kind of the last error.
    rootname
        Rootname of the dataset.
    """

    state: JobState | None = None
    stage: Stage | None = None
    queue: str | None = None
    kind: str | None = None
    rootname: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Make the conditions of a query of jobs and their datasets."""
        found: list[ColumnElement[bool]] = []
        if self.state is not None:
            found.append(Job.state == self.state)
        if self.stage is not None:
            found.append(Job.stage == self.stage)
        if self.queue is not None:
            found.append(Job.queue == self.queue)
        if self.kind is not None:
            found.append(Job.error_kind == self.kind)
        if self.rootname is not None:
            found.append(Dataset.rootname == self.rootname.lower())
        return found


async def list_jobs(
    session: AsyncSession, choice: JobChoice, limit: int, cursor: str | None = None
) -> Records[JobRecord]:
    """List a page of jobs, newest first."""
    query = select(*_COLUMNS).select_from(Job).outerjoin(Dataset).where(*choice.conditions())
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Job.id < after[0])
    rows, more = split(
        (await session.execute(query.order_by(Job.id.desc()).limit(limit + 1))).all(), limit
    )
    return Records(
        [JobRecord.model_validate(row) for row in rows],
        encode_cursor((rows[-1].id,)) if more else None,
    )


async def job_ids(session: AsyncSession, choice: JobChoice) -> list[int]:
    """List the numbers of all jobs of a choice."""
    query = select(Job.id).outerjoin(Dataset).where(*choice.conditions())
    return list((await session.execute(query)).scalars())
