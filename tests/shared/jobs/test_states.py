"""The state of a dataset is a function of its jobs."""

import pytest

from shared.database.models.operations import DatasetState, JobState, Stage
from shared.jobs.states import derive_state

F, C, R, P = Stage.FETCH, Stage.CALIBRATE, Stage.INGEST_RAW, Stage.INGEST_PRODUCTS
QUEUED, RUNNING, DONE, FAILED = JobState.QUEUED, JobState.RUNNING, JobState.DONE, JobState.FAILED


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        ([], "discovered"),
        ([(F, QUEUED)], "discovered"),
        ([(F, RUNNING)], "fetching"),
        ([(F, DONE), (C, QUEUED), (R, RUNNING)], "fetched"),
        ([(F, DONE), (C, RUNNING), (R, QUEUED)], "calibrating"),
        ([(F, DONE), (C, DONE), (R, QUEUED), (P, QUEUED)], "calibrated"),
        ([(F, DONE), (C, DONE), (R, DONE), (P, RUNNING)], "ingesting"),
        ([(F, DONE), (C, DONE), (R, DONE), (P, DONE)], "ingested"),
        ([(F, DONE), (R, DONE)], "ingested"),
        ([(F, DONE), (C, FAILED), (R, DONE)], "failed"),
        ([(F, DONE), (C, JobState.SKIPPED), (R, DONE)], "skipped"),
        ([(F, DONE), (C, JobState.SUPERSEDED), (C, QUEUED), (R, DONE)], "fetched"),
        ([(F, DONE), (C, JobState.DROPPED), (R, DONE)], "ingested"),
    ],
)
def test_derive_state(jobs: list[tuple[Stage, JobState]], state: str) -> None:
    assert derive_state(jobs) is DatasetState(state)
