"""Conditions of jobs: which are due, at once or after a pause that grows with their attempts, and
which somebody may still finish.
"""

import random
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, or_

from shared.database.clock import is_due
from shared.database.models.operations import Job, JobState
from shared.errors import LostClaimError
from shared.settings import JobSettings

__all__ = ["is_held", "is_waiting", "retry_pause"]

_LONGEST_PAUSE_SECONDS = 30.0
"""With its jitter and the dispatcher's pause, work goes on within a minute of the end of what
stopped it.
"""

_JITTER = 1.5
_LONGEST_AHEAD = timedelta(seconds=_LONGEST_PAUSE_SECONDS * _JITTER)


def retry_pause(settings: JobSettings, attempt: int) -> timedelta:
    """Pause before the next attempt.

    Doubles each time up to a limit, with up to half of it as jitter.
    """
    pause = min(settings.backoff_seconds * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=pause * random.uniform(1.0, _JITTER))  # noqa: S311


def is_waiting() -> ColumnElement[bool]:
    """Return the condition that a job waits and its time has come."""
    return and_(Job.state == JobState.QUEUED, is_due(Job.not_before, _LONGEST_AHEAD))


def is_held() -> ColumnElement[bool]:
    """Return the condition that the last worker of a job may finish it.

    It holds it, or lost touch, and nobody else has taken it since.
    """
    return or_(
        Job.state == JobState.RUNNING,
        and_(Job.state == JobState.QUEUED, Job.error_kind == LostClaimError.kind),
    )
