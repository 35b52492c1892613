"""Pools of calibrators, each with queues of its own, as real processes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from cosmo.launcher.embedded import EmbeddedValkey
from services.monitor.queries.status import read_status
from shared.database.engine import Database
from shared.database.models.operations import Attempt, Job, JobState, Stage
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.settings import Settings, described
from shared.worker.broker import Messenger
from tests.shared.jobs.work import add_dataset

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).parents[3]
_PATIENCE = 180.0

Start = Callable[[str, str], None]


@pytest.fixture
def start(
    database: Database, valkey: EmbeddedValkey, messenger: Messenger, tmp_path: Path
) -> Iterator[Start]:
    """Starter of a calibrator with a name and queues, on an empty broker."""
    with ExitStack() as stack:

        def begin(name: str, queues: str) -> None:
            environment = {
                "COSMO_DATABASE_URL": database.url,
                "COSMO_REDIS_URL": valkey.url,
                "COSMO_STORE_URL": f"file://{tmp_path}/store",
                "COSMO_CALIBRATOR__SCRATCH": f"{tmp_path}/scratch",
                "COSMO_CALIBRATOR__QUEUES": queues,
                "COSMO_INSTANCE": name,
            }
            process = subprocess.Popen(
                [sys.executable, "-m", "services.calibrator"],
                cwd=_ROOT,
                env=os.environ | environment,
                stdout=(tmp_path / f"{name}.log").open("wb"),
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)

        yield begin


async def test_each_pool_works_on_its_queues(database: Database, start: Start) -> None:
    """A job without files fails, and with it is said who took it."""
    ids = {}
    for queue, job in {
        "recalibrate": NewJob(Stage.RECALIBRATE, {}, {}),
        "calibrate": NewJob(Stage.CALIBRATE, {}, {}),
        "calibrate-bulk": NewJob(Stage.CALIBRATE, {}, {}, bulk=True),
    }.items():
        dataset = await add_dataset(database, rootname=queue)
        async with database.transaction() as session:
            ids[queue] = await add_job(session, dataset, job, Outbox())
    start("interactive", "recalibrate")
    start("archive", " calibrate ")
    async with asyncio.timeout(_PATIENCE):
        while True:
            async with database.session() as session:
                rows = select(Job.queue, Job.state, Attempt.worker).join(Attempt, isouter=True)
                found = {queue: row for queue, *row in await session.execute(rows)}
                status = await read_status(session)
            done = [queue for queue, (state, _) in found.items() if state is JobState.FAILED]
            if len(done) == len(status.workers) == 2:
                break
            await asyncio.sleep(0.1)
    workers = {worker.name: worker.queues for worker in status.workers}
    assert workers == {"interactive": ["recalibrate"], "archive": ["calibrate"]}
    # Processes of one host differ by their numbers.
    assert found["recalibrate"][1] != found["calibrate"][1]
    assert found["calibrate-bulk"] == [JobState.QUEUED, None]
    assert {name: queue.workers for name, queue in status.queues.items() if queue.workers} == {
        "recalibrate": 1,
        "calibrate": 1,
    }
    line = "no worker serves the queue calibrate-bulk, in which 1 jobs wait"
    assert status.trouble == [line]


@pytest.mark.parametrize(
    ("queues", "problem"),
    [
        ("ingest", "COSMO_CALIBRATOR__QUEUES: 'ingest' is no queue of it; it has recalibrate, "),
        ("calibrate,calibrat", "COSMO_CALIBRATOR__QUEUES: 'calibrat' is no queue of it"),
        (" ", "COSMO_CALIBRATOR__QUEUES: it names no queue; name some of recalibrate, calibrate"),
    ],
)
def test_wrong_queues_are_refused(
    queues: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMO_CALIBRATOR__QUEUES", queues)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert problem in described(refused.value)


def test_a_calibrator_without_queues_ends_with_a_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.calibrator"],
        cwd=_ROOT,
        env=os.environ | {"COSMO_CALIBRATOR__QUEUES": " "},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
    )
    assert ended.returncode == 1
    problem = "COSMO_CALIBRATOR__QUEUES: it names no queue; name some of recalibrate, calibrate"
    assert problem in json.loads(ended.stderr)["error"]
