"""Idle cores go to a run, unless datasets wait."""

import os
from typing import Any

import pytest
from sqlalchemy import update

from services.calibrator.run.cpu_share import usable_processes
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState

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
