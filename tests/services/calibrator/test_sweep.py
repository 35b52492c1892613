"""Orphan product folders are removed; what a run recorded, or is about to, is not."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from services.calibrator.sweep import product_folder, sweep_products
from shared.database.engine import Database
from shared.database.models.operations import Job, JobState, Run
from shared.jobs import claims
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import Outbox
from shared.settings import JobSettings
from shared.store import Store

Claim = Any

pytestmark = pytest.mark.integration


def run_of(job: ClaimedJob, path: str) -> Run:
    return Run(
        dataset_id=job.dataset_id,
        job_id=job.id,
        attempt=job.attempt,
        path=path,
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


async def test_sweep(database: Database, claim_new: Claim, tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}/store")
    product = tmp_path / "ldfd01010_x1dsum.fits.gz"
    product.write_bytes(b"x")
    job = await claim_new("ldfd01010")
    folder = product_folder(job, "aaaa")
    store.publish(product, folder)
    store.publish(product, "products/ldfd01010/by-hand")

    # the worker holds the job: it may be about to commit
    assert await sweep_products(database, store) == []

    # it was killed between publishing and its commit: the lease ran out, the job waits
    async with database.transaction() as session:
        await session.execute(update(Job).values(state=JobState.QUEUED, lease_until=None))
    async with database.transaction() as session:
        again = await claims.claim(session, job.id, "other", JobSettings())
    assert again is not None
    second = product_folder(again, "bbbb")
    store.publish(product, second)
    assert await sweep_products(database, store) == []

    # the next attempt committed its own
    async with database.transaction() as session:
        await claims.finish(session, again)
        session.add(run_of(again, second))
    assert await sweep_products(database, store) == [folder]
    assert store.folders("products/ldfd01010") == ["by-hand", second.rsplit("/", 1)[1]]
    assert await sweep_products(database, store) == []


async def test_failed_for_good_leaves_nothing(
    database: Database, claim_new: Claim, tmp_path: Path
) -> None:
    store = Store(f"file://{tmp_path}/store")
    product = tmp_path / "ldfd01010_x1dsum.fits.gz"
    product.write_bytes(b"x")
    job = await claim_new("ldfd01010")
    store.publish(product, product_folder(job, "aaaa"))
    async with database.transaction() as session:
        await claims.fail(session, job, "permanent", "no", JobSettings(), Outbox())
    assert await sweep_products(database, store) == [product_folder(job, "aaaa")]
    assert store.folders("products/ldfd01010") == []


async def test_a_folder_that_cannot_be_removed_keeps_no_other(
    database: Database, claim_new: Claim, tmp_path: Path
) -> None:
    class Stubborn(Store):
        def remove(self, folder: str) -> None:
            if folder.endswith("-aaaa"):
                raise RuntimeError("a store's own error")
            super().remove(folder)

    store = Stubborn(f"file://{tmp_path}/store")
    product = tmp_path / "ldfd01010_x1dsum.fits.gz"
    product.write_bytes(b"x")
    job = await claim_new("ldfd01010")
    folders = [product_folder(job, token) for token in ("aaaa", "bbbb")]
    for folder in folders:
        store.publish(product, folder)
    async with database.transaction() as session:
        await session.execute(update(Job).values(state=JobState.QUEUED, lease_until=None))
    assert await sweep_products(database, store) == folders[1:]
    assert store.folders("products/ldfd01010") == [folders[0].rsplit("/", 1)[1]]
