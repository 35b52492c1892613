"""Calibration of a dataset.

Its inputs from the database and the store, its products and its record back to them.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.calibrator.acceleration import left_out
from services.calibrator.installed import INSTALLED
from services.calibrator.records import record_failure, run_record
from services.calibrator.run.calibrate import CalibrationResult, calibrate, dry_run
from services.calibrator.run.cpu_share import usable_processes
from services.calibrator.run.preparation import CalibrationRequest, Prepared
from services.calibrator.run.products import Product
from services.calibrator.run.references import ReferenceFolder
from services.calibrator.run.workspace import Workspace, keep_workspace
from services.calibrator.sweep import product_folder
from shared.calcos_version import read_calcos_version
from shared.cos.names import JITTER
from shared.database.engine import Database
from shared.database.models.operations import Event, File, Job, Run, Stage
from shared.database.models.references import UploadedReference
from shared.errors import OutageError
from shared.events import EventName
from shared.files import file_row
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.inputs import product_ingest_inputs
from shared.jobs.runner import Completion
from shared.logs import get_logger
from shared.recalibrations import make_current
from shared.recipes import Recipe
from shared.remote_references import open_references
from shared.settings import CalibratorSettings, ReferenceSettings
from shared.store import Store, StoredFile

__all__ = ["CalibrationService", "FinishedRun"]

_STORE_SECONDS = 180.0
"""For which a run that is done waits for an object store that is away, before all of it is done
again.
"""

_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class FinishedRun:
    """A run that went well and is in the store.

    Attributes
    ----------
    run
        Its record, not yet written; it is not the current one.
    result
        What is known of it beside.
    products, extras
        Its files in the store.
    discard
        Removes these.
    """

    run: Run
    result: CalibrationResult
    products: Sequence[StoredFile]
    extras: Sequence[StoredFile]
    discard: Callable[[], None]

    async def write(self, session: AsyncSession) -> None:
        """Record the run and its files, none of which is current."""
        session.add(self.run)
        await session.flush()
        dataset, of_run = self.run.dataset_id, {"run_id": self.run.id, "current": False}
        for file in self.products:
            session.add(file_row(file, dataset, "product", **of_run))
        for file in self.extras:
            suffix = file.name.split(".")[0].partition("_")[2]
            session.add(file_row(file, dataset, "extra", suffix=suffix, **of_run))
        await session.flush()


@dataclass(frozen=True)
class _Inputs:
    """Current inputs of a dataset, what an operator accepted to be missing, and the source that
    they are from.
    """

    files: Sequence[File]
    accepted_missing: Sequence[str]
    source: str | None

    @property
    def recorded(self) -> tuple[Sequence[File], Sequence[str]]:
        """What the record of a run keeps."""
        return self.files, self.accepted_missing


class CalibrationService:
    """Calibrates datasets.

    Parameters
    ----------
    database
        Database.
    store
        Where raw files come from and products go.
    settings
        Scratch, limits and policies.
    references
        Where the reference files are.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        settings: CalibratorSettings,
        references: ReferenceSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._calcos_version = INSTALLED
        self._without = left_out(settings.acceleration, settings.acceleration_without)
        self._references = ReferenceFolder(
            open_references(references), references.cache, self._calcos_version, references.crds
        )

    async def calibrate(self, job: ClaimedJob) -> Completion:
        """Calibrate a dataset as its headers say.

        Raises
        ------
        CosmoError
            As `perform`.
        """
        done = await self.perform(job)

        async def apply(session: AsyncSession) -> None:
            await done.write(session)
            await make_current(session, done.run)

        products = {file.name: file.sha256 for file in done.products}
        detail: dict[str, Any] = {
            "products": products,
            "calcos_version": self._calcos_version,
            "wall_seconds": round(done.run.wall_seconds, 3),
            "accepted_missing": done.run.accepted_missing,
            "notes": list(done.result.notes),
            "warnings": list(done.result.warnings),
            "depends_on": {Stage.INGEST_PRODUCTS: product_ingest_inputs(products, done.run.path)},
        }
        return Completion(NewEvent(EventName.DATASET_CALIBRATED, detail), apply, done.discard)

    async def is_calibrated(self, job: ClaimedJob) -> bool:
        """Tell whether the newest run of a job's dataset without a recipe was good."""
        newest = select(Run.error).join(Job, Job.id == Run.job_id).order_by(Run.id.desc()).limit(1)
        async with self._database.session() as session:
            mine = newest.where(Run.dataset_id == job.dataset_id, Job.stage == Stage.CALIBRATE)
            return (await session.execute(mine)).all() == [(None,)]

    async def dry_run(self, job: ClaimedJob, recipe: Recipe) -> Prepared:
        """Do what comes before a run with a recipe, and no more.

        Raises
        ------
        CosmoError
            As `perform` would before it starts CalCOS.
        """
        await self._check_version()
        inputs = await self._inputs(job, recipe)
        async with keep_workspace(
            self._settings.scratch, f"{job.subject_name}-{job.id}"
        ) as workspace:
            return await asyncio.to_thread(
                dry_run, await self._request(job, inputs, workspace, recipe)
            )

    async def perform(self, job: ClaimedJob, recipe: Recipe | None = None) -> FinishedRun:
        """Run CalCOS on a dataset.

        What it left is in the store, and the record of the run not yet written.

        Parameters
        ----------
        job
            Job that the run belongs to.
        recipe
            How it differs from the default; None for the default run.

        Raises
        ------
        PermanentError
            If the inputs are incomplete, a reference is missing, CalCOS fails on them or leaves
            products out.
        TransientError
            If the run was killed, or ran out of memory, disk or time.
        UnsupportedError
            If there is nothing to calibrate.
        OutageError
            If a calibrator with another CalCOS started later, so that what is made with this one
            would be taken for that one's.
        """
        await self._check_version()
        inputs = await self._inputs(job, recipe)
        token = uuid.uuid4().hex[:8]
        folder = product_folder(job, token)
        label = f"{job.subject_name}-{job.id}"
        with structlog.contextvars.bound_contextvars(run=token):
            records: list[CalibrationResult] = []
            try:
                async with keep_workspace(self._settings.scratch, label) as workspace:
                    request = await self._request(job, inputs, workspace, recipe)
                    result = await calibrate(request, records.append)
                    get_logger().info(
                        "CalCOS ended", seconds=round(result.run.wall_seconds, 3), folder=folder
                    )
                    if result.run.skipped:
                        get_logger().warning(
                            "some accelerations of CalCOS are not used", **result.run.skipped
                        )
                    products = await self._publish(result.products, folder)
                    extras = await self._publish(result.extras, folder)
            except BaseException as error:
                # What a full store took of it must not be in the way of the next attempt.
                with contextlib.suppress(OutageError):  # a sweep removes it
                    await asyncio.to_thread(self._store.remove, folder)
                for record in records:
                    failed = run_record(job, self._calcos_version, *inputs.recorded, record)
                    await record_failure(self._database, failed, error)
                raise

        run = run_record(job, self._calcos_version, *inputs.recorded, result)
        run.path = folder
        return FinishedRun(run, result, products, extras, lambda: self._store.remove(folder))

    async def _check_version(self) -> None:
        """Leave the work to the calibrators that started last, if they have another CalCOS."""
        async with self._database.session() as session:
            newest = await read_calcos_version(session)
        if newest not in (None, self._calcos_version):
            raise OutageError(
                f"this calibrator has CalCOS {self._calcos_version}, and one that started later "
                f"has {newest}: stop the calibrators of one of the two versions"
            )

    async def _request(
        self, job: ClaimedJob, inputs: _Inputs, workspace: Workspace, recipe: Recipe | None
    ) -> CalibrationRequest:
        uploaded = await self._uploaded(recipe, workspace)
        return CalibrationRequest(
            label=job.subject_name,
            raw=await asyncio.to_thread(self._fetch, inputs.files, workspace.root / "fetched"),
            products=workspace.packed,
            references=self._references.for_run(inputs.source, uploaded),
            scratch=workspace.root,
            accepted_missing=frozenset(inputs.accepted_missing),
            randseed=self._settings.randseed,
            memory_limit_mb=self._settings.run_memory_mb,
            wall_limit_seconds=self._settings.wall_limit_seconds,
            keep=self._settings.keep,
            without=self._without,
            processes=await usable_processes(self._database, self._settings.processes),
            recipe=recipe,
        )

    async def _inputs(self, job: ClaimedJob, recipe: Recipe | None) -> _Inputs:
        """Find the current inputs, those that a recipe adds among them, and what an operator
        accepted to be missing.
        """
        wavecals = recipe.members.wavecals if recipe else ()
        events = recipe.members.calibrated if recipe else None
        async with self._database.session() as session:
            own = File.dataset_id == job.dataset_id
            raw = or_(own, File.rootname.in_(wavecals) & (File.suffix != "asn")) & (
                File.origin == "raw"
            )
            product = own & (File.origin == "product") & File.name.in_([events, f"{events}.gz"])
            rows = await session.execute(
                select(File)
                .where(or_(raw, product) if events else raw, File.current)
                .order_by(File.name)
            )
            fetched = await session.execute(
                select(Event.detail)
                .where(Event.dataset_id == job.dataset_id, Event.name == EventName.DATASET_FETCHED)
                .order_by(Event.id.desc())
                .limit(1)
            )
            detail = fetched.scalar_one()
            files = [file for file in rows.scalars() if file.suffix not in JITTER]
            return _Inputs(files, list(detail["accepted_missing"]), detail.get("source"))

    async def _uploaded(self, recipe: Recipe | None, workspace: Workspace) -> dict[str, Path]:
        """Fetch the uploaded references that a recipe names."""
        names = recipe.files() if recipe else set()
        query = select(UploadedReference).where(UploadedReference.name.in_(names))
        async with self._database.session() as session:
            uploads = list((await session.execute(query)).scalars()) if names else []
        folder = workspace.root / "uploaded"
        return {
            upload.name: await asyncio.to_thread(
                self._store.fetch, f"{upload.path}/{upload.name}", folder
            )
            for upload in uploads
        }

    def _fetch(self, files: Sequence[File], folder: Path) -> dict[str, Path]:
        return {
            file.name: self._store.fetch(f"{file.path}/{file.name}", folder / str(file.id))
            for file in files
        }

    async def _publish(self, files: Sequence[Product], folder: str) -> list[StoredFile]:
        """Publish files.

        An object store that is away for a moment does not cost a run that took minutes. A folder
        that takes nothing is full, which is reported at once.

        Raises
        ------
        OutageError
            If the store does not take them.
        """
        clock = asyncio.get_running_loop().time
        stored, end = list[StoredFile](), clock() + _STORE_SECONDS
        while len(stored) < len(files):
            file = files[len(stored)]
            try:
                stored.append(
                    await asyncio.to_thread(self._store.publish, file.path, folder, file.sha256)
                )
            except OutageError as error:
                if self._store.is_local or clock() > end:
                    raise
                get_logger().warning("not stored; tried again", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        return stored
