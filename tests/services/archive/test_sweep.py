"""Raw files that a failed fetch left are removed.

Those that a row names, or a fetch is about to, are not.
"""

from pathlib import Path

import pytest

from services.archive.copying import raw_folder
from services.archive.sweep import sweep_raw
from shared.database.engine import Database
from shared.database.models.operations import File, Stage
from shared.invariants import check
from shared.jobs import claims
from shared.jobs.events import Outbox
from shared.settings import JobSettings
from shared.store import Store
from tests.shared.jobs.work import add_dataset, queue_job

pytestmark = pytest.mark.integration

_SETTINGS = JobSettings(backoff_seconds=0.0)


async def test_sweep(database: Database, tmp_path: Path) -> None:
    store, raw = Store(f"file://{tmp_path}/store"), tmp_path / "ldfd01vlq_rawacq.fits"
    raw.write_bytes(b"counts")
    dataset, parent = (
        await add_dataset(database, "acquisition", "ldfd01vlq"),
        raw_folder("ldfd01vlq"),
    )
    job_id = await queue_job(database, dataset, Stage.FETCH)
    assert job_id is not None
    kept, left = (store.publish(raw, f"{parent}/{name}") for name in ("aaaa", "bbbb"))
    async with database.transaction() as session:
        session.add(
            File(
                dataset_id=dataset,
                origin="raw",
                path=kept.path,
                name=kept.name,
                rootname="ldfd01vlq",
                suffix="rawacq",
                size=kept.size,
                sha256=kept.sha256,
            )
        )
    for kind in ("transient", "permanent"):
        async with database.transaction() as session:
            job = await claims.claim(session, job_id, "tester", _SETTINGS)
        assert job is not None
        assert await sweep_raw(database, store) == []
        async with database.transaction() as session:
            await claims.fail(session, job, kind, "damaged", _SETTINGS, Outbox())
    assert await sweep_raw(database, store) == [left.path]
    assert store.folders(parent) == ["aaaa"]
    found = await check(database, store, sample=None, orphan_seconds=0.0)
    assert "the store holds no file that nobody knows" not in found.by_invariant
