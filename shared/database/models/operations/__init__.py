"""Operational tables: what there is, what has to be done, what was done."""

from shared.database.models.operations.datasets import Dataset, DatasetState, File, Run
from shared.database.models.operations.events import EVENT_SEQUENCE, Event
from shared.database.models.operations.jobs import Attempt, Job, JobState, Stage, StateCount
from shared.database.models.operations.sources import Scan, SourceFile, SourceVisit
from shared.database.models.operations.workers import CalcosVersion, Worker

__all__ = [
    "EVENT_SEQUENCE",
    "Attempt",
    "CalcosVersion",
    "Dataset",
    "DatasetState",
    "Event",
    "File",
    "Job",
    "JobState",
    "Run",
    "Scan",
    "SourceFile",
    "SourceVisit",
    "Stage",
    "StateCount",
    "Worker",
]
