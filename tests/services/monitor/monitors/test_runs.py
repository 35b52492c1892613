"""Runs of monitors on a real Postgres: values, figures, alerts, artifacts, and what is told of them."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Double, String, cast, func, literal, null, select, text

from services.monitor.figures import Figure, Line, Panel
from services.monitor.figures.drawing import draw
from services.monitor.monitors.framework import drawings, runs, versions
from services.monitor.monitors.framework.alerts import acknowledge, write_alerts
from services.monitor.monitors.framework.monitor import (
    Finding,
    Findings,
    Inputs,
    Monitor,
    NewArtifact,
    Quantity,
    Values,
)
from services.monitor.monitors.framework.runs import MonitorService
from services.monitor.monitors.framework.scheduling import Scheduler, request_run
from shared.broker import Messenger
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, Artifact, MonitorFigure, MonitorRun, MonitorValue, Severity
from shared.database.models.operations import Dataset, Event, Job, JobState, Stage
from shared.errors import PermanentError
from shared.jobs.claims import ClaimedJob, claim
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob
from shared.jobs.runner import JobRunner
from shared.settings import JobSettings, MonitorSettings
from shared.store import Store

pytestmark = pytest.mark.integration

RATES = {"ldaaaaaaq": 1.0, "ldaaaabaq": 2.0, "ldaaaacaq": 9.0}
"""What the monitor of these tests reads: a rate by rootname."""

_CURRENT: dict[str, float] = {}


@pytest.fixture(autouse=True)
def rates() -> dict[str, float]:
    _CURRENT.clear()
    _CURRENT.update(RATES)
    return _CURRENT


def _compute(inputs: Inputs) -> Findings:
    assert inputs["clock"]["day"].tolist() == [58000.0]
    assert inputs["clock"]["name"].tolist() == ["COS"]
    assert np.isnan(inputs["clock"]["nothing"]).all()
    if not _CURRENT:
        return Findings(None)
    if min(_CURRENT.values()) < 0:
        raise ValueError("a rate is negative")
    count = len(_CURRENT)
    value = np.array(list(_CURRENT.values()))
    nothing, texts = np.full(count, np.nan), np.full(count, None, dtype=object)
    mjd = 58000.0 + np.arange(count)
    values = Values(
        "rate", mjd, value, nothing, np.array(list(_CURRENT), dtype=object), np.full(count, "FUVA", dtype=object),
        texts, np.full(count, 163.0), nothing, nothing, value > 5,
    )  # fmt: skip
    findings = [
        Finding(
            "high",
            Severity.ALERT if rate > 50 else Severity.WARN,
            f"rate {rate}",
            "rate > 5",
            "a test",
            rate,
            5.0,
            "FUVA",
            name,
        )
        for name, rate in _CURRENT.items()
        if rate > 5
    ]
    figures = [
        Figure("rate", "Rate", "A caption.", [Panel("x", "y")]),
        Figure("history", "History", "", [Panel("x", "y", [Line("rate", [0.1, 1.0], [0.3, float(value.max())])])]),
    ]
    return Findings(
        float(mjd[-1]), [values], figures, findings,
        [NewArtifact("table", "rates.txt", str(sorted(_CURRENT.items())).encode())], {"FUVA": {"n": count}},
    )  # fmt: skip


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
    quantities={"rate": Quantity("count / s", "A rate")},
    compute=_compute,
    cadence=timedelta(days=7),
)


class Bench:
    """A monitor service with one monitor, run by hand."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path) -> None:
        self.database = database
        self.messenger = messenger
        self.store = Store(f"file://{folder}")
        self.service = MonitorService(database, self.store, {MONITOR.name: MONITOR})
        self.runner = JobRunner(
            database, messenger, JobSettings(max_attempts=1), {Stage.MONITOR: self.service.run}, "tester"
        )
        self.scheduler = Scheduler(database, messenger, MonitorSettings(quiet_seconds=0.0), [MONITOR])
        self._generation = 0

    async def run(self, name: str = MONITOR.name) -> Job:
        """Queue a run and do it."""
        self._generation += 1
        payload = {"generation": self._generation}
        async with self.database.transaction() as session:
            job_id = await add_job(session, name, NewJob(Stage.MONITOR, "monitor", payload, payload), Outbox())
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
def bench(database: Database, messenger: Messenger, tmp_path: Path) -> Bench:
    return Bench(database, messenger, tmp_path / "store")


async def test_a_run_leaves_everything(bench: Bench) -> None:
    assert (await bench.run()).state is JobState.DONE
    (run,) = await bench.all(MonitorRun)
    assert (run.outcome, run.newest_mjd, run.statistics) == ("updated", 58002.0, {"FUVA": {"n": 3}})
    values = await bench.all(MonitorValue)
    assert [(value.rootname, value.value, value.hvlevel, value.outlier) for value in values] == [
        ("ldaaaaaaq", 1.0, 163, False),
        ("ldaaaabaq", 2.0, 163, False),
        ("ldaaaacaq", 9.0, 163, True),
    ]
    assert [figure.name for figure in await bench.all(MonitorFigure)] == ["rate", "history"]
    (artifact,) = await bench.all(Artifact)
    with bench.store.open(f"{artifact.path}/{artifact.name}") as stream:
        assert b"ldaaaacaq" in stream.read()
    (alert,) = await bench.all(Alert)
    assert (alert.rootname, alert.severity, alert.value, alert.threshold) == ("ldaaaacaq", "warn", 9.0, 5.0)
    assert await bench.events() == ["alert.opened", "monitor.updated"]


async def test_only_changed_values_get_the_new_run(bench: Bench, rates: dict[str, float]) -> None:
    await bench.run()
    rates["ldaaaabaq"] = 3.0
    del rates["ldaaaaaaq"]
    rates["ldaaaadaq"] = 4.0
    await bench.run()
    first, second = (run.id for run in await bench.all(MonitorRun))
    found = {value.rootname: (value.value, value.run_id) for value in await bench.all(MonitorValue)}
    assert found["ldaaaabaq"] == (3.0, second)
    assert found["ldaaaadaq"] == (4.0, second)
    assert "ldaaaaaaq" not in found
    assert {run for _, run in found.values()} <= {first, second}


async def test_only_changed_figures_are_drawn(
    bench: Bench, rates: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def noted(figure: Figure, kind: str) -> bytes:
        names.append(figure.name)
        return draw(figure, kind)

    monkeypatch.setattr(drawings, "draw", noted)
    await bench.run()
    before = await bench.all(MonitorFigure)
    rates["ldaaaacaq"] = 10.0
    await bench.run()
    assert names == ["rate", "history", "history"]
    after = await bench.all(MonitorFigure)
    assert [old.png == new.png for old, new in zip(before, after, strict=True)] == [True, False]
    assert {figure.run_id for figure in after} == {(await bench.all(MonitorRun))[-1].id}
    monkeypatch.setattr(versions, "VERSION", -1)
    await bench.run()
    assert names[3:] == ["rate", "history"]


async def test_another_way_to_draw_makes_monitors_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.database.transaction() as session:
        await record_event(session, None, NewEvent("tables.changed", {"rows": {"darks": 1}}), Outbox())
    await bench.scheduler.look(MONITOR)
    (job,) = await bench.all(Job)
    await bench.runner.run(job.id)
    await bench.scheduler.look(MONITOR)
    assert len(await bench.all(Job)) == 1
    monkeypatch.setattr(versions, "VERSION", -1)
    await bench.scheduler.look(MONITOR)
    assert len(await bench.all(Job)) == 2


async def test_same_inputs_are_no_new_data(bench: Bench) -> None:
    await bench.run()
    bench._generation = 0
    async with bench.database.transaction() as session:
        job_id = await add_job(
            session, MONITOR.name, NewJob(Stage.MONITOR, "monitor", {"generation": 1}, {"tick": 1}), Outbox()
        )
    assert job_id is not None
    await bench.runner.run(job_id)
    assert [run.outcome for run in await bench.all(MonitorRun)] == ["updated", "no_new_data"]
    assert len(await bench.all(MonitorValue)) == 3


async def test_no_data_at_all_is_no_new_data(bench: Bench, rates: dict[str, float]) -> None:
    rates.clear()
    await bench.run()
    assert [run.outcome for run in await bench.all(MonitorRun)] == ["no_new_data"]


async def test_a_failed_run_keeps_what_was_there(bench: Bench, rates: dict[str, float]) -> None:
    await bench.run()
    rates["ldaaaaaaq"] = -1.0
    job = await bench.run()
    assert job.state is JobState.FAILED
    assert "a rate is negative" in str(job.error)
    found = await bench.all(MonitorRun)
    assert [(run.outcome, run.reason) for run in found][1] == ("failed", "ValueError: a rate is negative")
    assert len(await bench.all(MonitorValue)) == 3
    assert (await bench.events())[-1] == "monitor.failed"


@pytest.mark.parametrize("step", ["draw_figures", "write_values"], ids=["drawing", "writing"])
async def test_a_run_that_fails_after_computing_is_a_failed_one(
    bench: Bench, rates: dict[str, float], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await bench.run()

    def fail(*_: object) -> None:
        time.sleep(0.2)
        raise ValueError("no room on the page")

    monkeypatch.setattr(runs, step, fail)
    rates["ldaaaadaq"] = 4.0
    assert (await bench.run()).state is JobState.FAILED
    first, second = await bench.all(MonitorRun)
    assert (first.outcome, second.outcome) == ("updated", "failed")
    assert second.reason == "ValueError: no room on the page"
    assert second.seconds >= 0.2
    assert len(await bench.all(MonitorValue)) == 3
    folder = Path(bench.store.url.removeprefix("file://")) / "monitors" / MONITOR.name
    assert len(list(folder.iterdir())) == 1


async def test_the_seconds_of_a_run_are_those_until_everything_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(*arguments: Any) -> dict[str, int]:
        await asyncio.sleep(0.3)
        return await write_alerts(*arguments)

    monkeypatch.setattr(runs, "write_alerts", slowly)
    await bench.run()
    (run,) = await bench.all(MonitorRun)
    assert run.seconds >= 0.3


async def test_alerts_resolve_and_open_again(bench: Bench, rates: dict[str, float]) -> None:
    await bench.run()
    rates["ldaaaacaq"] = 1.0
    await bench.run()
    rates["ldaaaacaq"] = 9.0
    await bench.run()
    assert [alert.state for alert in await bench.all(Alert)] == ["resolved", "open"]


async def test_an_acknowledged_alert_opens_again_only_when_graver(bench: Bench, rates: dict[str, float]) -> None:
    await bench.run()
    (alert,) = await bench.all(Alert)
    async with bench.database.transaction() as session:
        assert await acknowledge(session, alert.id, "operator")
        assert not await acknowledge(session, alert.id, "operator")
    rates["ldaaaacaq"] = 10.0
    await bench.run()
    (alert,) = await bench.all(Alert)
    assert (alert.state, alert.value, alert.acknowledged_by) == ("acknowledged", 10.0, "operator")
    rates["ldaaaacaq"] = 100.0
    await bench.run()
    (alert,) = await bench.all(Alert)
    assert (alert.state, alert.severity) == ("open", "alert")


async def test_an_unknown_monitor_fails_with_the_names_of_those_there_are(bench: Bench) -> None:
    job = await bench.run("nonsense")
    assert job.state is JobState.FAILED
    assert "test-rate" in str(job.error)


async def _ingest(bench: Bench, rows: dict[str, int]) -> None:
    async with bench.database.transaction() as session:
        dataset = (await session.execute(select(Dataset))).scalar_one_or_none()
        if dataset is None:
            dataset = Dataset(rootname="ldaaaaaaq", kind="exposure")
            session.add(dataset)
            await session.flush()
        await record_event(session, dataset.id, NewEvent("dataset.ingested", {"rows": rows}), Outbox())


async def _queued(bench: Bench) -> int:
    async with bench.database.session() as session:
        query = select(func.count()).select_from(Job).where(Job.monitor == MONITOR.name, Job.state == JobState.QUEUED)
        return int((await session.execute(query)).scalar_one())


async def test_new_rows_of_its_tables_make_a_monitor_run_once(bench: Bench) -> None:
    await _ingest(bench, {"lampflash": 3})
    await bench.scheduler.look(MONITOR)
    assert await _queued(bench) == 0, "rows of other tables are nothing new"
    await _ingest(bench, {"darks": 53})
    await _ingest(bench, {"darks": 53})
    await bench.scheduler.look(MONITOR)
    await bench.scheduler.look(MONITOR)
    jobs = [job for job in await bench.all(Job) if job.state is JobState.QUEUED]
    assert len(jobs) == 1
    await bench.runner.run(jobs[0].id)
    await bench.scheduler.look(MONITOR)
    assert await _queued(bench) == 0


async def test_a_monitor_runs_by_the_clock(bench: Bench) -> None:
    await bench.run()
    await bench.scheduler.look(MONITOR)
    assert await _queued(bench) == 0
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE monitor_runs SET created_at = created_at - interval '8 days'"))
    await bench.scheduler.look(MONITOR)
    await bench.scheduler.look(MONITOR)
    assert await _queued(bench) == 1


async def test_a_stream_of_rows_cannot_put_a_run_off_for_ever(bench: Bench) -> None:
    patient = Scheduler(
        bench.database, bench.messenger, MonitorSettings(quiet_seconds=60.0, longest_wait_seconds=300.0), [MONITOR]
    )
    await _ingest(bench, {"darks": 1})
    await patient.look(MONITOR)
    assert await _queued(bench) == 0
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE events SET at = at - interval '301 seconds'"))
    await _ingest(bench, {"darks": 1})
    await patient.look(MONITOR)
    assert await _queued(bench) == 1


async def test_a_monitor_has_no_dataset(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        job_id = await add_job(session, MONITOR.name, NewJob(Stage.MONITOR, "monitor", {}, {}), Outbox())
        assert job_id is not None
        job = await claim(session, job_id, "tester", JobSettings())
    assert isinstance(job, ClaimedJob)
    with pytest.raises(TypeError, match="test-rate"):
        _ = job.dataset_id
    with pytest.raises(PermanentError, match="nonsense"):
        await bench.service.run(
            ClaimedJob(1, Stage.MONITOR, "nonsense", "nonsense", "monitor", {}, "", 1, "tester", "")
        )


async def test_what_takes_the_place_of_a_forced_run_is_forced_too(bench: Bench) -> None:
    async with bench.database.transaction() as session:
        await request_run(session, MONITOR, Outbox(), occasion={"forced": 1.0, "by": "operator"})
    await _ingest(bench, {"darks": 3})
    await bench.scheduler.look(MONITOR)
    async with bench.database.session() as session:
        jobs = (await session.execute(select(Job).where(Job.monitor == MONITOR.name).order_by(Job.id))).scalars().all()
    assert [(job.state, job.payload["forced"]) for job in jobs] == [("superseded", True), ("queued", True)]
    await bench.runner.run(jobs[1].id)
    await _ingest(bench, {"darks": 3})
    await bench.scheduler.look(MONITOR)
    async with bench.database.session() as session:
        newest = (await session.execute(select(Job).order_by(Job.id.desc()).limit(1))).scalar_one()
    assert newest.payload["forced"] is False
