"""Number of cores for a run: those that no other dataset needs."""

from sqlalchemy import exists, func, select

from shared.control_groups import usable_cores
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState, Stage
from shared.jobs.due import is_waiting
from shared.jobs.queues import queues_of

__all__ = ["usable_processes"]

_STAGES = (Stage.CALIBRATE, Stage.RECALIBRATE)
_QUEUES = queues_of(_STAGES)


async def usable_processes(database: Database, most: int) -> int:
    """Count the processes that a run, whose job is claimed, may use.

    While datasets wait it is one: throughput then comes from datasets side by side, which waste
    nothing. Otherwise the run also takes the cores of this machine that no calibration runs on;
    those on other machines count as if they were here, so that a pool of several machines errs to
    the side of fewer processes.

    Parameters
    ----------
    database
        Database.
    most
        Upper limit.
    """
    # Whether any waits, by queue, of whose index the first that is due is enough.
    waits = exists().where(Job.queue.in_(_QUEUES), is_waiting())
    running = (
        select(func.count())
        .where(Job.stage.in_(_STAGES), Job.state == JobState.RUNNING)
        .scalar_subquery()
    )
    async with database.session() as session:
        waiting, busy = (await session.execute(select(waits, running))).one()
    return 1 if waiting else max(1, min(most, usable_cores() - busy + 1))
