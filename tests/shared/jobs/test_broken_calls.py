"""Whichever call to the store, the database or the broker fails: the work ends as if none had."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from dramatiq.errors import ConnectionClosed
from sqlalchemy import delete, func, select

from cosmo.launcher.embedded import EmbeddedPostgres
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import scan
from services.archive.sources import open_source
from services.ingestor.service import IngestService
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.models.operations import (
    Dataset,
    Event,
    File,
    Job,
    JobState,
    Scan,
    SourceFile,
    Stage,
)
from shared.database.models.science import SCIENCE_TABLES
from shared.invariants import check
from shared.jobs import runner
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.events import Outbox, send
from shared.jobs.runner import JobRunner
from shared.settings import ArchiveSettings, JobSettings
from shared.store import Store
from shared.worker.broker import Messenger
from simulator.mission.make import DATA, MissionSimulation
from simulator.mission.schedule import Mission
from tests.shared.jobs.broken_calls import Calls, count_broker, count_database, count_store

pytestmark = pytest.mark.integration

_SETTINGS = JobSettings(lease_seconds=0.6, backoff_seconds=0.0, resend_seconds=0.05)
_PATIENCE, _PAUSE = 30.0, 0.02
_QUEUES = ("fetch", "ingest")
_BUSY = (JobState.QUEUED, JobState.RUNNING)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of one simulated acquisition with its support file."""
    folder = tmp_path_factory.mktemp("acquisition")
    simulation = MissionSimulation(
        Mission(years=0.2, size="brief", routines=("acquisition",)), folder
    )
    visit = simulation.taken[0]
    simulation.take(visit)
    for path in (folder / DATA).rglob("*.fits"):
        if not path.name.startswith(visit.exposures[0].rootname):
            path.unlink()
    return folder / DATA


class Pipeline:
    """The archive and the ingestor in this process, and the recovery that both have."""

    def __init__(
        self, database: Database, messenger: Messenger, store: Store, source: Path, clean: Database
    ) -> None:
        self._database, self._messenger, self._clean, self._source = (
            database,
            messenger,
            clean,
            source,
        )
        fetch = FetchService(
            database, store, Downloader(source.parent / "downloads", ArchiveSettings()), randseed=1
        ).fetch
        ingest = IngestService(database, store, None).ingest_raw
        handlers = {Stage.FETCH: fetch, Stage.INGEST_RAW: ingest}
        self._runner = JobRunner(database, messenger, _SETTINGS, handlers, "tester")
        self._dispatcher = Dispatcher(database, messenger, _SETTINGS)
        self._broker = messenger._broker

    async def run(self) -> None:
        """Scan, and work until nothing is left to do."""
        deadline = time.monotonic() + _PATIENCE
        while not await self._scan():
            assert time.monotonic() < deadline
        await self._work()
        while await self._is_busy():
            assert time.monotonic() < deadline, await _result(self._clean)
            await self._recover()
            await self._work()
            await asyncio.sleep(_PAUSE)

    async def _scan(self) -> bool:
        outbox = Outbox()
        try:
            await scan(self._database, open_source(str(self._source)), outbox)
        except DATABASE_ERRORS:
            return False
        await send(self._messenger, outbox)
        return True

    async def _is_busy(self) -> bool:
        async with self._clean.session() as session:
            count = select(func.count()).select_from(Job).where(Job.state.in_(_BUSY))
            return bool((await session.execute(count)).scalar())

    async def _work(self) -> None:
        """Do what messages there are, as dramatiq's threads would."""
        for queue in _QUEUES:
            consumer = self._broker.consume(queue, timeout=1)
            try:
                while (message := await asyncio.to_thread(next, consumer)) is not None:
                    await self._runner.run(message.args[0])
                    await asyncio.to_thread(consumer.ack, message)
            except ConnectionClosed:  # after which dramatiq makes another consumer
                continue

    async def _recover(self) -> None:
        try:
            await self._dispatcher.expire()
            for queue in _QUEUES:
                await self._dispatcher.feed(queue)
        except (*DATABASE_ERRORS, redis.RedisError):
            return


async def _result(database: Database) -> dict[str, list[Any]]:
    """Read what a run left, but for keys and times."""
    found: dict[str, list[Any]] = {}
    async with database.session() as session:
        for name, query in {
            "datasets": select(Dataset.rootname, Dataset.state),
            "jobs": select(Job.stage, Job.state, Job.fingerprint),
            "events": select(Event.name, Event.detail).where(Event.name.startswith("dataset.")),
            "files": select(
                File.path,
                File.name,
                File.sha256,
                File.origin,
                File.current,
                File.shown,
                File.problems,
            ),
            "source": select(
                SourceFile.name, SourceFile.fetched_identity, SourceFile.file_id.is_not(None)
            ),
        }.items():
            found[name] = sorted(map(tuple, await session.execute(query)), key=str)
        for name, model in SCIENCE_TABLES.items():
            columns = [
                column for column in model.__table__.columns if column.name not in ("id", "file_id")
            ]
            found[name] = sorted(map(tuple, await session.execute(select(*columns))), key=str)
    return found


async def _empty(database: Database) -> None:
    async with database.transaction() as session:
        for table in (SourceFile, Scan, Event, File, Job, Dataset):
            await session.execute(delete(table))


@pytest.mark.parametrize("late", [False, True], ids=["not done", "done without an answer"])
@pytest.mark.parametrize("part", ["store", "database", "broker"])
async def test_any_call_may_fail(
    part: str,
    late: bool,
    source: Path,
    database: Database,
    messenger: Messenger,
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_RETRY_SECONDS", 0.01)
    broken, calls = Database(postgres.url), Calls(late=late)
    if part == "database":
        count_database(broken, calls, monkeypatch)
    elif part == "broker":
        count_broker(messenger, calls, monkeypatch)

    async def run(number: int) -> dict[str, list[Any]]:
        """Do all of it in an empty database, where one call fails, and check the invariants."""
        store = Store(f"file://{tmp_path}/store-{number}")
        if part == "store":
            count_store(store, calls)
        await _empty(database)
        calls.begin(number)
        await Pipeline(broken, messenger, store, source, database).run()
        assert (
            await check(database, Store(store.url), sample=None, orphan_seconds=0.0)
        ).violations == []
        return await _result(database)

    try:
        expected = await run(0)
        assert {state for _, state in expected["datasets"]} == {"ingested"}
        assert expected["acqs"]
        number = 0
        while calls.number >= number:
            number += 1
            assert await run(number) == expected, f"call {number} to the {part} failed"
    finally:
        await broken.dispose()
    assert number > 5
