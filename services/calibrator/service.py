"""Calibration of a dataset: its inputs from the database and the store, its products and its record back to them."""

import asyncio
import importlib.metadata
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.calibrator.acceleration import left_out
from services.calibrator.calibrate import CalibrationRequest, CalibrationResult, calibrate, record_of
from services.calibrator.cores import usable_processes
from services.calibrator.references import ReferenceFolder
from services.calibrator.sweep import product_folder
from services.calibrator.workspace import open_workspace
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.operations import Event, File, Run
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion
from shared.logs import get_logger
from shared.settings import CalibratorSettings
from shared.store import Store, StoredFile

__all__ = ["CalibrationService"]

_COMPANIONS = ("jit", "jif")


class CalibrationService:
    """Calibrates datasets.

    Parameters
    ----------
    database
        Database.
    store
        Where raw files come from and products go.
    settings
        References, scratch, limits and policies.
    """

    def __init__(self, database: Database, store: Store, settings: CalibratorSettings) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._calcos_version = importlib.metadata.version("calcos")
        self._without = left_out(settings.acceleration, settings.acceleration_without)
        self._references = ReferenceFolder(settings.references, settings.reference_cache, self._calcos_version)

    async def calibrate(self, job: ClaimedJob) -> Completion:
        """Run CalCOS on a dataset.

        Raises
        ------
        PermanentError
            If the inputs are incomplete, a reference is missing, CalCOS fails on them or leaves products out.
        TransientError
            If the run was killed, or ran out of memory, disk or time.
        UnsupportedError
            If there is nothing to calibrate.
        """
        files, accepted = await self._inputs(job)
        folder = product_folder(job, uuid.uuid4().hex[:8])
        with open_workspace(self._settings.scratch, f"{job.rootname}-{job.id}") as workspace:
            request = CalibrationRequest(
                label=job.rootname,
                raw=await asyncio.to_thread(self._fetch, files, workspace.root / "fetched"),
                products=workspace.packed,
                references=self._references,
                scratch=workspace.root,
                accepted_missing=frozenset(accepted),
                randseed=self._settings.randseed,
                memory_limit_mb=self._settings.memory_limit_mb,
                wall_limit_seconds=self._settings.wall_limit_seconds,
                keep=self._settings.keep,
                without=self._without,
                processes=await usable_processes(self._database, self._settings.processes),
            )
            result: CalibrationResult | None = None
            try:
                result = await calibrate(request)
                if result.run.skipped:
                    get_logger().warning("CalCOS not accelerated as it could be", **result.run.skipped)
                stored = await asyncio.to_thread(self._publish, result, folder)
            except BaseException as error:
                # What a full store took of it must not be in the way of the next attempt.
                await asyncio.to_thread(self._store.remove, folder)
                await self._record_failure(job, files, accepted, record_of(error) or result, error)
                raise

        async def apply(session: AsyncSession) -> None:
            run = self._run(job, files, accepted, result)
            run.path, run.current = folder, True
            await _write(session, run, stored)

        products = {file.name: file.sha256 for file in stored}
        detail: dict[str, Any] = {
            "products": products,
            "calcos_version": self._calcos_version,
            "wall_seconds": round(result.run.wall_seconds, 3),
            "accepted_missing": accepted,
            "notes": list(result.notes),
            "depends_on": {"*": {"products": products, "path": folder}},
        }
        return Completion(NewEvent("dataset.calibrated", detail), apply, lambda: self._store.remove(folder))

    async def _inputs(self, job: ClaimedJob) -> tuple[list[File], list[str]]:
        """Find the current raw files, and what an operator accepted to be missing."""
        async with self._database.session() as session:
            rows = await session.execute(
                select(File)
                .where(File.dataset_id == job.dataset_id, File.origin == "raw", File.current)
                .order_by(File.name)
            )
            fetched = await session.execute(
                select(Event.detail)
                .where(Event.dataset_id == job.dataset_id, Event.name == "dataset.fetched")
                .order_by(Event.id.desc())
                .limit(1)
            )
            accepted = list(fetched.scalar_one()["accepted_missing"])
            return [file for file in rows.scalars() if file.suffix not in _COMPANIONS], accepted

    def _fetch(self, files: Sequence[File], folder: Path) -> dict[str, Path]:
        return {file.name: self._store.fetch(f"{file.path}/{file.name}", folder / str(file.id)) for file in files}

    def _publish(self, result: CalibrationResult, folder: str) -> list[StoredFile]:
        return [self._store.publish(product.path, folder, product.sha256) for product in result.products]

    async def _record_failure(
        self,
        job: ClaimedJob,
        files: Sequence[File],
        accepted: Sequence[str],
        result: CalibrationResult | None,
        error: BaseException,
    ) -> None:
        """Record a run that failed or was stopped, at once: what becomes of its job is another matter."""
        if result is None:
            return
        run = self._run(job, files, accepted, result)
        run.error = str(error) or "stopped, because its worker was"
        try:
            async with self._database.transaction() as session:
                session.add(run)
        except (DBAPIError, OSError) as reason:
            get_logger().warning("run not recorded", error=str(reason), wall_seconds=result.run.wall_seconds)

    def _run(self, job: ClaimedJob, files: Sequence[File], accepted: Sequence[str], result: CalibrationResult) -> Run:
        return Run(
            dataset_id=job.dataset_id,
            job_id=job.id,
            attempt=job.attempt,
            current=False,
            calcos_version=self._calcos_version,
            inputs={file.name: file.sha256 for file in files},
            references={
                reference.name: {"keyword": reference.keyword, "sha256": reference.sha256}
                for reference in result.references
            },
            switches={**result.switches, "acceleration": dict(result.run.acceleration)},
            randseeds=dict(result.randseeds),
            accepted_missing=list(accepted),
            exit_status=result.run.status,
            signal=result.run.signal,
            wall_seconds=result.run.wall_seconds,
            cpu_seconds=result.run.cpu_seconds,
            peak_rss_mb=result.run.peak_rss_mb,
            trailer=result.trailer or result.run.log,
        )


async def _write(session: AsyncSession, run: Run, stored: Sequence[StoredFile]) -> None:
    """Record a run and make its products the current ones."""
    await session.execute(update(Run).where(Run.dataset_id == run.dataset_id).values(current=False))
    await session.execute(
        update(File).where(File.dataset_id == run.dataset_id, File.origin == "product").values(current=False)
    )
    session.add(run)
    await session.flush()
    for file in stored:
        name = parse_name(file.name)
        session.add(
            File(
                dataset_id=run.dataset_id,
                run_id=run.id,
                origin="product",
                path=file.path,
                name=file.name,
                rootname=name.rootname,
                suffix=name.suffix,
                size=file.size,
                sha256=file.sha256,
            )
        )
