"""Idle cores go to a run, unless datasets wait."""

import os
from typing import Any

import pytest
from sqlalchemy import text, update

from services.calibrator.run.cpu_share import usable_processes
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState
from tests.rows_read import rows_read_so_far

pytestmark = pytest.mark.integration


async def test_cores(database: Database, claim_new: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    await claim_new("ldfd01010")
    second = await claim_new("ldfd01020")
    assert await usable_processes(database, 8) == 3
    assert await usable_processes(database, 2) == 2
    assert await usable_processes(database, 1) == 1

    async def change(**values: Any) -> None:
        async with database.transaction() as session:
            await session.execute(update(Job).where(Job.id == second.id).values(**values))

    await change(state=JobState.QUEUED)
    assert await usable_processes(database, 8) == 1
    await change(state=JobState.DONE)
    assert await usable_processes(database, 8) == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(1))
    assert await usable_processes(database, 8) == 1


async def test_how_many_wait_makes_no_difference(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO datasets (id, rootname, kind, state, members, companions, missing, "
                "forced) SELECT n, 'l' || n, 'association', 'fetched', '[]', '[]', '[]', false "
                "FROM generate_series(1, 5000) AS n"
            )
        )
        await session.execute(
            text(
                "INSERT INTO jobs (stage, dataset_id, fingerprint, queue, trace, payload, state, "
                "attempts) SELECT 'calibrate', id, '', 'calibrate-bulk', '', '{}', 'queued', 0 "
                "FROM datasets"
            )
        )
        await session.execute(text("ANALYZE jobs"))
    before = await rows_read_so_far(database, "jobs")
    assert await usable_processes(database, 8) == 1
    assert await rows_read_so_far(database, "jobs") - before <= 10
