"""Products as the archive hands them out: by a source and by hand, until CalCOS has run here."""

import gzip
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from sqlalchemy import select, text

from cosmo.launcher.embedded import EmbeddedValkey
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import scan
from services.archive.sources import open_source
from services.ingestor.manual import add_file
from services.ingestor.service import IngestService
from shared.database.engine import Database
from shared.database.models.operations import Dataset, File, Job, JobState, Run, Stage
from shared.errors import PermanentError
from shared.invariants.database import check_database
from shared.jobs.events import Outbox
from shared.jobs.runner import JobRunner
from shared.recalibrations import make_current
from shared.settings import ArchiveSettings, JobSettings
from shared.store import Store
from shared.worker.broker import Messenger, make_broker
from tests.services.ingestor.events import write_corrtag

pytestmark = pytest.mark.integration

_VERSION = "3.3.4 (2018-01-08)"
_DONE = (Stage.FETCH, Stage.INGEST_RAW, Stage.INGEST_PRODUCTS)


class _Services:
    """A source, and the services that take its files in."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path, store: Path) -> None:
        self.database, self.folder = database, folder
        self.store = Store(store.as_uri())
        fetch, ingest = (
            FetchService(database, self.store, Downloader(store, ArchiveSettings()), randseed=1),
            IngestService(database, self.store, None),
        )
        handlers = {
            Stage.FETCH: fetch.fetch,
            Stage.INGEST_RAW: ingest.ingest_raw,
            Stage.INGEST_PRODUCTS: ingest.ingest_products,
        }
        self._runner = JobRunner(
            database, messenger, JobSettings(max_attempts=1), handlers, "tester"
        )

    async def work(self) -> None:
        """Scan, and do every job that is due but calibrations."""
        await scan(self.database, open_source(str(self.folder)), Outbox())
        for stage in _DONE:
            async with self.database.session() as session:
                due = (
                    select(Job.id)
                    .where(Job.stage == stage, Job.state == JobState.QUEUED)
                    .order_by(Job.id)
                )
                jobs = (await session.execute(due)).scalars().all()
            for job in jobs:
                await self._runner.run(job)
        assert await self.rows("SELECT error FROM jobs WHERE error IS NOT NULL") == []

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.session() as session:
            return [tuple(row) for row in await session.execute(text(query))]

    async def all(self, model: Any) -> list[Any]:
        async with self.database.session() as session:
            return list((await session.execute(select(model).order_by(model.id))).scalars())

    async def calibrate(self) -> None:
        """Record a run of CalCOS on the dataset that there is, with a spectrum of an exposure as
        its only product.
        """
        (dataset,) = await self.all(Dataset)
        path = self.store.publish(self.folder / "ldfd01vnq_x1d.fits.gz", "products/ldfd01010/run")
        async with self.database.transaction() as session:
            run = Run(
                dataset_id=dataset.id,
                attempt=1,
                current=False,
                calcos_version="3.6.2",
                inputs={},
                references={},
                switches={},
                randseeds={},
                wall_seconds=1.0,
                cpu_seconds=1.0,
                peak_rss_mb=1.0,
                trailer="CalCOS",
            )
            session.add(run)
            await session.flush()
            facts = {
                "rootname": "ldfd01vnq",
                "suffix": "x1d",
                "size": path.size,
                "sha256": path.sha256,
            }
            session.add(
                File(
                    dataset_id=dataset.id,
                    run_id=run.id,
                    origin="product",
                    path=path.path,
                    name=path.name,
                    current=False,
                    **facts,
                )
            )
            await make_current(session, run)


@pytest.fixture
async def services(
    database: Database, valkey: EmbeddedValkey, tmp_path: Path
) -> AsyncIterator[_Services]:
    folder = tmp_path / "source"
    folder.mkdir()
    broker = make_broker(valkey.url)
    broker.client.flushall()
    yield _Services(database, Messenger(broker), folder, tmp_path / "store")
    broker.close()


def _copy(source: Path, target: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in source.glob(pattern):
            shutil.copyfile(path, target / path.name)


async def test_a_folder_of_products_is_a_generation_of_the_archive(
    services: _Services, data_dir: Path
) -> None:
    """Every real product of an association, its trailers, and support files without raw data."""
    _copy(data_dir / "ldfd01010" / "archive", services.folder, "*")
    _copy(data_dir / "ldfd01010" / "raw", services.folder, "ldfd01vnq_spt*", "ldfd01010_ji*")
    await services.work()
    datasets = {one.rootname: one for one in await services.all(Dataset)}
    assert {name: (one.kind, one.state) for name, one in datasets.items()} == dict.fromkeys(
        ["ldfd01010", "ldfd01vlq", "ldfd01vrq", "ldfd01vtq"], ("products", "ingested")
    )
    assert datasets["ldfd01010"].members == ["ldfd01vnq", "ldfd01vpq"]
    run = next(run for run in await services.all(Run) if run.dataset_id == datasets["ldfd01010"].id)
    assert (run.kind, run.current, run.calcos_version) == ("archive", True, _VERSION)
    assert run.provenance["ldfd01vnq_x1d.fits.gz"]["CRDS_CTX"] == "hst_0613.pmap"
    assert "Data Partitioning Started: ldfd01vnq" in run.trailer
    assert "CALCOS" in run.trailer
    assert await services.rows("SELECT DISTINCT rootname FROM data ORDER BY 1") == [
        ("ldfd01vnq",),
        ("ldfd01vpq",),
    ]
    ((flashes,),) = await services.rows(
        "SELECT count(*) FROM lampflash AS l JOIN files AS f ON f.id = file_id WHERE f.shown"
    )
    assert flashes > 2
    assert await services.rows("SELECT rootname FROM spt") == [("ldfd01vnq",)]
    assert await services.rows("SELECT count(DISTINCT rootname) FROM jitter") == [(4,)]
    await services.work()
    assert len(await services.all(Run)) == 4


async def test_a_run_of_calcos_takes_the_place_of_the_archive_and_keeps_its_trailer(
    services: _Services, data_dir: Path
) -> None:
    _copy(data_dir / "ldfd01010" / "archive", services.folder, "ldfd01vnq_x1d*", "ldfd01vnq_trl*")
    await services.work()
    await services.calibrate()
    # Another product of the archive arrives afterwards.
    _copy(data_dir / "ldfd01010" / "archive", services.folder, "ldfd01vnq_lampflash*")
    await services.work()
    runs = await services.all(Run)
    assert [(run.kind, run.current) for run in runs] == [
        ("archive", False),
        ("calcos", True),
        ("archive", False),
    ]
    assert "Data Partitioning Started" in runs[2].trailer
    assert runs[1].trailer == "CalCOS"
    shown = await services.rows(
        "SELECT name, r.kind FROM files AS f JOIN runs AS r ON r.id = f.run_id WHERE f.current"
    )
    assert shown == [("ldfd01vnq_x1d.fits.gz", "calcos")]
    seen = await services.rows(
        "SELECT f.run_id FROM headers JOIN files AS f ON f.id = file_id WHERE preferred"
    )
    assert seen == [(runs[1].id,)]


async def test_products_need_not_wait_for_raw_data(services: _Services, data_dir: Path) -> None:
    """The association's table is there, its raw data are not yet."""
    _copy(data_dir / "ldfd01010" / "raw", services.folder, "ldfd01010_asn*")
    _copy(data_dir / "ldfd01010" / "archive", services.folder, "ldfd01vnq_x1d*")
    await services.work()
    (dataset,) = await services.all(Dataset)
    assert dataset.kind == "association"
    assert "ldfd01vnq_raw*" in dataset.missing
    assert await services.rows("SELECT rootname FROM data") == [("ldfd01vnq",)]


async def test_raw_data_beside_products_bring_no_second_generation(
    services: _Services, data_dir: Path
) -> None:
    """A changed raw file is fetched with the products, which are as they were.

    So is the acquisition's trailer.
    """
    folder = services.folder
    _copy(data_dir / "ldfd01010" / "raw", folder, "ldfd01vlq_*")
    _copy(data_dir / "ldfd01010" / "archive", folder, "ldfd01vlq_trl*")
    await services.work()
    (folder / "ldfd01vlq_spt.fits.gz").write_bytes(
        gzip.compress(gzip.decompress((folder / "ldfd01vlq_spt.fits.gz").read_bytes()), 1)
    )
    await services.work()
    (dataset,) = await services.all(Dataset)
    assert (dataset.kind, dataset.state) == ("acquisition", "ingested")
    assert len([job for job in await services.all(Job) if job.stage == Stage.FETCH]) == 2
    (run,) = await services.all(Run)
    assert run.trailer.count("Data Partitioning Started: ldfd01vlq") == 1
    assert await services.rows("SELECT rootname FROM acqs") == [("ldfd01vlq",)]


async def test_a_damaged_product_costs_itself_only(services: _Services, data_dir: Path) -> None:
    _copy(data_dir / "ldfd01010" / "archive", services.folder, "ldfd01vnq_x1d*")
    whole = (data_dir / "ldfd01010" / "archive" / "ldfd01vpq_x1d.fits.gz").read_bytes()
    (services.folder / "ldfd01vpq_x1d.fits.gz").write_bytes(whole[: len(whole) // 2])
    (services.folder / "ldfd01vrq_x1d.fits").write_bytes(b"no FITS file")
    result = await scan(services.database, open_source(str(services.folder)), Outbox())
    assert [
        files
        for reason, files in result.left_aside.items()
        if reason.startswith("calibrated products")
    ] == [{"count": 1, "names": ["ldfd01vrq_x1d.fits"]}]
    await services.work()
    assert await services.rows("SELECT rootname FROM data") == [("ldfd01vnq",)]
    ((detail,),) = await services.rows("SELECT detail FROM events WHERE name = 'products.fetched'")
    assert list(detail["damaged"]) == ["ldfd01vpq_x1d.fits.gz"]
    async with services.database.session() as session:
        assert await check_database(session) == []


_KINDS = (
    "x1d",
    "x1dsum",
    "x1dsum1",
    "x1dsum2",
    "x1dsum3",
    "x1dsum4",
    "corrtag",
    "corrtag_a",
    "corrtag_b",
    "flt",
    "flt_a",
    "flt_b",
    "counts",
    "counts_a",
    "counts_b",
    "fltsum",
    "lampflash",
    "trl",
    "spt",
    "jit",
    "jif",
)


def _samples(folder: Path) -> dict[str, Path]:
    """Return the real files by kind, of one exposure where there are any."""
    found = sorted(folder.rglob("*.gz"), key=lambda path: path.name.startswith("ldfd01vnq_"))
    return {path.name.split("_", 1)[1].split(".")[0]: path for path in found}


async def test_every_kind_may_be_added_by_hand(
    services: _Services, tmp_path: Path, data_dir: Path
) -> None:
    """In any case of its name; again changes nothing."""
    real = _samples(data_dir / "ldfd01010")
    for kind in _KINDS:
        path = tmp_path / f"LDFD01VNQ_{kind.upper()}.fits"
        if kind in ("jit", "jif", "trl", "spt", "x1d", "lampflash"):
            path = path.with_suffix(".fits.gz")
            shutil.copyfile(real[kind], path)
        elif kind.startswith("corrtag"):
            side = "FUVB" if kind.endswith("b") else "FUVA" if kind.endswith("a") else "N/A"
            written = {"TIME": range(10)}
            write_corrtag(
                path,
                written,
                10.0,
                segment=side,
                ROOTNAME="ldfd01vnq",
                ASN_ID="LDFD01010",
                INSTRUME="COS",
            )
        else:
            primary = fits.PrimaryHDU()
            primary.header.update(
                {
                    "ROOTNAME": "ldfd01vnq",
                    "ASN_ID": "LDFD01010",
                    "INSTRUME": "COS",
                    "CAL_VER": _VERSION,
                }
            )
            fits.HDUList([primary, fits.ImageHDU(name="SCI")]).writeto(path)
        for _ in range(2):
            await add_file(services.database, services.store, path)
    kept = {
        (suffix, name)
        for suffix, name in await services.rows("SELECT suffix, name FROM files WHERE shown")
    }
    assert {suffix for suffix, _ in kept} == set(_KINDS)
    assert all(name.startswith("ldfd01vnq_") for _, name in kept)
    assert await services.rows("SELECT rootname, kind FROM datasets") == [("ldfd01010", "products")]
    (run,) = await services.all(Run)
    assert (run.kind, run.current, run.calcos_version) == ("archive", True, _VERSION)
    assert len(run.provenance) == len(_KINDS) - 3
    async with services.database.session() as session:
        assert await check_database(session) == []


async def test_what_is_no_product_of_cos_is_refused_by_hand(
    services: _Services, tmp_path: Path
) -> None:
    foreign = tmp_path / "o6gp01020_x1d.fits"
    fits.PrimaryHDU(header=fits.Header({"ROOTNAME": "o6gp01020", "INSTRUME": "STIS"})).writeto(
        foreign
    )
    broken = tmp_path / "ldfd01vnq_x1d.fits"
    broken.write_bytes(b"x")
    raw = tmp_path / "ldfd01vnq_rawtag_a.fits"
    raw.write_bytes(b"x")
    for path, reason in (
        (foreign, "STIS"),
        (broken, "ldfd01vnq_x1d.fits"),
        (raw, "taken from a source"),
    ):
        with pytest.raises(PermanentError, match=reason):
            await add_file(services.database, services.store, path)
    assert await services.all(File) == []
