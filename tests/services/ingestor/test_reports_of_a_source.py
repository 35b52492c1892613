"""Files of no exposure in a source.

Scanned, fetched and ingested by the same jobs as everything else.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import select, text

from cosmo.launcher.embedded import EmbeddedValkey
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import scan
from services.archive.sources import open_source
from services.ingestor.service import IngestService
from shared.cos.dates import parse_day_of_year
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Job, JobState, Stage
from shared.jobs.events import Outbox
from shared.jobs.runner import JobRunner
from shared.settings import ArchiveSettings, JobSettings
from shared.store import Store
from shared.worker.broker import Messenger, make_broker
from tests.services.ingestor.bench import sample

pytestmark = pytest.mark.integration

_OLDER, _NEWER = "181137b3.txt", "181137b4.txt"


class _Services:
    """The archive and the ingestor service as a test drives them."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path, store: Path) -> None:
        self.database, self.folder = database, folder
        place = Store(store.as_uri())
        fetch, ingest = (
            FetchService(database, place, Downloader(store, ArchiveSettings()), randseed=1),
            IngestService(database, place, None),
        )
        handlers = {Stage.FETCH: fetch.fetch, Stage.INGEST_RAW: ingest.ingest_raw}
        self._runner = JobRunner(
            database, messenger, JobSettings(max_attempts=1), handlers, "tester"
        )

    async def work(self) -> None:
        """Scan, and do every job that is due."""
        await scan(self.database, open_source(str(self.folder)), Outbox())
        for stage in (Stage.FETCH, Stage.INGEST_RAW):
            async with self.database.session() as session:
                due = (
                    select(Job.id)
                    .where(Job.stage == stage, Job.state == JobState.QUEUED)
                    .order_by(Job.id)
                )
                jobs = (await session.execute(due)).scalars().all()
            for job in jobs:
                await self._runner.run(job)

    async def states(self) -> dict[str, tuple[str, str]]:
        """Return the kind and state of every dataset."""
        async with self.database.session() as session:
            rows = await session.execute(select(Dataset.rootname, Dataset.kind, Dataset.state))
            return {rootname: (kind, state.value) for rootname, kind, state in rows}

    async def rows(self, query: str) -> list[tuple[object, ...]]:
        async with self.database.session() as session:
            return [tuple(row) for row in await session.execute(text(query))]


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


@pytest.mark.parametrize("order", [(_OLDER, _NEWER), (_NEWER, _OLDER)])
async def test_newest_version_of_a_report_counts(
    services: _Services, data_dir: Path, order: tuple[str, ...]
) -> None:
    for name in order:
        shutil.copyfile(data_dir / "sms" / name, services.folder / name)
        await services.work()
    assert await services.states() == dict.fromkeys(
        ("181137b3", "181137b4"), ("schedule", "ingested")
    )
    shown = await services.rows("SELECT DISTINCT report FROM sms WHERE preferred")
    assert shown == [("181137b4",)]
    ((planned,),) = await services.rows(
        "SELECT count(DISTINCT exposure) FROM sms WHERE report = '181137b4'"
    )
    assert isinstance(planned, int)
    assert planned > 50
    assert await services.rows("SELECT count(*) FROM sms WHERE preferred") == [(planned,)]


async def test_malformed_report_fails_and_the_others_go_on(
    services: _Services, data_dir: Path
) -> None:
    (services.folder / "111078a6.txt").write_text("not a report\n")
    shutil.copyfile(data_dir / "sms" / _NEWER, services.folder / _NEWER)
    await services.work()
    assert await services.states() == {
        "111078a6": ("schedule", "failed"),
        "181137b4": ("schedule", "ingested"),
    }
    assert await services.rows("SELECT DISTINCT report FROM sms") == [("181137b4",)]


async def test_cumulative_images_and_telemetry(services: _Services) -> None:
    _write_cumulative(services.folder / "l_2017300120000_00_163_cci.fits")
    (services.folder / "LDCAMPAT.txt").write_text("57000.0 24.5\n57000.5 24.75\n")
    (services.folder / "LOSM1POS.txt").write_text("57000.25 G130M\n")
    (services.folder / "LDCHVMNA.txt").write_text("57000.25 -5057.5\nrubbish\n")
    (services.folder / "LICENSE.txt").write_text("not of COS\n")
    await services.work()
    assert await services.states() == {
        "l_2017300120000_00_163_cci": ("cumulative image", "ingested"),
        "ldcampat": ("telemetry", "ingested"),
        "losm1pos": ("telemetry", "ingested"),
        "ldchvmna": ("telemetry", "ingested"),
    }
    readings = await services.rows(
        "SELECT mnemonic, mjd, value, text FROM telemetry ORDER BY mnemonic, mjd"
    )
    assert readings == [
        ("LDCAMPAT", 57000.0, 24.5, None),
        ("LDCAMPAT", 57000.5, 24.75, None),
        ("LDCHVMNA", 57000.25, -5057.5, None),
        ("LOSM1POS", 57000.25, None, "G130M"),
    ]
    problem = (
        "LDCHVMNA.txt: 1 of 2 lines are no MJD with a reading and left out (line 2: 'rubbish')"
    )
    assert await services.rows("SELECT name, problems FROM files WHERE problems != '[]'") == [
        ("LDCHVMNA.txt", [problem])
    ]
    assert await services.rows(
        "SELECT detail['problems'] FROM events WHERE name = 'dataset.ingested' AND "
        "detail['problems'] != '[]'"
    ) == [([problem],)]
    ((x, y, gain, rootname),) = await services.rows("SELECT x, y, gain, rootname FROM gain")
    assert (x, y, rootname) == (625, 240, "l_2017300120000_00_163_cci")
    assert gain == pytest.approx(11.0, abs=0.05)


@pytest.mark.parametrize("damaged", [True, False])
async def test_odd_companion_costs_itself(
    services: _Services, data_dir: Path, damaged: bool
) -> None:
    """A jitter table that is cut off, or lacks a column, leaves the rows of its exposure's other
    files as they are.
    """
    for kind in ("rawacq", "spt"):
        shutil.copyfile(
            sample(data_dir, f"ldngz2szq_{kind}"), services.folder / f"ldngz2szq_{kind}.fits.gz"
        )
    jitter = services.folder / "ldngz2szj_jit.fits"
    with fits.open(sample(data_dir, "ldngz2szj_jit")) as hdus:
        columns = [column for column in hdus[1].columns if column.name != "SI_V2_RMS"]
        table = fits.BinTableHDU.from_columns(columns, name="jit")
        table.header["EXPNAME"] = hdus[1].header["EXPNAME"]
        fits.HDUList([hdus[0], table]).writeto(jitter)
    if damaged:
        jitter.write_bytes(jitter.read_bytes()[:-3000])
    await services.work()
    assert await services.states() == {"ldngz2szq": ("acquisition", "ingested")}
    for table in ("headers", "quality", "spt", "acqs"):
        assert await services.rows(f"SELECT rootname FROM {table}") == [("ldngz2szq",)]
    rows = [] if damaged else [("ldngz2szq", True, True)]
    assert (
        await services.rows("SELECT rootname, v2_mean IS NOT NULL, v2_rms IS NULL FROM jitter")
        == rows
    )
    ((problem,),) = await services.rows(
        "SELECT problems[0] #>> '{}' FROM files WHERE problems != '[]'"
    )
    assert str(problem).startswith(
        "ldngz2szj_jit.fits, HDU 1: truncated"
        if damaged
        else "ldngz2szj_jit.fits: table JIT has no column SI_V2_RMS"
    )


async def test_newer_version_without_exposures_supersedes(
    services: _Services, data_dir: Path
) -> None:
    """Whatever the order in which versions come, and the number of characters they have."""
    whole = (data_dir / "sms" / _NEWER).read_text()
    for version in ("b9", "b10", "b4"):
        text = whole.replace("181137B4", f"181137{version.upper()}")
        if version == "b10":
            text = "".join(
                line for line in text.splitlines(keepends=True) if not line.startswith("ld")
            )
        (services.folder / f"181137{version}.txt").write_text(text)
        await services.work()
        expected = {"b9": "b9", "b10": None, "b4": None}[version]
        shown = [] if expected is None else [(f"181137{expected}",)]
        assert await services.rows("SELECT DISTINCT report FROM sms WHERE preferred") == shown
    assert set((await services.states()).values()) == {("schedule", "ingested")}


def _write_cumulative(path: Path) -> None:
    """Write a cumulative image of one superpixel with a peak at 11."""
    primary = fits.PrimaryHDU()
    start = parse_day_of_year("2017.300:12:00:00")
    primary.header.update({"SEGMENT": "FUVA", "EXPSTART": start, "DETHV": 163})
    members = fits.BinTableHDU.from_columns([fits.Column("ROOTNAME", "24A", array=["ldx001aaq"])])
    fits.HDUList([primary, members]).writeto(path)
    heights = np.rint(10 * np.exp(-0.5 * ((np.arange(32) - 11.0) / 1.05) ** 2)).astype(np.uint8)
    for height in heights:
        image = np.zeros((1024, 16384), np.uint8)
        image[480:482, 5000:5008] = height
        fits.append(path, image, verify=False)
