"""The archive service in turns, on a stand-in archive and a real Postgres and broker."""

import asyncio
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from services.archive.archives import RemoteArchives
from services.archive.catalogues import open_catalogue
from services.archive.discovery import Discovery
from services.archive.downloads import Downloader
from services.archive.fetch import FetchService
from services.archive.scan import ScanResult, scan_archives
from services.ingestor.service import IngestService
from shared.database.engine import Database
from shared.database.models.operations import (
    Dataset,
    DatasetState,
    Event,
    File,
    Job,
    JobState,
    Stage,
)
from shared.jobs.events import Outbox
from shared.jobs.runner import JobRunner
from shared.settings import ArchiveSettings, JobSettings
from shared.store import Store, sha256_of
from shared.worker.broker import Messenger
from simulator.archive.faults import FaultRule
from simulator.archive.server import running_archive

__all__ = ["RAW", "ROOT", "SPT", "ServiceInTurns"]

ROOT, RAW, SPT = "ldfd01010", "ldfd01vnq_rawtag_a.fits", "ldfd01vnq_spt.fits"
_PATIENCE_SECONDS = 60
_ROUNDS = 12
"""Turns of the service after which all must have come."""


class ServiceInTurns:
    """The archive service in turns, and the ingestor where it is asked for.

    Parameters
    ----------
    database, messenger
        Database and broker.
    place
        Folder for all that it needs; the archive has ``data`` in it.
    """

    def __init__(self, database: Database, messenger: Messenger, place: Path) -> None:
        self.database, self.messenger = database, messenger
        self.folder, self.place = place / "data", place
        self.store = Store((place / "store").as_uri())
        self.catalogues = ["mast"]

    @contextmanager
    def served(self, rules: Iterable[FaultRule] = ()) -> Any:
        """Serve the folder."""
        requests: list[str] = []
        with running_archive(self.folder, rules=rules, report=requests.append) as url:
            self.settings = ArchiveSettings(
                sources=self.catalogues,
                mast_url=url,
                s3_url=url,
                cadc_url=url,
                wanted={"everything": True},
                metadata_rate=1000,
                listing_seconds=0.01,
                catalogue_pause_seconds=0.01,
                download_silence_seconds=1,
                download_backoff_seconds=0.01,
            )
            catalogues = [open_catalogue(name, self.settings) for name in self.catalogues]
            downloader = Downloader(self.place / "parts", self.settings)
            self.archives = RemoteArchives(self.database, catalogues, downloader, 0.01)
            self.discovery = Discovery(self.database, catalogues, self.settings, self.store)
            service = FetchService(self.database, self.store, downloader, 1, self.archives)
            ingest = IngestService(self.database, self.store, None)
            self.runner = JobRunner(
                self.database,
                self.messenger,
                JobSettings(backoff_seconds=0),
                {Stage.FETCH: service.fetch, Stage.INGEST_RAW: ingest.ingest_raw},
                "tester",
            )
            yield requests

    async def turn(self) -> ScanResult:
        """Look, scan, and do every fetch job that is due."""
        await self.discovery.look()
        result = await scan_archives(self.database, self.archives, Outbox())
        await self.work(Stage.FETCH)
        return result

    async def work(self, stage: Stage) -> None:
        """Do every job of a stage that is due."""
        for job in await self.jobs(stage):
            if job.state is JobState.QUEUED:
                await self.runner.run(job.id)

    async def settle(self, calibrations: int = 1) -> None:
        """Take turns until there is a calibration, and one more."""
        for _ in range(_ROUNDS):
            await self.turn()
            if len(await self.jobs(Stage.CALIBRATE)) >= calibrations:
                break
        await self.turn()

    async def turn_until_missing(self, names: list[str]) -> None:
        """Take turns until that is missing: the stand-in sees a changed folder after a while."""
        query = select(Dataset.missing).where(Dataset.rootname == ROOT)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                await self.turn()
                async with self.database.session() as session:
                    if (await session.execute(query)).scalar() == names:
                        return

    async def settle_ingested(self, datasets: int) -> None:
        """Take turns, of the ingestor too, until so many datasets are ingested, and one more."""
        query = select(func.count()).where(Dataset.state == DatasetState.INGESTED)
        for _ in range(_ROUNDS):
            await self.turn()
            await self.work(Stage.INGEST_RAW)
            async with self.database.session() as session:
                if (await session.execute(query)).scalar_one() >= datasets:
                    break
        await self.turn()

    async def jobs(self, stage: Stage) -> list[Job]:
        """List the jobs of a stage, the oldest first."""
        async with self.database.session() as session:
            query = select(Job).where(Job.stage == stage).order_by(Job.id)
            return list((await session.execute(query)).scalars())

    async def events(self, name: str) -> list[dict[str, Any]]:
        """List the details of the events of a name, the oldest first."""
        async with self.database.session() as session:
            query = select(Event.detail).where(Event.name == name).order_by(Event.id)
            return list((await session.execute(query)).scalars())

    async def dataset(self) -> Dataset:
        """Return the association."""
        async with self.database.session() as session:
            query = select(Dataset).where(Dataset.rootname == ROOT)
            return (await session.execute(query)).scalar_one()

    async def files(self, *, current: bool = True) -> dict[str, str]:
        """Return SHA-256 of the raw files by name."""
        async with self.database.session() as session:
            query = select(File.name, File.sha256).where(File.current == current)
            return {row.name: row.sha256 for row in await session.execute(query)}

    def served_files(self) -> dict[str, str]:
        """Return SHA-256 of the files that the archive has by name."""
        return {path.name: sha256_of(path) for path in self.folder.glob("*.fits")}
