"""Mutated headers of every kind of real sample, through checks, ingest, monitors and pages.

Nothing else is harmed.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.archive.metadata import is_input, read_facts
from services.archive.sources import open_source
from services.ingestor.service import IngestService
from services.monitor.monitors import monitors
from services.monitor.web.app import create_app
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.monitoring import MonitorValue
from shared.database.models.operations import Dataset, File, Job, JobState, Stage
from shared.database.models.science import SCIENCE_TABLES
from shared.fits.checking import check_fits
from shared.jobs.events import Outbox, add_job
from shared.jobs.routing import NewJob
from shared.jobs.runner import JobRunner
from shared.settings import JobSettings, Settings
from shared.store import Store
from shared.worker.broker import Messenger
from tests.mutated_headers import base_of, mutated, mutations_of, renamed
from tests.services.ingestor.bench import sample
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_SAMPLES = (
    "ldfd01vnq_rawtag_a",
    "ldfd01vnq_spt",
    "ldfd01vlq_rawacq",
    "lb4l02m1q_rawacq",
    "lbhx1epiq_rawacq",
    "ldngz2szj_jit",
    "lb4c10niq_lampflash",
    "lbhx26fmq_lampflash",
    "ld9m10ujq_corrtag_a",
    "ld9m10ujq_x1d",
)
"""One file of each kind that rows are made of, of both detectors."""

_OF_KIND = int(os.environ.get("COSMO_TEST_MUTATIONS", "25"))
"""Mutations of each sample, of the some two thousand that it has."""

_PLACES = (
    "/",
    "/monitors",
    "/datasets",
    "/api/v1/status",
    "/api/v1/monitors",
    "/api/v1/alerts",
    *(f"/monitors/{name}" for name in monitors()),
    *(f"/api/v1/monitors/{name}/data" for name in monitors()),
    *(f"/api/v1/tables/{name}?limit=1000" for name in SCIENCE_TABLES),
)


def _rootname(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = "".join(digits[number // 36**place % 36] for place in (3, 2, 1, 0))
    return f"lzz{text}0q"


async def _ingest(
    database: Database,
    messenger: Messenger,
    store: Store,
    files: Sequence[Path],
    rootname: str,
    references: Path,
) -> None:
    """Ingest the files of a folder of the store as one dataset."""
    async with database.transaction() as session:
        dataset = Dataset(rootname=rootname, kind="exposure")
        session.add(dataset)
        await session.flush()
        for path in files:
            name = parse_name(path.name)
            session.add(
                File(
                    dataset_id=dataset.id,
                    origin="raw",
                    path=path.parent.name,
                    name=path.name,
                    rootname=name.rootname,
                    suffix=name.suffix,
                    size=path.stat().st_size,
                    sha256="0" * 64,
                )
            )
        job = await add_job(
            session, dataset.id, NewJob(Stage.INGEST_RAW, {}, {"of": rootname}), Outbox()
        )
    assert job is not None
    service = IngestService(database, store, references)
    runner = JobRunner(
        database,
        messenger,
        JobSettings(max_attempts=1),
        {Stage.INGEST_RAW: service.ingest_raw},
        "tester",
    )
    await runner.run(job)
    async with database.session() as session:
        done = await session.get_one(Job, job)
        assert done.state is JobState.DONE, done.error


async def _rows(database: Database, dataset: str) -> dict[str, list[Any]]:
    """Return the rows of a dataset by table, and values of the monitors."""
    found: dict[str, list[Any]] = {}
    async with database.session() as session:
        for name, model in SCIENCE_TABLES.items():
            query = select(model.__table__).join(File, File.id == model.file_id).join(Dataset)
            rows = await session.execute(
                query.where(Dataset.rootname == dataset).order_by(model.id)
            )
            found[name] = [tuple(row) for row in rows]
        columns = ("monitor", "quantity", "rootname", "segment", "region", "value")
        values = select(*(getattr(MonitorValue, name) for name in columns)).join(
            File, File.id == MonitorValue.file_id
        )
        mine = await session.execute(
            values.join(Dataset).where(Dataset.rootname == dataset).order_by(MonitorValue.key)
        )
        # Postgres adds up in any order, which the last digits tell.
        found["values"] = sorted(f"{texts} {value:.9g}" for *texts, value in mine)
    return found


async def test_odd_keywords_harm_nothing_else(
    database: Database, messenger: Messenger, tmp_path: Path, data_dir: Path
) -> None:
    store = Store(f"file://{tmp_path}")
    good: list[Path] = []
    odd: list[Path] = []
    for folder in ("good", "odd"):
        (tmp_path / folder).mkdir()
    for name in _SAMPLES:
        content = base_of(sample(data_dir, name))
        suffix = parse_name(f"{name}.fits").suffix
        good.append(tmp_path / "good" / f"{name}.fits")
        good[-1].write_bytes(content)
        for mutation in mutations_of(content)[:_OF_KIND]:
            rootname = _rootname(len(odd))
            odd.append(tmp_path / "odd" / f"{rootname}_{suffix}.fits")
            odd[-1].write_bytes(renamed(mutated(content, mutation), rootname))
            check_fits(odd[-1])
    source = open_source(str(tmp_path / "odd"))
    for file in source.list().files:
        if is_input(parse_name(file.name)):
            read_facts(partial(source.open, file), file.name)
    await _ingest(database, messenger, store, good, "ldfd01vnq", data_dir / "references")
    for name in monitors():
        await run_monitor(database, messenger, store, name)
    before = await _rows(database, "ldfd01vnq")
    await _ingest(database, messenger, store, odd, "lzz000000", data_dir / "references")
    for name in monitors():
        await run_monitor(database, messenger, store, name, 1)
    after = await _rows(database, "ldfd01vnq")
    for table, rows in before.items():
        assert after[table] == rows, table
    app = create_app(Settings(database_url=database.url, store_url=store.url))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://localhost",
        ) as web,
    ):
        for place in _PLACES:
            answer = await web.get(place)
            assert answer.status_code == 200, (place, answer.text[:300])
        for name in monitors():
            for figure in (await web.get(f"/api/v1/monitors/{name}/figures")).json()["items"]:
                place = f"/api/v1/monitors/{name}/figures/{figure['name']}?columns=1"
                assert (await web.get(place)).status_code == 200, place
