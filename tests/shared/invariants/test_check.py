"""Invariants hold of what was done properly, and each is seen to fail when it is broken."""

import hashlib
import os
from pathlib import Path

import pytest
from sqlalchemy import text, update

from shared.alerts import OPERATIONS
from shared.database.engine import Database
from shared.database.models.monitoring import AlertState
from shared.database.models.operations import Dataset, DatasetState, File, Run, Stage
from shared.events import EventName
from shared.invariants import check
from shared.invariants.check import report
from shared.invariants.database import INVARIANTS
from shared.jobs import claims
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob
from shared.jobs.states import refresh_states
from shared.settings import JobSettings
from shared.store import Store

pytestmark = pytest.mark.integration

_NAME = "ldfd01vnq_rawtag_a.fits.gz"


@pytest.fixture
async def store(database: Database, tmp_path: Path) -> Store:
    """Store and database of one dataset that was fetched, calibrated and ingested."""
    store = Store(f"file://{tmp_path}/store")
    source = tmp_path / _NAME
    source.write_bytes(b"events")
    raw = store.publish(source, "raw/ldfd01vnq/1")
    product = store.publish(
        source.rename(tmp_path / "ldfd01vnq_x1d.fits.gz"), "products/ldfd01vnq/job2-1-a"
    )
    async with database.transaction() as session:
        dataset = Dataset(rootname="ldfd01vnq", kind="exposure")
        session.add(dataset)
        await session.flush()
        for stage, payload in (
            (Stage.FETCH, {"files": [{"name": _NAME}]}),
            (Stage.CALIBRATE, {}),
            (Stage.INGEST_RAW, {}),
        ):
            job_id = await add_job(
                session, dataset.id, NewJob(stage, payload, {"of": stage}), Outbox()
            )
            assert job_id is not None
            job = await claims.claim(session, job_id, "tester", JobSettings())
            assert job is not None
            run = None
            if stage is Stage.CALIBRATE:
                run = Run(
                    dataset_id=dataset.id,
                    job_id=job_id,
                    attempt=1,
                    path=product.path,
                    calcos_version="3.6.2",
                    inputs={},
                    references={},
                    switches={},
                    randseeds={},
                    wall_seconds=1,
                    cpu_seconds=1,
                    peak_rss_mb=1,
                    trailer="",
                )
                session.add(run)
                await session.flush()
            if stage is not Stage.INGEST_RAW:
                stored = product if run else raw
                session.add(
                    File(
                        dataset_id=dataset.id,
                        run_id=run.id if run else None,
                        origin="product" if run else "raw",
                        path=stored.path,
                        name=stored.name,
                        rootname="ldfd01vnq",
                        suffix="x1d" if run else "rawtag_a",
                        size=stored.size,
                        sha256=stored.sha256,
                    )
                )
            else:
                await record_event(
                    session, dataset.id, NewEvent(EventName.DATASET_INGESTED, {}), Outbox(), job_id
                )
            await claims.finish(session, job)
        await refresh_states(session, [dataset.id])
    return store


async def _broken(database: Database, store: Store) -> dict[str, list[str]]:
    result = await check(database, store, sample=None, orphan_seconds=0.0)
    return {name: [case.subject for case in cases] for name, cases in result.by_invariant.items()}


async def test_what_was_done_properly_holds(database: Database, store: Store) -> None:
    assert await _broken(database, store) == {}


async def test_work_on_returned_inputs_is_no_violation(database: Database, store: Store) -> None:
    """The same job is done again, from attempt 1 on, when its inputs are what they were before."""
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO attempts (job_id, number, worker, finished_at, outcome) "
                "VALUES (2, 1, 'tester', now(), 'done')"
            )
        )
        await session.execute(
            text(
                'INSERT INTO runs SELECT (jsonb_populate_record(r, \'{"id": 99, "current": '
                "false}')).* FROM runs r"
            )
        )
    assert await _broken(database, store) == {}


BREAKING = {
    "a done job has one attempt that is done": "DELETE FROM attempts WHERE job_id = 1",
    "an attempt is open only while its job runs": "UPDATE attempts SET finished_at = NULL WHERE "
    "job_id = 2",
    "a running job has a worker and a lease": "UPDATE jobs SET state = 'running', lease_until = "
    "NULL WHERE id = 3",
    "a done fetch has its files": "DELETE FROM files WHERE origin = 'raw'",
    "a done calibration has its run and its products": "UPDATE runs SET error = 'it failed'",
    "a calibration was done once": """
        INSERT INTO runs SELECT (jsonb_populate_record(r, '{"id": 99, "current": false}')).* FROM
          runs r WHERE id = 1
    """,
    "a done ingest has written its files": "DELETE FROM events WHERE name = 'dataset.ingested'",
    "an event has its place in the feed": "UPDATE events SET sequence = NULL, at = at - interval "
    "'2 hours'",
    "the state of a dataset is that of its jobs": "UPDATE datasets SET state = 'fetched'",
}


@pytest.mark.parametrize("name", BREAKING)
async def test_a_broken_invariant_of_the_database_is_found(
    database: Database, store: Store, name: str
) -> None:
    async with database.transaction() as session:
        await session.execute(text(BREAKING[name]))
    assert name in await _broken(database, store)


async def test_what_indexes_forbid_is_looked_for_all_the_same(
    database: Database, store: Store
) -> None:
    """The indexes are dropped, as a damaged one is as good as none."""
    async with database.transaction() as session:
        await session.execute(
            text("ALTER TABLE monitor_values DROP CONSTRAINT uq_monitor_values_monitor")
        )
        await session.execute(
            text(
                "INSERT INTO monitor_runs (monitor, outcome, generation, versions, statistics, "
                "seconds) "
                "VALUES ('m', 'updated', 1, '{}', '{}', 1)"
            )
        )
        await session.execute(
            text(
                "INSERT INTO monitor_values (monitor, run_id, key, mjd, quantity, value, outlier) "
                "SELECT 'm', (SELECT max(id) FROM monitor_runs), 'k', 60000, 'q', 1, false FROM "
                "generate_series(1, 2)"
            )
        )
        rows = await session.execute(text(INVARIANTS["one value of a monitor has each key"]))
        assert [tuple(row) for row in rows] == [("m: k", "2 values of q")]
        await session.rollback()


async def test_files_of_the_store(database: Database, store: Store, tmp_path: Path) -> None:
    raw = tmp_path / "store" / "raw" / "ldfd01vnq" / "1" / _NAME
    raw.write_bytes(b"events of others")
    assert await _broken(database, store) == {
        "a stored file is there with its size": [f"raw/ldfd01vnq/1/{_NAME}"],
        "a stored file has its checksum": [f"raw/ldfd01vnq/1/{_NAME}"],
    }
    raw.write_bytes(b"stneve")
    assert await _broken(database, store) == {
        "a stored file has its checksum": [f"raw/ldfd01vnq/1/{_NAME}"]
    }
    raw.unlink()
    assert set(await _broken(database, store)) == {
        "a stored file is there with its size",
        "a stored file has its checksum",
    }
    raw.write_bytes(b"events")
    stray = tmp_path / "store" / "products" / "ldfd01vnq" / "job9-1-b" / "ldfd01vnq_x1d.fits.gz"
    stray.parent.mkdir()
    stray.write_bytes(b"x")
    assert await _broken(database, store) == {
        "the store holds no file that nobody knows": [
            "products/ldfd01vnq/job9-1-b/ldfd01vnq_x1d.fits.gz"
        ]
    }
    result = await check(database, store, orphan_seconds=3600.0)
    assert result.violations == [], "it may be about to be recorded"
    os.utime(stray, (0, 0))
    assert len((await check(database, store, orphan_seconds=3600.0)).violations) == 1


async def test_files_are_read_in_turn(database: Database, store: Store, tmp_path: Path) -> None:
    product = tmp_path / "store" / "products" / "ldfd01vnq" / "job2-1-a" / "ldfd01vnq_x1d.fits.gz"
    assert hashlib.sha256(product.read_bytes()).hexdigest()
    product.write_bytes(b"stneve")
    first = await check(database, store, sample=1)
    second = await check(database, store, sample=1)
    assert sorted(len(result.violations) for result in (first, second)) == [0, 1]


async def test_a_violation_is_an_alert_until_it_is_repaired(
    database: Database, store: Store
) -> None:
    async with database.transaction() as session:
        await session.execute(update(Dataset).values(state=DatasetState.FETCHED))
    await report(database, await check(database, store))
    async with database.session() as session:
        (alert,) = (await session.execute(text("SELECT monitor, state, message FROM alerts"))).all()
    assert (alert.monitor, alert.state) == (OPERATIONS, AlertState.OPEN)
    assert "ldfd01vnq: it is fetched" in alert.message
    async with database.transaction() as session:
        await refresh_states(session, [1])
    await report(database, await check(database, store))
    async with database.session() as session:
        (found,) = (await session.execute(text("SELECT state FROM alerts"))).scalars()
    assert found == AlertState.RESOLVED
