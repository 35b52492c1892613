"""From claimed job to recorded run, on a real Postgres, a real store and the real CalCOS."""

import asyncio
import itertools
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import select

from services.calibrator.acceleration import NAMES
from services.calibrator.installed import publish_installed
from services.calibrator.recalibration import RecalibrationService
from services.calibrator.service import CalibrationService
from shared.calcos_version import publish_calcos_version
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.operations import Event, File, Run
from shared.errors import OutageError, PermanentError, TransientError
from shared.jobs.claims import ClaimedJob
from shared.settings import CalibratorSettings, ReferenceSettings
from shared.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

Claim = Any
MakeService = Callable[..., CalibrationService]


@pytest.fixture
def store_disk(small_disk: Callable[[str], Path]) -> Path:
    """Disk of the store, with room for the raw files and a few products."""
    return small_disk("12m")


@pytest.fixture
def make_service(
    database: Database, data_dir: Path, reference_cache: Path, store_disk: Path, tmp_path: Path
) -> MakeService:
    """Maker of the service with its real references, and settings as given."""

    def make(folder: Path = data_dir / "references", **settings: Any) -> CalibrationService:
        chosen = CalibratorSettings(**({"scratch": tmp_path / "scratch"} | settings))
        references = ReferenceSettings(folder=folder, cache=reference_cache)
        store = Store(f"file://{store_disk}/store")
        return CalibrationService(database, store, chosen, references)

    return make


@pytest.fixture
async def job(
    database: Database, claim_new: Claim, small_files: dict[str, Path], store_disk: Path
) -> ClaimedJob:
    """Claimed calibration of the first exposure of the real association, whose files are in the
    store.
    """
    store = Store(f"file://{store_disk}/store")
    claimed: ClaimedJob = await claim_new("ldfd01010")
    async with database.transaction() as session:
        detail = {"accepted_missing": ["ldfd01vpq_rawtag_a.fits"]}
        session.add(Event(name="dataset.fetched", dataset_id=claimed.dataset_id, detail=detail))
        for path in small_files.values():
            stored, name = store.publish(path, "raw/ldfd01010"), parse_name(path.name)
            file = File(
                dataset_id=claimed.dataset_id,
                origin="raw",
                path=stored.path,
                name=stored.name,
                suffix=name.suffix,
                rootname=name.rootname,
                size=stored.size,
                sha256=stored.sha256,
            )
            session.add(file)
    return claimed


async def runs(database: Database) -> list[Run]:
    async with database.session() as session:
        return list((await session.execute(select(Run).order_by(Run.id))).scalars())


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)


async def test_a_recipe_is_refused_where_the_default_run_was_good(
    database: Database, make_service: MakeService, job: ClaimedJob
) -> None:
    async def refusal(recipe: dict[str, Any]) -> PermanentError:
        asked = replace(job, payload={"recipe": recipe, "dry_run": True})
        with pytest.raises(PermanentError) as caught:
            await RecalibrationService(make_service()).recalibrate(asked)
        return caught.value

    missing = {"references": {"FLATFILE": "nosuch_flat.fits"}}
    unfit = {"members": {"drop": [f"ldfd01v{letter}q" for letter in "nprt"]}}
    # Of a dataset that nobody calibrated yet, only what is wrong with the recipe alone is known to
    # be its fault.
    assert ((await refusal(missing)).kind, (await refusal(unfit)).kind) == ("permanent", "refused")
    async with database.transaction() as session:
        good = Run(
            dataset_id=job.dataset_id,
            job_id=job.id,
            attempt=1,
            calcos_version="3.6.2",
            inputs={},
            references={},
            switches={},
            randseeds={},
            wall_seconds=1.0,
            cpu_seconds=1.0,
            peak_rss_mb=1.0,
            trailer="",
        )
        session.add(good)
    assert ((await refusal(missing)).kind, (await refusal(unfit)).kind) == ("refused", "refused")
    assert "nosuch_flat.fits" in str(await refusal(missing))


async def test_run_out_of_memory_is_recorded(
    database: Database, make_service: MakeService, job: ClaimedJob
) -> None:
    with pytest.raises(TransientError, match="MEMORY_LIMIT"):
        await make_service(memory_limit_mb=400).calibrate(job)
    (failed,) = await runs(database)
    assert (failed.current, failed.path, failed.exit_status, failed.attempt) == (
        False,
        None,
        None,
        1,
    )
    assert "MemoryError" in (failed.error or "")
    assert "CALCOS" in failed.trailer
    assert failed.references["23n1744jl_lamp.fits"]["keyword"] == "LAMPTAB"
    assert failed.wall_seconds > 0
    assert failed.peak_rss_mb > 50


async def test_good_run_after_one_that_filled_the_store(
    database: Database, make_service: MakeService, job: ClaimedJob, store_disk: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutageError, match="free space"):
        await make_service().calibrate(job)
    (failed,) = await runs(database)
    assert (failed.current, failed.path, failed.exit_status) == (False, None, 0)
    assert "did not take" in (failed.error or "")
    assert not list((store_disk / "store").glob("products/*/*"))

    await asyncio.to_thread(grow, store_disk)
    completion = await make_service(acceleration_without="two_zone").calibrate(job)
    async with database.transaction() as session:
        await completion.apply(session)
    _, run = await runs(database)
    assert (run.current, run.exit_status, run.signal, run.error, run.calcos_version) == (
        True,
        0,
        None,
        None,
        "3.6.2",
    )
    assert run.randseeds == {"ldfd01vnq_rawtag_a.fits": 1}
    assert run.switches["ldfd01vnq_rawtag_a.fits"]["WAVECORR"] == "PERFORM"
    assert run.inputs.keys() == {
        "ldfd01010_asn.fits",
        "ldfd01vnq_rawtag_a.fits.gz",
        "ldfd01vnq_spt.fits.gz",
    }
    assert run.switches["acceleration"] == dict.fromkeys(NAMES, "PERFORM") | {"two_zone": "OMIT"}
    assert run.warnings == ["ldfd01vpq_rawtag_a.fits was missing and is left out"]
    assert "CALCOS" in run.trailer
    assert run.cpu_seconds > 1
    assert run.peak_rss_mb > 200
    async with database.session() as session:
        found = select(File).where(File.origin == "product", File.current)
        files = {file.name: file for file in (await session.execute(found)).scalars()}
    kinds = ("corrtag_a", "counts_a", "flt_a", "lampflash", "x1d")
    promised = {f"ldfd01vnq_{kind}.fits.gz" for kind in kinds} | {
        "ldfd01010_x1dsum.fits.gz",
        "ldfd01010_x1dsum1.fits.gz",
    }
    assert promised <= files.keys()
    assert {file.run_id for file in files.values()} == {run.id}
    products = store_disk / "store" / (run.path or "")
    assert {path.name: path.stat().st_size for path in products.iterdir()} == {
        n: f.size for n, f in files.items()
    }
    assert list((tmp_path / "scratch").iterdir()) == []

    completion.discard()
    assert not products.exists()


async def test_run_that_is_stopped_or_too_slow_is_recorded(
    database: Database, make_service: MakeService, job: ClaimedJob
) -> None:
    with pytest.raises(TransientError, match="longer than"):
        await make_service(wall_limit_seconds=0.5).calibrate(job)
    task = asyncio.create_task(make_service().calibrate(job))
    while not children():  # noqa: ASYNC110 - what is waited for is another process
        await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow, stopped = await runs(database)
    assert "longer than" in (slow.error or "")
    assert slow.wall_seconds >= 0.5
    assert (stopped.signal, stopped.exit_status) == ("SIGKILL", None)
    assert "stopped" in (stopped.error or "")
    assert children() == []


@pytest.mark.parametrize("folder", ["of CalCOS", "of the service"])
async def test_good_run_that_is_stopped_while_its_scratch_is_removed_is_recorded(
    database: Database,
    make_service: MakeService,
    job: ClaimedJob,
    store_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
) -> None:
    await asyncio.to_thread(grow, store_disk)
    removals = itertools.count(1)
    last = {"of CalCOS": 1, "of the service": 2}[folder]
    loop, removing = asyncio.get_running_loop(), asyncio.Event()
    remove = shutil.rmtree

    def slowly(path: Path, **options: Any) -> None:
        if next(removals) == last:
            loop.call_soon_threadsafe(removing.set)
            time.sleep(0.2)
        remove(path, **options)

    monkeypatch.setattr("services.calibrator.run.workspace.shutil.rmtree", slowly)
    task = asyncio.create_task(make_service().calibrate(job))
    await removing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (stopped,) = await runs(database)
    assert (stopped.exit_status, stopped.current, stopped.path) == (0, False, None)
    assert "stopped" in (stopped.error or "")
    assert not list((store_disk / "store").glob("products/*/*"))


def children() -> list[Any]:
    """Find CalCOS runs: grandchildren, below the template."""
    return [
        run
        for template in psutil.Process().children()
        if "forkserver" in " ".join(template.cmdline())
        for run in template.children()
    ]


async def test_a_calibrator_gives_way_to_one_with_another_calcos_that_started_later(
    database: Database, make_service: MakeService, job: ClaimedJob
) -> None:
    await publish_installed(database)
    async with database.transaction() as session:
        await publish_calcos_version(session, "99.0.0")
    with pytest.raises(OutageError, match=r"one that started later has 99\.0\.0"):
        await make_service().calibrate(job)
    assert await runs(database) == []


async def test_refused_before_the_run_leaves_no_record(
    database: Database, make_service: MakeService, job: ClaimedJob, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match="is not in"):
        await make_service(tmp_path).calibrate(job)
    assert await runs(database) == []
