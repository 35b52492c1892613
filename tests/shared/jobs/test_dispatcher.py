"""The feed of the queues: it follows what is worked off, and reads no more than it sends."""

import asyncio
import contextlib

import pytest
from sqlalchemy import func, select, text

from cosmo.launcher.embedded import EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Job
from shared.jobs.dispatcher import Dispatcher
from shared.settings import JobSettings
from shared.worker.broker import Messenger, make_broker
from tests.rows_read import rows_read_so_far

pytestmark = pytest.mark.integration

_QUEUE = "ingest-bulk"
_DATASETS = text(
    "INSERT INTO datasets (id, rootname, kind, state, members, companions, missing, forced) "
    "SELECT n, 'l' || n, 'acquisition', 'fetched', '[]', '[]', '[]', false "
    "FROM generate_series(1, CAST(:count AS int)) AS n"
)
_JOBS = text(
    "INSERT INTO jobs (stage, dataset_id, fingerprint, queue, trace, payload, state, attempts) "
    "SELECT 'ingest-raw', id, '', CAST(:queue AS text), '', '{}', CAST(:state AS text), 0 "
    "FROM datasets"
)


async def _add_jobs(database: Database, count: int) -> None:
    """Let jobs wait, behind as many that are done."""
    async with database.transaction() as session:
        await session.execute(_DATASETS, {"count": count})
        await session.execute(_JOBS, {"queue": _QUEUE, "state": "queued"})
        await session.execute(
            text(
                "INSERT INTO jobs (stage, dataset_id, fingerprint, queue, trace, payload, state, "
                "attempts) SELECT 'fetch', id, '', 'fetch-bulk', '', '{}', 'done', 1 FROM datasets"
            )
        )
        await session.execute(text("ANALYZE jobs"))


async def _sent(database: Database) -> int:
    async with database.session() as session:
        query = select(func.count()).where(Job.sent_at.is_not(None), Job.queue == _QUEUE)
        return (await session.execute(query)).scalar_one()


async def test_a_feed_reads_no_more_than_it_sends(database: Database, messenger: Messenger) -> None:
    await _add_jobs(database, 5000)
    dispatcher = Dispatcher(database, messenger, JobSettings(window=10))
    before = await rows_read_so_far(database, "jobs")
    assert await dispatcher.feed(_QUEUE) == 10
    # Each to choose, to lock and to write it.
    assert await rows_read_so_far(database, "jobs") - before <= 40


async def test_the_feed_follows_what_is_worked_off(
    database: Database, messenger: Messenger, valkey: EmbeddedValkey
) -> None:
    """Many windows are sent between two sweeps, and never more than one waits in Redis."""
    broker = make_broker(valkey.url)
    await _add_jobs(database, 60)
    settings = JobSettings(window=10, sweep_seconds=3600.0)
    leader = asyncio.create_task(Dispatcher(database, messenger, settings).run())
    try:
        async with asyncio.timeout(30):
            while await _sent(database) < 60:
                waiting = messenger.waiting(_QUEUE)
                assert waiting <= 10
                if waiting == 10:
                    broker.flush(_QUEUE)
                await asyncio.sleep(0.02)
    finally:
        leader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leader
        broker.close()
