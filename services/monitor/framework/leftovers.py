"""Leftovers of killed runs of monitors: folders of artifacts that no run recorded."""

from services.monitor.framework.runs import artifact_folder
from shared.database.engine import Database
from shared.database.models.monitoring import Artifact
from shared.database.models.operations import Stage
from shared.jobs.leftovers import subjects_of_failed_attempts, sweep_folders
from shared.store import Store

__all__ = ["sweep_artifacts"]


async def sweep_artifacts(database: Database, store: Store) -> list[str]:
    """Remove folders of artifacts that no run recorded and no worker is filling.

    Parameters
    ----------
    database
        Database.
    store
        Where the artifacts are.

    Returns
    -------
    list of str
        Paths of the removed folders.
    """
    monitors = await subjects_of_failed_attempts(database, [Stage.MONITOR])
    return await sweep_folders(
        database, store, [artifact_folder(str(name)) for name in monitors], Artifact.path
    )
