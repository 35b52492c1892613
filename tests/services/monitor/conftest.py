"""The application on a real database and a store of real files."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from astropy.io import fits
from fastapi import FastAPI
from sqlalchemy import func

from services.monitor.web.app import create_app
from shared.database.engine import Database
from shared.database.models.operations import (
    Attempt,
    Dataset,
    DatasetState,
    File,
    Job,
    JobState,
    Scan,
    Stage,
)
from shared.database.models.science import Header, Lampflash
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.sequencer import place_events
from shared.settings import Settings
from shared.store import Store
from tests.services.monitor.made_up_monitor import bench, rates  # noqa: F401 - fixtures
from tests.services.monitor.web.two_runs import add_run, events, spectrum

TOKEN = "correct horse"
ASIDE = {"calibrated products": {"count": 2, "names": ["ldfd01vnq_x1d.fits", "ldfd01vpq_x1d.fits"]}}


@dataclass
class SeededDatabase:
    """What the tests know of the database: ids of a file and of a failed job."""

    database: Database
    settings: Settings
    spectrum_file: int
    failed_job: int
    content: bytes


def _spectrum(path: Path) -> None:
    """Write an x1dsum of two segments; its first flux is NaN, its last point may not be used."""
    wave = np.array([np.linspace(1290, 1430, 50), np.linspace(1130, 1270, 50)])
    flux = np.full((2, 50), 2e-14)
    flux[0, 0] = np.nan
    weight = np.ones((2, 50))
    weight[:, -1] = 0
    columns = [
        fits.Column("SEGMENT", "4A", array=["FUVA", "FUVB"]),
        fits.Column("WAVELENGTH", "50D", unit="Angstrom", array=wave),
        fits.Column("FLUX", "50E", array=flux),
        fits.Column("ERROR", "50E", array=flux / 10),
        fits.Column("DQ_WGT", "50E", array=weight),
    ]
    plain = path.with_suffix("")
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="SCI")]).writeto(
        plain
    )
    path.write_bytes(gzip.compress(plain.read_bytes()))


@pytest.fixture
async def seeded(database: Database, tmp_path: Path) -> SeededDatabase:
    """One ingested association, one failed acquisition, one incomplete association."""
    store = Store(f"file://{tmp_path}/store")
    product = tmp_path / "ldfd01010_x1dsum.fits.gz"
    _spectrum(product)
    stored = store.publish(product, "products/ldfd01010/run1")
    async with database.transaction() as session:
        done = Dataset(rootname="ldfd01010", kind="association", members=["ldfd01vnq"])
        bad = Dataset(rootname="ldfd01vlq", kind="acquisition")
        waiting = Dataset(
            rootname="ldfd02010", kind="association", missing=["ldfd02aaq_rawtag_a.fits"]
        )
        waiting.left_aside = {
            "ldfd02abq": "ldfd02010_asn.fits says that it is not present (MEMPRSNT)"
        }
        session.add(
            Scan(
                source="https://u:hush@host/raw",
                files=9,
                changed=0,
                datasets=3,
                left_aside=ASIDE,
                started_at=func.now(),
            )
        )
        session.add_all([done, bad, waiting])
        await session.flush()
        shared = {"dataset_id": done.id, "current": True, "shown": True}
        summed = File(
            **shared,
            origin="product",
            path=stored.path,
            name=stored.name,
            rootname="ldfd01010",
            suffix="x1dsum",
            size=stored.size,
            sha256=stored.sha256,
        )
        raw = File(
            **shared,
            origin="raw",
            path="raw/gone",
            name="ldfd01vnq_rawtag_a.fits",
            rootname="ldfd01vnq",
            suffix="rawtag_a",
            size=10,
            sha256="0" * 64,
            problems=[
                "ldfd01vnq_rawtag_a.fits: EVENTS: EXPTIME is '<long>' where a number belongs"
            ],
        )
        old = File(
            dataset_id=done.id,
            origin="product",
            path="products/old",
            name="ldfd01010_x1dsum.fits.gz",
            rootname="ldfd01010",
            suffix="x1dsum",
            size=1,
            sha256="1" * 64,
            current=False,
        )
        failed = Job(
            stage=Stage.FETCH,
            dataset_id=bad.id,
            fingerprint="f",
            queue="fetch",
            state=JobState.FAILED,
            attempts=1,
            error_kind="permanent",
            error="<b>truncated</b>: 100 of 2880 bytes",
        )
        session.add_all([summed, raw, old, failed])
        await session.flush()
        session.add(Attempt(job_id=failed.id, number=1, worker="w", outcome="failed"))
        for number in range(7):
            exptime = None if number == 6 else float("nan") if number == 5 else 100.0 * number
            session.add(
                Header(
                    file_id=raw.id,
                    rootname=f"ldfd01v{number}q",
                    preferred=True,
                    exptime=exptime,
                    segment="FUVA",
                    proposid=None if number == 3 else 14910,
                    targname=None if number == 2 else 'Å 16, "b"',
                )
            )
        session.add(Header(file_id=old.id, rootname="ldfd01old", preferred=True, exptime=1.0))
        session.add_all(
            Lampflash(
                file_id=raw.id,
                rootname="ldfd01vnq",
                segment="FUVA",
                flash=flash,
                found=found,
                time=None,
            )
            for flash, found in enumerate((True, False, None), 1)
        )
        await record_event(session, done.id, NewEvent(EventName.DATASET_INGESTED), Outbox())
        await session.flush()
        done.state, bad.state, bad.reason = DatasetState.INGESTED, DatasetState.FAILED, "truncated"
        ids = summed.id, failed.id
    await place_events(database)
    settings = Settings(
        database_url=database.url,
        store_url=store.url,
        api={"tokens": {"operator": TOKEN, "unset": ""}, "hosts": ["cosmo"]},
    )
    return SeededDatabase(database, settings, *ids, product.read_bytes())


@pytest.fixture
async def app(seeded: SeededDatabase) -> AsyncIterator[FastAPI]:
    """Application, started."""
    app = create_app(seeded.settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def web(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Client of the application that sends no token."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cosmo") as client:
        yield client


@pytest.fixture
async def runs(seeded: SeededDatabase, tmp_path: Path) -> list[int]:
    """Two runs with both segments of an exposure, one that has FUVB only, and no spectrum, one with
    FUVA's spectrum.
    """
    made = []
    for number in range(4):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        if number != 2:
            spectrum(folder / "ldfd01vnq_x1d.fits", 5.0 * number, 1 if number == 3 else 2)
        if number < 2:
            events(folder / "ldfd01vnq_corrtag_a.fits", "FUVA")
        if number < 3:
            events(folder / "ldfd01vnq_corrtag_b.fits", "FUVB")
        made.append(await add_run(seeded, sorted(folder.iterdir())))
    return made


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """Address at which the application is served, for the client and the commands."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await task
