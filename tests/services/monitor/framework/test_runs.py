"""Runs of monitors on a real Postgres.

Values, figures, alerts, artifacts, and what is told of them.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from services.monitor.framework import declaration, runs
from services.monitor.framework.alerts import acknowledge, write_alerts
from services.monitor.framework.leftovers import sweep_artifacts
from services.monitor.framework.runs import artifact_folder
from shared.database.models.monitoring import (
    Alert,
    Artifact,
    MonitorFigure,
    MonitorRun,
    MonitorValue,
)
from shared.database.models.operations import Job, JobState, Stage
from shared.events import EventName
from shared.jobs.claims import claim, fail
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob
from shared.jobs.sequencer import place_events
from shared.settings import JobSettings
from tests.services.monitor.made_up_monitor import MONITOR, RunBench

pytestmark = pytest.mark.integration


async def test_a_run_leaves_everything(bench: RunBench) -> None:
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
    assert (alert.rootname, alert.severity, alert.value, alert.threshold) == (
        "ldaaaacaq",
        "warn",
        9.0,
        5.0,
    )
    assert await bench.events() == ["alert.opened", "monitor.updated"]


async def test_only_changed_values_get_the_new_run(
    bench: RunBench, rates: dict[str, float]
) -> None:
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


async def test_another_way_to_draw_makes_monitors_run(
    bench: RunBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.database.transaction() as session:
        await record_event(
            session, None, NewEvent(EventName.TABLES_CHANGED, {"rows": {"darks": 1}}), Outbox()
        )
    await place_events(bench.database)
    await bench.scheduler.check_all()
    (job,) = await bench.all(Job)
    await bench.runner.run(job.id)
    await bench.scheduler.check_all()
    assert len(await bench.all(Job)) == 1
    monkeypatch.setattr(declaration, "VERSION", -1)
    await bench.scheduler.check_all()
    assert len(await bench.all(Job)) == 2


async def test_same_inputs_are_no_new_data(bench: RunBench) -> None:
    await bench.run()
    bench._generation = 0
    async with bench.database.transaction() as session:
        job_id = await add_job(
            session,
            MONITOR.name,
            NewJob(Stage.MONITOR, {"generation": 1}, {"tick": 1}),
            Outbox(),
        )
    assert job_id is not None
    await bench.runner.run(job_id)
    assert [run.outcome for run in await bench.all(MonitorRun)] == ["updated", "no_new_data"]
    assert len(await bench.all(MonitorValue)) == 3


async def test_no_data_at_all_is_no_new_data(bench: RunBench, rates: dict[str, float]) -> None:
    rates.clear()
    await bench.run()
    assert [run.outcome for run in await bench.all(MonitorRun)] == ["no_new_data"]


async def test_a_failed_run_keeps_what_was_there(bench: RunBench, rates: dict[str, float]) -> None:
    await bench.run()
    rates["ldaaaaaaq"] = -1.0
    job = await bench.run()
    assert job.state is JobState.FAILED
    assert "a rate is negative" in str(job.error)
    found = await bench.all(MonitorRun)
    assert [(run.outcome, run.reason) for run in found][1] == (
        "failed",
        "ValueError: a rate is negative",
    )
    assert len(await bench.all(MonitorValue)) == 3
    assert (await bench.events())[-1] == "monitor.failed"


@pytest.mark.parametrize("step", ["draw_figures", "write_values"], ids=["drawing", "writing"])
async def test_a_run_that_fails_after_computing_is_a_failed_one(
    bench: RunBench, rates: dict[str, float], monkeypatch: pytest.MonkeyPatch, step: str
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
    bench: RunBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(*arguments: Any) -> dict[str, int]:
        await asyncio.sleep(0.3)
        return await write_alerts(*arguments)

    monkeypatch.setattr(runs, "write_alerts", slowly)
    await bench.run()
    (run,) = await bench.all(MonitorRun)
    assert run.seconds >= 0.3


async def test_alerts_resolve_and_open_again(bench: RunBench, rates: dict[str, float]) -> None:
    await bench.run()
    rates["ldaaaacaq"] = 1.0
    await bench.run()
    rates["ldaaaacaq"] = 9.0
    await bench.run()
    assert [alert.state for alert in await bench.all(Alert)] == ["resolved", "open"]


async def test_an_acknowledged_alert_opens_again_only_when_more_severe(
    bench: RunBench, rates: dict[str, float]
) -> None:
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


async def test_an_unknown_monitor_fails_with_the_names_of_those_there_are(bench: RunBench) -> None:
    job = await bench.run("nonsense")
    assert job.state is JobState.FAILED
    assert "test-rate" in str(job.error)


async def test_a_failed_run_is_an_alert_until_one_succeeds(
    bench: RunBench, rates: dict[str, float]
) -> None:
    await bench.run()
    rates["ldaaaaaaq"] = -1.0
    for _ in range(2):
        await bench.run()
    alert = (await bench.all(Alert))[-1]
    assert (alert.monitor, alert.key, alert.severity, alert.state) == (
        MONITOR.name,
        "run",
        "alert",
        "open",
    )
    assert "everything shown is of an earlier one: ValueError: a rate is negative" in alert.message
    assert (await bench.events()).count("alert.opened") == 2  # that of the first run, and this
    rates["ldaaaaaaq"] = 1.0
    await bench.run()
    alert = (await bench.all(Alert))[-1]
    assert (alert.key, alert.state) == ("run", "resolved")
    assert (await bench.events()).count("alert.resolved") == 1


async def test_a_run_without_data_resolves_the_alert_of_a_failed_one(
    bench: RunBench, rates: dict[str, float]
) -> None:
    rates["ldaaaaaaq"] = -1.0
    await bench.run()
    rates.clear()
    await bench.run()
    assert [(alert.key, alert.state) for alert in await bench.all(Alert)] == [("run", "resolved")]


async def test_a_run_whose_worker_is_killed_is_an_alert_too(bench: RunBench) -> None:
    """Out of memory, say: nobody is left to record such a run."""
    settings = JobSettings(max_attempts=1, lease_seconds=0.01)
    async with bench.database.transaction() as session:
        job = await add_job(session, MONITOR.name, NewJob(Stage.MONITOR, {}, {}), Outbox())
        assert job is not None
        assert await claim(session, job, "killed", settings) is not None
    dispatcher = Dispatcher(bench.database, bench.messenger, settings)
    while not await dispatcher.expire():  # noqa: ASYNC110 - the lease is in the database
        await asyncio.sleep(0.05)
    (alert,) = await bench.all(Alert)
    assert (alert.monitor, alert.state) == (MONITOR.name, "open")
    assert "killed" in alert.message


async def test_artifacts_that_a_killed_run_left_are_removed(
    bench: RunBench, tmp_path: Path
) -> None:
    settings, artifact = JobSettings(max_attempts=1), tmp_path / "map.fits"
    artifact.write_bytes(b"a map")
    parent = artifact_folder(MONITOR.name)
    async with bench.database.transaction() as session:
        job_id = await add_job(session, MONITOR.name, NewJob(Stage.MONITOR, {}, {}), Outbox())
        assert job_id is not None
        job = await claim(session, job_id, "killed", settings)
        assert job is not None
    for name in (f"job{job_id}-1", f"job{job_id}-1-aaaa", "by-hand"):
        bench.store.publish(artifact, f"{parent}/{name}")
    assert await sweep_artifacts(bench.database, bench.store) == []
    async with bench.database.transaction() as session:
        await fail(session, job, "transient", "killed", settings, Outbox())
    await bench.run()
    recorded = {artifact.path for artifact in await bench.all(Artifact)}
    removed = await sweep_artifacts(bench.database, bench.store)
    assert sorted(removed) == [f"{parent}/job{job_id}-1", f"{parent}/job{job_id}-1-aaaa"]
    assert {f"{parent}/{name}" for name in bench.store.folders(parent)} == recorded | {
        f"{parent}/by-hand"
    }
    assert recorded
