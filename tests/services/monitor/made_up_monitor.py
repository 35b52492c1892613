"""A monitor of made-up rates, and what runs it on a real Postgres."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Double, String, cast, literal, null, select

from services.monitor.figures import Figure, Line, Panel
from services.monitor.framework.declaration import (
    Finding,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    RunOutput,
    Values,
)
from services.monitor.framework.runs import MonitorService
from services.monitor.framework.scheduling import Scheduler
from shared.database.engine import Database
from shared.database.models.monitoring import Severity
from shared.database.models.operations import Event, Job, Stage
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.jobs.runner import JobRunner
from shared.settings import JobSettings, MonitorSettings
from shared.store import Store
from shared.worker.broker import Messenger

__all__ = ["MONITOR", "RunBench"]

RATES = {"ldaaaaaaq": 1.0, "ldaaaabaq": 2.0, "ldaaaacaq": 9.0}
"""What the monitor of these tests reads: a rate by rootname."""

_CURRENT: dict[str, float] = {}


@pytest.fixture
def rates() -> dict[str, float]:
    _CURRENT.clear()
    _CURRENT.update(RATES)
    return _CURRENT


def _compute(inputs: Inputs) -> RunOutput:
    assert inputs["clock"]["day"].tolist() == [58000.0]
    assert inputs["clock"]["name"].tolist() == ["COS"]
    assert np.isnan(inputs["clock"]["nothing"]).all()
    if not _CURRENT:
        return RunOutput(newest_mjd=None)
    if min(_CURRENT.values()) < 0:
        raise ValueError("a rate is negative")
    count = len(_CURRENT)
    value = np.array(list(_CURRENT.values()))
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    mjd = 58000.0 + np.arange(count)
    values = Values(
        quantity="rate",
        mjd=mjd,
        value=value,
        error=nothing,
        rootname=np.array(list(_CURRENT), dtype=object),
        segment=np.full(count, "FUVA", dtype=object),
        region=texts,
        hvlevel=np.full(count, 163.0),
        life_adj=nothing,
        file_id=nothing,
        outlier=value > 5,
    )
    findings = [
        Finding(
            rule="high",
            severity=Severity.ALERT if rate > 50 else Severity.WARN,
            message=f"rate {rate}",
            text="rate > 5",
            source="a test",
            value=rate,
            threshold=5.0,
            configuration="FUVA",
            rootname=name,
        )
        for name, rate in _CURRENT.items()
        if rate > 5
    ]
    figures = [
        Figure(
            name="rate",
            title="Rate",
            caption="A caption.",
            panels=[Panel(x_label="x", y_label="y")],
        ),
        Figure(
            name="history",
            title="History",
            caption="",
            panels=[
                Panel(
                    x_label="x",
                    y_label="y",
                    layers=[Line(label="rate", x=[0.1, 1.0], y=[0.3, float(value.max())])],
                )
            ],
        ),
    ]
    return RunOutput(
        newest_mjd=float(mjd[-1]),
        values=[values],
        figures=figures,
        findings=findings,
        artifacts=[
            NewArtifact(
                kind="table", name="rates.txt", content=str(sorted(_CURRENT.items())).encode()
            )
        ],
        statistics={"FUVA": {"n": count}},
    )


MONITOR = Monitor(
    name="test-rate",
    title="Test",
    explanation="",
    detector="FUV",
    version=1,
    tables=frozenset({"darks"}),
    inputs={
        "clock": select(
            literal(58000.0, Double).label("day"),
            literal("COS", String).label("name"),
            cast(null(), Double).label("nothing"),
        )
    },
    quantities={"rate": Quantity(unit="count / s", description="A rate")},
    compute=_compute,
    cadence=timedelta(days=7),
)


class RunBench:
    """A monitor service with one monitor, run by hand."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path) -> None:
        self.database = database
        self.messenger = messenger
        self.store = Store(f"file://{folder}")
        self.service = MonitorService(database, self.store, {MONITOR.name: MONITOR})
        self.runner = JobRunner(
            database,
            messenger,
            JobSettings(max_attempts=1),
            {Stage.MONITOR: self.service.run},
            "tester",
        )
        self.scheduler = Scheduler(
            database, messenger, MonitorSettings(quiet_seconds=0.0), [MONITOR]
        )
        self._generation = 0

    async def run(self, name: str = MONITOR.name) -> Job:
        """Queue a run and do it."""
        self._generation += 1
        payload = {"generation": self._generation}
        async with self.database.transaction() as session:
            job_id = await add_job(session, name, NewJob(Stage.MONITOR, payload, payload), Outbox())
        assert job_id is not None
        await self.runner.run(job_id)
        async with self.database.session() as session:
            return await session.get_one(Job, job_id)

    async def all(self, model: Any) -> list[Any]:
        async with self.database.session() as session:
            return list((await session.execute(select(model).order_by(model.id))).scalars())

    async def events(self) -> list[str]:
        return [event.name for event in await self.all(Event)]


@pytest.fixture
def bench(
    database: Database, messenger: Messenger, tmp_path: Path, rates: dict[str, float]
) -> RunBench:
    return RunBench(database, messenger, tmp_path / "store")
