"""Exposures that two datasets share: readers see each once, and every monitor runs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import select, text

from services.ingestor.inventory import forget
from services.ingestor.service import IngestService
from services.monitor.framework.runs import MonitorService
from services.monitor.monitors import monitors
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, MonitorRun, MonitorValue, Outcome
from shared.database.models.operations import Dataset, File, Job, Stage
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.jobs.runner import JobRunner
from shared.settings import JobSettings
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.ingestor.events import write_corrtag

pytestmark = pytest.mark.integration

_PREFERRED = ("headers", "quality", "apertures", "high_voltage")


class _Ingests:
    """Datasets whose files are ingested by real jobs."""

    def __init__(self, database: Database, messenger: Messenger, store: Store) -> None:
        self.database, self._store = database, store
        ingest = IngestService(database, store, None)
        handlers = {
            Stage.INGEST_PRODUCTS: ingest.ingest_products,
            Stage.MONITOR: MonitorService(database, store, monitors()).run,
        }
        self._runner = JobRunner(
            database, messenger, JobSettings(max_attempts=1), handlers, "tester"
        )
        self._generation = 0

    async def ingest(self, rootname: str, paths: Sequence[Path]) -> Job:
        """Make files the products of a dataset, and ingest them."""
        self._generation += 1
        folder = f"products/{rootname}/{self._generation}"
        stored = [self._store.publish(path, folder) for path in paths]
        async with self.database.transaction() as session:
            query = select(Dataset).where(Dataset.rootname == rootname)
            dataset = (await session.execute(query)).scalar_one_or_none() or Dataset(
                rootname=rootname, kind="exposure"
            )
            session.add(dataset)
            await session.flush()
            await session.execute(
                text("UPDATE files SET current = false WHERE dataset_id = :id"), {"id": dataset.id}
            )
            for one in stored:
                name = parse_name(one.name)
                facts = {
                    "rootname": name.rootname,
                    "suffix": name.suffix,
                    "size": one.size,
                    "sha256": one.sha256,
                }
                session.add(
                    File(
                        dataset_id=dataset.id,
                        origin="product",
                        path=one.path,
                        name=one.name,
                        **facts,
                    )
                )
            job = NewJob(Stage.INGEST_PRODUCTS, {}, {"generation": self._generation})
            job_id = await add_job(session, dataset.id, job, Outbox())
        return await self._run(job_id)

    async def monitor(self, name: str) -> Job:
        """Run a monitor."""
        self._generation += 1
        payload = {"generation": self._generation, "forced": True}
        async with self.database.transaction() as session:
            job_id = await add_job(session, name, NewJob(Stage.MONITOR, payload, payload), Outbox())
        return await self._run(job_id)

    async def _run(self, job_id: int | None) -> Job:
        assert job_id is not None
        await self._runner.run(job_id)
        async with self.database.session() as session:
            return await session.get_one(Job, job_id)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.session() as session:
            return [tuple(row) for row in await session.execute(text(query))]

    async def seen(self, rootname: str) -> tuple[set[str], set[str]]:
        """Return the datasets whose files of a rootname readers see, and those of which a row is
        preferred.
        """
        owners = (
            "SELECT DISTINCT d.rootname FROM files AS f JOIN datasets AS d ON d.id = f.dataset_id"
        )
        shown = await self.rows(f"{owners} WHERE f.shown AND f.rootname = '{rootname}'")
        preferred = [
            row
            for table in _PREFERRED
            for row in await self.rows(
                f"{owners} JOIN {table} AS t ON t.file_id = f.id AND t.rootname = '{rootname}' "
                "WHERE preferred"
            )
        ]
        return {one for (one,) in shown}, {one for (one,) in preferred}


@pytest.fixture
def ingests(database: Database, messenger: Messenger, tmp_path: Path) -> _Ingests:
    return _Ingests(database, messenger, Store((tmp_path / "store").as_uri()))


def _events(folder: Path, name: str, **keywords: Any) -> Path:
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(1)
    columns = {
        "TIME": np.sort(generator.uniform(0.0, 100.0, 500)),
        "RAWX": generator.integers(1500, 14000, 500),
        "RAWY": generator.integers(400, 600, 500),
        "PHA": generator.integers(5, 20, 500),
    }
    columns |= {"XCORR": columns["RAWX"], "YCORR": columns["RAWY"]}
    return write_corrtag(folder / name, columns, 100.0, **keywords)


async def test_every_monitor_runs_on_exposures_that_two_datasets_share(
    ingests: _Ingests, data_dir: Path, tmp_path: Path
) -> None:
    """A real exposure and a dark, in two datasets each, with rows in every table of products."""
    dark = _events(tmp_path / "dark", "ldx001aaq_corrtag_a.fits", EXPTYPE="DARK")
    real = sorted((data_dir / "corrtag").glob("ld9m10ujq_*"))
    for rootname in ("ld9m10010", "ld9m10020"):
        assert (await ingests.ingest(rootname, [*real, dark])).error is None
    assert await ingests.seen("ld9m10ujq") == ({"ld9m10020"}, {"ld9m10020"})
    for name in monitors():
        assert (await ingests.monitor(name)).error is None, name
    async with ingests.database.session() as session:
        outcomes = Counter((await session.execute(select(MonitorRun.outcome))).scalars())
        values = (await session.execute(select(MonitorValue.rootname, MonitorValue.monitor))).all()
        assert (
            list((await session.execute(select(Alert).where(Alert.key == "run"))).scalars()) == []
        )
    assert outcomes[Outcome.FAILED] == 0
    assert outcomes[Outcome.UPDATED] >= 6
    assert ("ld9m10ujq", "stims") in {tuple(row) for row in values}


async def test_another_dataset_takes_over_what_is_forgotten_or_left_out(
    ingests: _Ingests, tmp_path: Path
) -> None:
    root, name = "ldx001aaq", "ldx001aaq_corrtag_a.fits"
    older, newer = (_events(tmp_path / folder, name) for folder in ("a", "b"))
    other = _events(tmp_path / "c", "ldx001abq_corrtag_a.fits")
    await ingests.ingest("ldx001010", [older])
    await ingests.ingest("ldx001020", [newer, other])
    assert await ingests.seen(root) == ({"ldx001020"}, {"ldx001020"})
    await ingests.ingest("ldx001020", [other])
    assert await ingests.seen(root) == ({"ldx001010"}, {"ldx001010"})
    await ingests.ingest("ldx001020", [newer, other])
    assert await ingests.seen(root) == ({"ldx001020"}, {"ldx001020"})
    assert await forget(ingests.database, name) == 3
    assert await ingests.seen(root) == (set(), set())
    assert await ingests.seen("ldx001abq") == ({"ldx001020"}, {"ldx001020"})


async def test_file_of_another_exposure_is_refused(ingests: _Ingests, tmp_path: Path) -> None:
    """Two files with one ROOTNAME.

    That whose name says otherwise has no rows, and its message helps.
    """
    good = _events(tmp_path / "a", "ldx001aaq_corrtag_a.fits")
    copied = _events(tmp_path / "b", "ldx001abq_corrtag_a.fits", ROOTNAME="LDX001AAQ")
    assert (await ingests.ingest("ldx001aaq", [good])).error is None
    await ingests.ingest("ldx001abq", [copied])
    said = await ingests.rows(
        "SELECT coalesce(error, '') FROM jobs UNION ALL SELECT detail::text FROM events"
    )
    assert any("ldx001abq_corrtag_a.fits: ROOTNAME is ldx001aaq" in text for (text,) in said)
    assert await ingests.rows("SELECT DISTINCT rootname FROM headers") == [("ldx001aaq",)]
    with fits.open(copied, mode="update") as hdus:
        hdus[0].header["ROOTNAME"] = "ldx001abq"
    assert (await ingests.ingest("ldx001abq", [copied])).error is None
    assert await ingests.seen("ldx001abq") == ({"ldx001abq"}, {"ldx001abq"})
