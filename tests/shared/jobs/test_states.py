"""The state of a dataset is a function of its jobs."""

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.operations import Dataset, Job, JobState, Stage
from shared.jobs.states import refresh_states
from tests.shared.jobs.work import add_dataset

pytestmark = pytest.mark.integration

F, C, R, P = Stage.FETCH, Stage.CALIBRATE, Stage.INGEST_RAW, Stage.INGEST_PRODUCTS
QUEUED, RUNNING, DONE, FAILED = JobState.QUEUED, JobState.RUNNING, JobState.DONE, JobState.FAILED
SKIPPED = JobState.SKIPPED

CASES: list[tuple[list[tuple[Stage, JobState]], str]] = [
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
    ([(F, DONE), (C, SKIPPED), (R, DONE)], "skipped"),
    ([(F, SKIPPED), (C, FAILED)], "failed"),
    ([(F, DONE), (C, JobState.SUPERSEDED), (C, QUEUED), (R, DONE)], "fetched"),
    ([(F, DONE), (C, JobState.DROPPED), (R, DONE)], "ingested"),
    ([(F, QUEUED), (C, DONE), (R, DONE), (P, DONE)], "discovered"),
    ([(F, DONE), (R, DONE), (Stage.RECALIBRATE, FAILED)], "ingested"),
    ([(Stage.RECALIBRATE, RUNNING)], "discovered"),
]


async def test_the_state_follows_from_the_jobs(database: Database) -> None:
    datasets = [await add_dataset(database, rootname=f"l{n:08d}") for n in range(len(CASES))]
    async with database.transaction() as session:
        for dataset, (jobs, _) in zip(datasets, CASES, strict=True):
            for number, (stage, state) in enumerate(jobs):
                session.add(
                    Job(
                        stage=stage,
                        dataset_id=dataset,
                        fingerprint=str(number),
                        queue="",
                        state=state,
                        error=f"error {number}" if state in (FAILED, SKIPPED) else None,
                        error_kind="kind" if state in (FAILED, SKIPPED) else None,
                    )
                )
        await refresh_states(session, datasets)
    columns = (Dataset.state, Dataset.reason, Dataset.failed_stage, Dataset.error_kind)
    async with database.session() as session:
        found = (await session.execute(select(*columns).order_by(Dataset.id))).all()
    assert [state.value for state, *_ in found] == [state for _, state in CASES]
    blamed = {number: tuple(blame) for number, (_, *blame) in enumerate(found) if any(blame)}
    assert blamed == {
        9: ("error 1", "calibrate", "kind"),
        10: ("error 1", "calibrate", "kind"),
        11: ("error 1", "calibrate", "kind"),
    }
