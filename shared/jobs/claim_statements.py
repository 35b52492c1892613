"""Statements by which a job changes hands, each a single one for all that belongs together.

It takes the dataset (`shared.jobs.states.lock_datasets`), then changes the job where it is what the
statement expects, writes its attempt and derives the state of the dataset.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Interval,
    Select,
    String,
    bindparam,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from shared.database.models.operations import Attempt, Dataset, Job, JobState
from shared.errors import LostClaimError
from shared.jobs.due import is_held, is_waiting

__all__ = ["CLAIM", "CLOSE", "DESCRIPTION", "RETURN", "TAKE_BACK"]

DESCRIPTION = (
    Job.id,
    Job.stage,
    Job.dataset_id,
    Job.monitor,
    Job.payload,
    Job.fingerprint,
    Job.attempts,
    Job.worker,
    Job.trace,
)
"""What a worker knows of its job, beside the name and kind of the dataset."""

# No parameter may have the name of a column, which SQLAlchemy would set to it.
_JOB_ID = bindparam("for_job", type_=BigInteger)
_WORKER = bindparam("by_worker", type_=String)
_ATTEMPT = bindparam("at_attempt", type_=Integer)
_LEASE = func.now() + bindparam("lease", type_=Interval)
_ERROR = {
    "error": bindparam("new_error", type_=String),
    "error_kind": bindparam("new_kind", type_=String),
}


def _held_dataset(*conditions: ColumnElement[bool]) -> CTE:
    """Return the part that takes the dataset of the job which meets some conditions."""
    dataset_id = select(Job.dataset_id).where(*conditions).scalar_subquery()
    query = select(Dataset.id, Dataset.rootname, Dataset.kind).where(Dataset.id == dataset_id)
    return query.with_for_update(key_share=True).cte("held")


def _is_of(held: CTE) -> ColumnElement[bool]:
    """Return the condition that a job is about the dataset that is held, or about a monitor.

    Postgres looks at it before it takes the job, so that the dataset comes first.
    """
    return or_(Job.monitor.is_not(None), Job.dataset_id == select(held.c.id).scalar_subquery())


def _claiming() -> Select[Any]:
    """Return the statement that takes a job that is due, and describes it."""
    due = (Job.id == _JOB_ID, is_waiting())
    held = _held_dataset(*due)
    claimed = (
        update(Job)
        .where(*due, _is_of(held))
        .values(
            state=JobState.RUNNING, attempts=Job.attempts + 1, worker=_WORKER, lease_until=_LEASE
        )
        .returning(*DESCRIPTION)
        .cte("claimed")
    )
    attempt = insert(Attempt).from_select(
        ["job_id", "number", "worker"],
        select(claimed.c.id, claimed.c.attempts, claimed.c.worker),
    )
    return (
        select(claimed, held.c.rootname, held.c.kind, func.refresh_state(claimed.c.dataset_id))
        .select_from(claimed.outerjoin(held, true()))
        .add_cte(attempt.cte("attempt"))
    )


def _changing(job: Mapping[str, Any], attempt: Mapping[str, Any]) -> Select[Any]:
    """Return the statement that gives a job that a worker holds, and its attempt, some values."""
    mine = (Job.id == _JOB_ID, Job.worker == _WORKER, Job.attempts == _ATTEMPT, is_held())
    held = _held_dataset(*mine)
    changed = (
        update(Job)
        .where(*mine, _is_of(held))
        .values(**job)
        .returning(Job.id, Job.dataset_id)
        .cte("changed")
    )
    # One that was given back left another row of the same number.
    newest = select(func.max(Attempt.id)).where(
        Attempt.job_id == _JOB_ID, Attempt.number == _ATTEMPT
    )
    noted = (
        update(Attempt)
        .where(
            Attempt.job_id == changed.c.id,
            Attempt.id == newest.scalar_subquery(),
            or_(Attempt.finished_at.is_(None), Attempt.error_kind == LostClaimError.kind),
        )
        .values(**attempt)
    )
    return select(changed.c.id, func.refresh_state(changed.c.dataset_id)).add_cte(
        noted.cte("noted")
    )


_ENDED = {
    "finished_at": func.now(),
    "outcome": bindparam("new_outcome"),
    "log": bindparam("new_log"),
    **_ERROR,
}

CLAIM = _claiming()
CLOSE = _changing(
    {"state": bindparam("new_state"), "finished_at": func.now(), "lease_until": None, **_ERROR},
    _ENDED,
)
"""Ends a job with its attempt."""
RETURN = _changing(
    {
        "state": JobState.QUEUED,
        "attempts": Job.attempts - bindparam("uncounted", type_=Integer),
        "sent_at": None,
        "not_before": func.now() + bindparam("pause", type_=Interval),
        "lease_until": None,
        **_ERROR,
    },
    _ENDED,
)
"""Ends an attempt, and lets the job wait for the next one."""
TAKE_BACK = _changing(
    {"state": JobState.RUNNING, "lease_until": _LEASE, "error": None, "error_kind": None},
    {"finished_at": None, "outcome": None, "error": None, "error_kind": None},
)
"""Goes on with an attempt of which the lease ran out."""
