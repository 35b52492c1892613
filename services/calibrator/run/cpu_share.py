"""Number of cores for a run: those that no other dataset needs."""

from sqlalchemy import func, select

from shared.control_groups import usable_cores
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState, Stage
from shared.jobs.due import is_waiting

__all__ = ["usable_processes"]


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
    due = is_waiting()
    async with database.session() as session:
        found = await session.execute(
            select(
                func.count().filter(due), func.count().filter(Job.state == JobState.RUNNING)
            ).where(
                Job.stage.in_((Stage.CALIBRATE, Stage.RECALIBRATE)),
                Job.state.in_((JobState.QUEUED, JobState.RUNNING)),
            )
        )
        waiting, running = found.one()
    idle = usable_cores() - running
    return 1 if waiting else max(1, min(most, idle + 1))
