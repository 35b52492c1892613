"""Operations of the HTTP API, one module per subject."""

from cosmo.client.operations.alerts import AlertOperations
from cosmo.client.operations.archive import ArchiveOperations
from cosmo.client.operations.calibrations import CalibrationOperations
from cosmo.client.operations.datasets import DatasetOperations
from cosmo.client.operations.jobs import JobOperations
from cosmo.client.operations.monitors import MonitorOperations
from cosmo.client.operations.references import ReferenceOperations
from cosmo.client.operations.service import ServiceOperations
from cosmo.client.operations.tables import TableOperations

__all__ = ["Operations"]


class Operations(
    DatasetOperations,
    TableOperations,
    MonitorOperations,
    AlertOperations,
    CalibrationOperations,
    ReferenceOperations,
    JobOperations,
    ArchiveOperations,
    ServiceOperations,
):
    """Every operation of the HTTP API that programs use."""
