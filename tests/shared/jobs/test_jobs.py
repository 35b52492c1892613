"""The guarantees of jobs and events, on a real Postgres and a real broker."""

import asyncio
import contextlib
import errno
import threading
import time
from typing import Any

import dramatiq
import pytest
import sqlalchemy.event
import structlog
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from cosmo.launcher.embedded import EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Attempt, Dataset, Event, Job, JobState, Stage
from shared.errors import (
    LostClaimError,
    MemoryShortError,
    OutageError,
    PermanentError,
    TransientError,
    UnsupportedError,
)
from shared.events import EventName
from shared.jobs import claims, operations
from shared.jobs.claims import ClaimedJob
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.events import NewEvent, Outbox, add_job, add_jobs, record_event, record_events
from shared.jobs.queues import Queue, queues_of
from shared.jobs.routing import NewJob
from shared.jobs.runner import Completion, JobRunner
from shared.settings import JobSettings
from shared.worker.broker import Messenger, declare_actors, make_broker
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration

SETTINGS = JobSettings(
    lease_seconds=0.6, backoff_seconds=0.0, max_attempts=3, grace_seconds=0.2, resend_seconds=0.1
)


async def _job(database: Database, job_id: int | None) -> Job:
    async with database.session() as session:
        job = await session.get(Job, job_id)
        assert job is not None
        return job


async def _state(database: Database) -> str:
    async with database.session() as session:
        return str((await session.execute(select(Dataset.state))).scalar_one())


def _runner(database: Database, messenger: Messenger, handler: Any) -> JobRunner:
    return JobRunner(database, messenger, SETTINGS, {Stage.CALIBRATE: handler}, "tester")


async def test_same_work_twice_is_one_job(database: Database) -> None:
    dataset = await add_dataset(database)
    first = await queue_job(database, dataset)
    assert first is not None
    assert await queue_job(database, dataset) is None
    assert await queue_job(database, dataset, version=2) is not None
    assert (await _job(database, first)).state is JobState.SUPERSEDED


async def test_work_on_returned_inputs_is_done_again(database: Database) -> None:
    dataset = await add_dataset(database)
    first = await queue_job(database, dataset, version=1)
    await queue_job(database, dataset, version=2)
    assert await queue_job(database, dataset, version=1) == first
    assert (await _job(database, first)).state is JobState.QUEUED


async def test_jobs_and_events_written_together_are_as_if_one_by_one(database: Database) -> None:
    datasets = [await add_dataset(database, rootname=f"l{number}") for number in range(3)]
    older = [await queue_job(database, dataset) for dataset in datasets]
    outbox = Outbox()
    async with database.transaction() as session:
        # The first is there already.
        jobs = [
            NewJob(Stage.CALIBRATE, {}, {"version": version}, bulk=version == 3)
            for version in (1, 2, 3)
        ]
        written = await add_jobs(session, list(zip(datasets, jobs, strict=True)), outbox)
        await record_events(
            session,
            [
                (dataset, NewEvent(EventName.DATASET_DISCOVERED, {"files": [str(number)]}))
                for number, dataset in enumerate(datasets)
            ],
        )
    assert [(queue, job_id) for queue, job_id in outbox] == [("calibrate", written[0])]
    states = [(await _job(database, job_id)).state for job_id in older]
    assert states == [JobState.QUEUED, JobState.SUPERSEDED, JobState.SUPERSEDED]
    assert [(await _job(database, job_id)).dataset_id for job_id in written] == datasets[1:]
    async with database.session() as session:
        events = await session.execute(select(Event.dataset_id, Event.detail).order_by(Event.id))
    assert [(dataset, detail["files"]) for dataset, detail in events] == [
        (dataset, [str(number)]) for number, dataset in enumerate(datasets)
    ]


async def test_one_of_many_deliveries_claims(database: Database, messenger: Messenger) -> None:
    done: list[int] = []

    async def handler(job: ClaimedJob) -> Completion:
        await asyncio.sleep(0.1)
        done.append(job.id)
        return Completion(NewEvent(EventName.DATASET_CALIBRATED, {"depends_on": {"*": {"run": 1}}}))

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    await asyncio.gather(*(runner.run(job_id) for _ in range(3)))
    await runner.run(job_id)
    assert done == [job_id]
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(Attempt))).scalar() == 1
        stages = (await session.execute(select(Job.stage).order_by(Job.id))).scalars().all()
    assert stages == [Stage.CALIBRATE, Stage.INGEST_PRODUCTS]
    assert messenger.waiting("ingest") == 1


@pytest.mark.parametrize(
    ("error", "state", "attempts"),
    [
        (TransientError("the archive is down"), "failed", 3),
        (PermanentError("corrupt"), "failed", 1),
        (MemoryShortError("8 GB are too few"), "failed", 2),
        (UnsupportedError("nothing to calibrate"), "skipped", 1),
        (ValueError("a defect"), "failed", 1),
    ],
)
async def test_kinds_of_error(
    database: Database, messenger: Messenger, error: Exception, state: str, attempts: int
) -> None:
    async def handler(_job: ClaimedJob) -> Completion:
        raise error

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    for _ in range(5):
        await runner.run(job_id)
    job = await _job(database, job_id)
    assert (job.state.value, job.attempts) == (state, attempts)
    assert str(error) in str(job.error)
    assert await _state(database) == state


@pytest.mark.parametrize(
    ("statement", "attempts"),
    [
        ("INSERT INTO datasets SELECT * FROM datasets", 1),
        ("INSERT INTO datasets (rootname, kind) VALUES ('ldfd01020', NULL)", 1),
        ("INSERT INTO runs (dataset_id) VALUES (0)", 1),
        (
            "INSERT INTO scans (id, source, started_at, files, changed, datasets) SELECT 1, '', "
            "now(), 0, 0, 0 "
            "FROM generate_series(1, 2) ON CONFLICT (id) DO UPDATE SET files = 1",
            1,
        ),
        ("SELECT CAST('x' AS bigint)", 1),
        ("DO $$ BEGIN RAISE deadlock_detected; END $$", 3),
        ("DO $$ BEGIN RAISE lock_not_available; END $$", 3),
    ],
)
async def test_what_a_constraint_refuses_is_not_tried_again(
    database: Database, messenger: Messenger, statement: str, attempts: int
) -> None:
    async def handler(_job: ClaimedJob) -> Completion:
        async with database.transaction() as session:
            await session.execute(text(statement))
        return Completion(NewEvent(EventName.DATASET_CALIBRATED))

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    for _ in range(5):
        await runner.run(job_id)
    job = await _job(database, job_id)
    assert (job.state.value, job.attempts) == ("failed", attempts)
    assert job.error_kind == ("permanent" if attempts == 1 else "transient")


async def test_what_copy_refuses_is_not_tried_again(
    database: Database, messenger: Messenger
) -> None:
    """COPY raises errors of the driver, and does so while the result is written too."""

    async def copy(session: AsyncSession) -> None:
        driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        await driver.copy_records_to_table("datasets", records=[(None,)], columns=["rootname"])

    async def handler(_job: ClaimedJob) -> Completion:
        return Completion(NewEvent(EventName.DATASET_CALIBRATED), copy)

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    await _runner(database, messenger, handler).run(job_id)
    job = await _job(database, job_id)
    assert (job.state.value, job.attempts, job.error_kind) == ("failed", 1, "permanent")


async def test_requeue_and_drop(database: Database, messenger: Messenger) -> None:
    fixed = False

    async def handler(_job: ClaimedJob) -> Completion:
        if not fixed:
            raise PermanentError("a reference is missing")
        return Completion(NewEvent(EventName.DATASET_CALIBRATED))

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    await runner.run(job_id)
    async with database.transaction() as session:
        assert await operations.requeue(session, [job_id, 999]) == 1
        assert await operations.requeue(session, [job_id]) == 0
    await runner.run(job_id)
    fixed = True
    async with database.transaction() as session:
        assert await operations.requeue(session, [job_id]) == 1
    await runner.run(job_id)
    assert (await _job(database, job_id)).state is JobState.DONE
    async with database.transaction() as session:
        assert await operations.drop(session, [job_id]) == 0


async def test_new_work_replaces_a_failure(database: Database, messenger: Messenger) -> None:
    async def handler(_job: ClaimedJob) -> Completion:
        raise PermanentError("corrupt")

    dataset = await add_dataset(database)
    job_id = await queue_job(database, dataset)
    assert job_id is not None
    await _runner(database, messenger, handler).run(job_id)
    assert await _state(database) == "failed"
    await queue_job(database, dataset, version=2)
    assert await _state(database) == "discovered"


async def test_dead_worker_counts_as_attempt_and_poison_ends(
    database: Database, messenger: Messenger
) -> None:
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    dispatcher = Dispatcher(database, messenger, SETTINGS)
    for _ in range(SETTINGS.max_attempts):
        async with database.transaction() as session:
            assert await claims.claim(session, job_id, "dead", SETTINGS) is not None
        assert await dispatcher.expire() == 0
        looks = 0
        while not await dispatcher.expire():
            await asyncio.sleep(SETTINGS.lease_seconds / 3)
            looks += 1
        assert looks == 3
    job = await _job(database, job_id)
    assert job.state is JobState.FAILED
    assert "dead" in str(job.error)
    assert await _state(database) == "failed"


async def test_late_worker_cannot_finish(database: Database) -> None:
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    async with database.transaction() as session:
        job = await claims.claim(session, job_id, "slow", SETTINGS)
        assert job is not None
        await session.execute(update(Job).values(state=JobState.QUEUED))
    with pytest.raises(LostClaimError):
        async with database.transaction() as session:
            await claims.finish(session, job)


async def _lose(database: Database, messenger: Messenger) -> None:
    """Let a dispatcher end what runs, as if its worker gave no sign of life."""
    dispatcher = Dispatcher(database, messenger, SETTINGS)
    while not await dispatcher.expire():  # noqa: ASYNC110 - it counts the seconds itself
        await asyncio.sleep(SETTINGS.lease_seconds / 3)


@pytest.mark.parametrize("renewed", [True, False])
async def test_a_worker_that_was_cut_off_finishes_what_nobody_else_took(
    database: Database, messenger: Messenger, *, renewed: bool
) -> None:
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    async with database.transaction() as session:
        job = await claims.claim(session, job_id, "cut off", SETTINGS)
        assert job is not None
    await _lose(database, messenger)
    lost = await _job(database, job_id)
    assert (lost.state, lost.error_kind) == (JobState.QUEUED, "lost")
    assert await _state(database) == "discovered"
    if renewed:
        async with database.transaction() as session:
            await claims.renew(session, job, SETTINGS)
        assert (await _job(database, job_id)).state is JobState.RUNNING
        assert await _state(database) == "calibrating"
    async with database.transaction() as session:
        await claims.finish(session, job)
    done = await _job(database, job_id)
    assert (done.state, done.attempts, done.error_kind) == (JobState.DONE, 1, None)
    async with database.session() as session:
        (attempt,) = (await session.execute(select(Attempt))).scalars()
    assert (attempt.outcome, attempt.error_kind, attempt.error) == ("done", None, None)


async def test_a_worker_that_was_cut_off_leaves_what_another_took(
    database: Database, messenger: Messenger
) -> None:
    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    async with database.transaction() as session:
        job = await claims.claim(session, job_id, "cut off", SETTINGS)
        assert job is not None
    await _lose(database, messenger)
    async with database.transaction() as session:
        assert await claims.claim(session, job_id, "another", SETTINGS) is not None
    with pytest.raises(LostClaimError):
        async with database.transaction() as session:
            await claims.finish(session, job)
    with pytest.raises(LostClaimError):
        async with database.transaction() as session:
            await claims.renew(session, job, SETTINGS)
    found = await _job(database, job_id)
    assert (found.state, found.worker) == (JobState.RUNNING, "another")


async def test_lease_is_renewed_and_lost_work_discarded(
    database: Database, messenger: Messenger
) -> None:
    discarded = []

    async def handler(job: ClaimedJob) -> Completion:
        await asyncio.sleep(1.0)
        async with database.session() as session:
            overdue = select(Job.id).where(Job.lease_until < func.now())
            assert (await session.execute(overdue)).first() is None
        async with database.transaction() as session:
            await session.execute(update(Job).where(Job.id == job.id).values(worker="another"))
        return Completion(
            NewEvent(EventName.DATASET_CALIBRATED), discard=lambda: discarded.append(job.id)
        )

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    await _runner(database, messenger, handler).run(job_id)
    assert discarded == [job_id]
    assert (await _job(database, job_id)).state is JobState.RUNNING


async def test_drain_gives_back(database: Database, messenger: Messenger) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_job: ClaimedJob) -> Completion:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    running = asyncio.ensure_future(runner.run(job_id))
    await started.wait()
    await runner.drain()
    await running
    assert cancelled.is_set()
    job = await _job(database, job_id)
    assert (job.state, job.attempts, job.sent_at) == (JobState.QUEUED, 0, None)


async def test_a_stop_while_a_result_is_written_keeps_it(
    database: Database, messenger: Messenger
) -> None:
    writing, discarded = asyncio.Event(), []

    async def handler(job: ClaimedJob) -> Completion:
        note = Event(name="test.note", dataset_id=job.dataset_id, detail={})

        async def apply(session: AsyncSession) -> None:
            session.add(note)
            await session.flush()
            if not writing.is_set():
                writing.set()
                await asyncio.sleep(60)

        return Completion(
            NewEvent(EventName.DATASET_CALIBRATED), apply, lambda: discarded.append(job.id)
        )

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    running = asyncio.ensure_future(runner.run(job_id))
    await writing.wait()
    await runner.drain()
    await running
    assert (await _job(database, job_id)).state is JobState.DONE
    async with database.session() as session:
        names = (await session.execute(select(Event.name).order_by(Event.id))).scalars().all()
    assert names.count("test.note") == names.count("dataset.calibrated") == 1
    assert discarded == []


async def test_work_that_ends_well_in_spite_of_the_stop_is_kept(
    database: Database, messenger: Messenger
) -> None:
    started = asyncio.Event()

    async def handler(_job: ClaimedJob) -> Completion:
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return Completion(NewEvent(EventName.DATASET_CALIBRATED))

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    running = asyncio.ensure_future(runner.run(job_id))
    await started.wait()
    await runner.drain()
    await running
    assert (await _job(database, job_id)).state is JobState.DONE


async def test_lost_messages_are_sent_again(
    database: Database, messenger: Messenger, valkey: EmbeddedValkey
) -> None:
    await queue_job(database, await add_dataset(database))
    patient = Dispatcher(database, messenger, SETTINGS.model_copy(update={"resend_seconds": 60.0}))
    assert await patient.feed("calibrate") == 0
    dispatcher = Dispatcher(database, messenger, SETTINGS)
    await asyncio.sleep(0.2)
    assert await dispatcher.feed("calibrate") == 1
    await asyncio.sleep(0.2)
    assert await dispatcher.feed("calibrate") == 0
    assert messenger.waiting("calibrate") == 1
    broker = make_broker(valkey.url)
    broker.client.flushall()
    broker.close()
    assert await dispatcher.feed("calibrate") == 1


async def test_events_are_ordered_and_route(database: Database) -> None:
    dataset = await add_dataset(database)
    outbox = Outbox()
    async with database.transaction() as session:
        await record_event(
            session,
            dataset,
            NewEvent(EventName.DATASET_FETCHED, {"depends_on": {"*": {"a": 1}}}),
            outbox,
        )
    assert [queue for queue, _ in outbox] == ["calibrate", "ingest"]
    async with database.session() as session:
        assert (await session.execute(select(Event.name))).scalars().all() == ["dataset.fetched"]


async def test_acquisitions_are_not_calibrated(database: Database) -> None:
    dataset = await add_dataset(database, kind="acquisition")
    outbox = Outbox()
    async with database.transaction() as session:
        await record_event(session, dataset, NewEvent(EventName.DATASET_FETCHED), outbox)
    assert [queue for queue, _ in outbox] == ["ingest"]


@pytest.mark.parametrize("unused", [(), ("hashjoin", "hashagg", "mergejoin", "material", "sort")])
async def test_bulk_work_waits_in_postgres(
    database: Database, messenger: Messenger, unused: tuple[str, ...]
) -> None:
    """The window holds whichever plan Postgres makes of the statement."""

    @sqlalchemy.event.listens_for(database.engine.sync_engine, "begin")
    def choose(connection: Connection) -> None:
        for way in unused:
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")

    datasets = [await add_dataset(database, rootname=f"ldfd0{n}010") for n in range(5)]
    outbox = Outbox()
    async with database.transaction() as session:
        for dataset in datasets:
            job = NewJob(Stage.CALIBRATE, {}, {}, bulk=True)
            assert await add_job(session, dataset, job, outbox) is not None
    assert outbox == []
    dispatcher = Dispatcher(database, messenger, SETTINGS.model_copy(update={"window": 3}))
    assert await dispatcher.feed("calibrate-bulk") == 3
    assert await dispatcher.feed("calibrate-bulk") == 0
    assert messenger.waiting("calibrate-bulk") == 3


async def test_what_comes_of_bulk_work_is_bulk_work_of_the_same_trace(
    database: Database, messenger: Messenger
) -> None:
    dataset = await add_dataset(database)
    with structlog.contextvars.bound_contextvars(trace="f" * 32):
        async with database.transaction() as session:
            job_id = await add_job(
                session, dataset, NewJob(Stage.FETCH, {}, {}, bulk=True), Outbox()
            )

    async def fetch(job: ClaimedJob) -> Completion:
        assert structlog.contextvars.get_contextvars()["trace"] == job.trace == "f" * 32
        return Completion(NewEvent(EventName.DATASET_FETCHED, {"depends_on": {"*": {"a": 1}}}))

    assert job_id is not None
    await JobRunner(database, messenger, SETTINGS, {Stage.FETCH: fetch}, "tester").run(job_id)
    async with database.session() as session:
        jobs = (
            await session.execute(select(Job.queue, Job.trace, Job.sent_at).where(Job.id != job_id))
        ).all()
    assert sorted(jobs) == [("calibrate-bulk", "f" * 32, None), ("ingest-bulk", "f" * 32, None)]


@pytest.mark.parametrize("queue", [Queue.CALIBRATE, Queue.RECALIBRATE])
async def test_a_person_overtakes_bulk_work(valkey: EmbeddedValkey, queue: Queue) -> None:
    broker, order, first, released = (
        make_broker(valkey.url),
        list[int](),
        threading.Event(),
        threading.Event(),
    )

    def run_job(job_id: int) -> None:
        order.append(job_id)
        first.set()
        released.wait(10)

    broker.client.flushall()
    messenger = Messenger(broker)
    declare_actors(broker, "calibrate", run_job)
    for job_id in (1, 2, 3):
        messenger.send("calibrate-bulk", job_id)
    queues = set[str](queues_of([Stage.CALIBRATE, Stage.RECALIBRATE]))  # those of a calibrator
    worker = dramatiq.Worker(broker, queues=queues, worker_threads=1, worker_timeout=50)
    worker.queue_prefetch = 1
    worker.start()
    assert await asyncio.to_thread(first.wait, 10)
    messenger.send(queue, 4)
    deadline = time.monotonic() + 10
    while messenger.waiting(queue) and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0.05)
    released.set()
    await asyncio.to_thread(broker.join, "calibrate-bulk")
    worker.stop()
    broker.close()
    assert order == [1, 4, 2, 3]


async def test_reasons_have_no_passwords(database: Database, messenger: Messenger) -> None:
    async def handler(_job: ClaimedJob) -> Completion:
        raise PermanentError("https://user:hush@host/raw is not a folder")

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    await _runner(database, messenger, handler).run(job_id)
    async with database.session() as session:
        attempt = (await session.execute(select(Attempt))).scalar_one()
    assert attempt.error == "https://user:***@host/raw is not a folder"
    assert "hush" not in str(attempt.log)


@pytest.mark.parametrize(
    "trouble",
    [
        OutageError("the store is full; free space"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError("no more"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Postgres is away"),
    ],
)
async def test_trouble_of_the_environment_pauses_and_counts_no_attempt(
    database: Database, messenger: Messenger, trouble: Exception
) -> None:
    well = False

    async def handler(_job: ClaimedJob) -> Completion:
        if not well:
            raise trouble
        return Completion(NewEvent(EventName.DATASET_CALIBRATED))

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    runner = _runner(database, messenger, handler)
    assert runner.trouble is None
    for _ in range(SETTINGS.max_attempts + 2):
        await runner.run(job_id)
        job = await _job(database, job_id)
        assert (job.state, job.attempts, job.error_kind) == (JobState.QUEUED, 0, "outage")
        assert str(trouble) in str(job.error)
        assert str(trouble) in str(runner.trouble)
    well = True
    await runner.run(job_id)
    job = await _job(database, job_id)
    assert (job.state, job.error, runner.trouble) == (JobState.DONE, None, None)
    async with database.session() as session:
        outcomes = (
            (await session.execute(select(Attempt.outcome).order_by(Attempt.id))).scalars().all()
        )
    assert outcomes == ["given back"] * (SETTINGS.max_attempts + 2) + ["done"]


async def test_a_paused_worker_takes_nothing_until_it_is_over_and_stops_at_once(
    database: Database, messenger: Messenger
) -> None:
    tried = []

    async def handler(job: ClaimedJob) -> Completion:
        tried.append(job.id)
        raise OutageError("the store is full")

    dataset = await add_dataset(database)
    first, other = (
        await queue_job(database, dataset),
        await queue_job(database, dataset, Stage.FETCH),
    )
    assert first is not None
    assert other is not None
    settings = SETTINGS.model_copy(update={"backoff_seconds": 30.0})
    handlers = {Stage.CALIBRATE: handler, Stage.FETCH: handler}
    runner = JobRunner(database, messenger, settings, handlers, "tester")
    await runner.run(first)
    waiting = asyncio.ensure_future(runner.run(other))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await asyncio.wait_for(runner.drain(), 10)
    await waiting
    assert tried == [first]
    job = await _job(database, other)
    assert (job.state, job.sent_at) == (JobState.QUEUED, None)


async def test_a_broken_constraint_is_not_tried_again(
    database: Database, messenger: Messenger
) -> None:
    async def apply(session: AsyncSession) -> None:
        session.add(Dataset(rootname="ldfd01010", kind="association"))
        await session.flush()

    async def handler(_job: ClaimedJob) -> Completion:
        return Completion(NewEvent(EventName.DATASET_CALIBRATED), apply)

    job_id = await queue_job(database, await add_dataset(database))
    assert job_id is not None
    await _runner(database, messenger, handler).run(job_id)
    job = await _job(database, job_id)
    assert (job.state, job.error_kind, job.attempts) == (JobState.FAILED, "permanent", 1)
