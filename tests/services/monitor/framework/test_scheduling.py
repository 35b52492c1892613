"""When monitors run: after rows of their tables, by the clock, and at the latest."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from services.monitor.framework.scheduling import Scheduler, request_run
from shared.database.models.operations import Dataset, Event, Job, JobState, Stage
from shared.errors import PermanentError
from shared.events import EventName
from shared.jobs.claims import ClaimedJob, claim
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob
from shared.jobs.sequencer import place_events
from shared.settings import JobSettings, MonitorSettings
from tests.services.monitor.made_up_monitor import MONITOR, RunBench

pytestmark = pytest.mark.integration


async def _ingest(bench: RunBench, rows: dict[str, int]) -> None:
    async with bench.database.transaction() as session:
        dataset = (await session.execute(select(Dataset))).scalar_one_or_none()
        if dataset is None:
            dataset = Dataset(rootname="ldaaaaaaq", kind="exposure")
            session.add(dataset)
            await session.flush()
        await record_event(
            session, dataset.id, NewEvent(EventName.DATASET_INGESTED, {"rows": rows}), Outbox()
        )
    await place_events(bench.database)


async def _queued(bench: RunBench) -> int:
    async with bench.database.session() as session:
        query = (
            select(func.count())
            .select_from(Job)
            .where(Job.monitor == MONITOR.name, Job.state == JobState.QUEUED)
        )
        return int((await session.execute(query)).scalar_one())


async def test_new_rows_of_its_tables_make_a_monitor_run_once(bench: RunBench) -> None:
    await _ingest(bench, {"lampflash": 3})
    await bench.scheduler.check_all()
    assert await _queued(bench) == 0, "rows of other tables are nothing new"
    await _ingest(bench, {"darks": 53})
    await _ingest(bench, {"darks": 53})
    await bench.scheduler.check_all()
    await bench.scheduler.check_all()
    jobs = [job for job in await bench.all(Job) if job.state is JobState.QUEUED]
    assert len(jobs) == 1
    await bench.runner.run(jobs[0].id)
    await bench.scheduler.check_all()
    assert await _queued(bench) == 0


async def test_a_monitor_that_cannot_be_looked_at_keeps_no_other_waiting(bench: RunBench) -> None:
    broken = replace(MONITOR, name="broken")
    object.__setattr__(broken, "tables", None)  # the declaration itself refuses it
    scheduler = Scheduler(
        bench.database, bench.messenger, MonitorSettings(quiet_seconds=0), [broken, MONITOR]
    )
    await _ingest(bench, {"darks": 53})
    await scheduler.check_all()
    assert await _queued(bench) == 1


async def test_a_monitor_runs_by_the_clock(bench: RunBench) -> None:
    await bench.run()
    await bench.scheduler.check_all()
    assert await _queued(bench) == 0
    async with bench.database.transaction() as session:
        await session.execute(
            text("UPDATE monitor_runs SET created_at = created_at - interval '8 days'")
        )
    await bench.scheduler.check_all()
    await bench.scheduler.check_all()
    assert await _queued(bench) == 1


async def test_a_stream_of_rows_cannot_put_a_run_off_for_ever(bench: RunBench) -> None:
    def patient() -> Scheduler:
        settings = MonitorSettings(quiet_seconds=60.0, longest_wait_seconds=300.0)
        return Scheduler(bench.database, bench.messenger, settings, [MONITOR])

    first = patient()
    await _ingest(bench, {"darks": 1})
    await first.check_all()
    await _ingest(bench, {"darks": 1})
    await first.check_all()
    assert await _queued(bench) == 0
    async with bench.database.transaction() as session:
        await session.execute(
            text("UPDATE events SET at = at - interval '301 seconds' WHERE id = 1")
        )
    await patient().check_all()
    assert await _queued(bench) == 1


async def test_news_is_counted_once_and_again_after_a_run_of_less(bench: RunBench) -> None:
    """Of a history nothing is read again while nothing happens."""
    read = list[str]()

    def note(_one: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "jsonb_exists_any" in statement or "monitor_runs.generation" in statement:
            read.append(statement)

    event.listen(bench.database.engine.sync_engine, "before_cursor_execute", note)
    await _ingest(bench, {"darks": 1})
    await bench.scheduler.check_all()
    assert await _queued(bench) == 1
    known = len(read)
    for _ in range(3):
        await bench.scheduler.check_all()
    assert len(read) == known
    await _ingest(bench, {"lampflash": 1})
    await bench.scheduler.check_all()
    assert len(read) == known + 1
    await bench.run()  # which reflects the first event alone
    await _ingest(bench, {"darks": 1})
    await bench.scheduler.check_all()
    jobs = [job for job in await bench.all(Job) if job.state is JobState.QUEUED]
    assert [job.payload["generation"] for job in jobs] == [
        max(one.sequence for one in await bench.all(Event))
    ]
    await bench.runner.run(jobs[0].id)
    await bench.scheduler.check_all()
    assert await _queued(bench) == 0


async def test_a_monitor_has_no_dataset(bench: RunBench) -> None:
    async with bench.database.transaction() as session:
        job_id = await add_job(session, MONITOR.name, NewJob(Stage.MONITOR, {}, {}), Outbox())
        assert job_id is not None
        job = await claim(session, job_id, "tester", JobSettings())
    assert isinstance(job, ClaimedJob)
    with pytest.raises(TypeError, match="test-rate"):
        _ = job.dataset_id
    with pytest.raises(PermanentError, match="nonsense"):
        await bench.service.run(
            ClaimedJob(1, Stage.MONITOR, "nonsense", "nonsense", "monitor", {}, "", 1, "tester", "")
        )


async def test_what_takes_the_place_of_a_forced_run_is_forced_too(bench: RunBench) -> None:
    async with bench.database.transaction() as session:
        await request_run(session, MONITOR, Outbox(), occasion={"forced": 1.0, "by": "operator"})
    await _ingest(bench, {"darks": 3})
    await bench.scheduler.check_all()
    async with bench.database.session() as session:
        jobs = (
            (await session.execute(select(Job).where(Job.monitor == MONITOR.name).order_by(Job.id)))
            .scalars()
            .all()
        )
    assert [(job.state, job.payload["forced"]) for job in jobs] == [
        ("superseded", True),
        ("queued", True),
    ]
    await bench.runner.run(jobs[1].id)
    await _ingest(bench, {"darks": 3})
    await bench.scheduler.check_all()
    async with bench.database.session() as session:
        newest = (await session.execute(select(Job).order_by(Job.id.desc()).limit(1))).scalar_one()
    assert newest.payload["forced"] is False
