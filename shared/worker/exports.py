"""Version, connections and disks in the metrics of a process."""

from shared import __version__
from shared.database.engine import Database
from shared.metrics import BUILD, watch_disks
from shared.settings import Settings
from shared.urls import path_of

__all__ = ["export_process"]


def export_process(service: str, settings: Settings, database: Database) -> None:
    """Export version, connections and disks in the metrics of this process.

    Parameters
    ----------
    service
        Name of the service.
    settings
        Settings in force.
    database
        Its database.
    """
    BUILD.info({"service": service, "version": __version__})
    database.export_connections()
    watch_disks(
        [
            ("store", path_of(settings.store_url)),
            ("scratch", settings.calibrator.scratch),
            ("references", settings.references.cache),
        ]
    )
