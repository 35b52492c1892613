"""Calibration of a dataset: stage, check, run CalCOS, check again, publish."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.calibrator.template import ChildReport, ChildRun
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.operations import Event, File, Run
from shared.errors import PermanentError, UnsupportedError
from shared.fits import check_fits
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion
from shared.settings import CalibratorSettings
from shared.store import Store, StoredFile

__all__ = ["CalibrationService"]

_COMPANIONS = ("jit", "jif")
_NOTHING_TO_DO = 5
"""Status of CalCOS when there is nothing to calibrate."""


@dataclass(frozen=True)
class _Prepared:
    """What a run needs, and what its record keeps."""

    target: Path
    expected: set[str]
    references: dict[str, dict[str, str]]
    switches: dict[str, dict[str, str]]
    randseed: int


@dataclass(frozen=True)
class _Calibrated:
    """Outcome of a run."""

    prepared: _Prepared
    report: ChildReport
    trailer: str
    stored: list[StoredFile]


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
        # astropy comes with it; a worker that only waits for its child does without until the first job.
        from services.calibrator.references import ReferenceFolder

        self._database = database
        self._store = store
        self._settings = settings
        self._references = ReferenceFolder(settings.references, settings.reference_cache)

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
        from services.calibrator.workspace import open_workspace

        files, accepted = await self._inputs(job)
        folder = f"products/{job.rootname}/job{job.id}-{job.attempt}-{job.fingerprint[:8]}"
        with open_workspace(self._settings.scratch, f"{job.rootname}-{job.id}") as workspace:
            prepared = await asyncio.to_thread(self._prepare, workspace.inputs, files, accepted)
            child = ChildRun(
                prepared.target,
                workspace.outdir,
                self._references.cache,
                self._settings.memory_limit_mb,
                self._settings.wall_limit_seconds,
            )
            report = await child.run()
            result = await asyncio.to_thread(self._publish, prepared, report, child, workspace.packed, folder)

        async def apply(session: AsyncSession) -> None:
            await _write(session, job, files, accepted, folder, result)

        products = {file.name: file.sha256 for file in result.stored}
        detail: dict[str, Any] = {
            "products": products,
            "calcos_version": report.calcos_version,
            "wall_seconds": round(report.wall_seconds, 3),
            "accepted_missing": accepted,
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

    def _prepare(self, folder: Path, files: Sequence[File], accepted: Sequence[str]) -> _Prepared:
        from services.calibrator.expectations import expected_products, refuse_incomplete
        from services.calibrator.headers import read_association, read_exposures
        from services.calibrator.workspace import fix_seed, stage

        local = [self._store.fetch(f"{file.path}/{file.name}", folder / ".store" / str(file.id)) for file in files]
        stage(local, [file.name for file in files], folder)
        association, exposures = read_association(folder), read_exposures(folder)
        refuse_incomplete(association, exposures, accepted)
        references = self._references.resolve(exposures)
        seeds = {fix_seed(exposure.path, self._settings.randseed) for exposure in exposures}
        return _Prepared(
            association.path if association else exposures[0].path,
            expected_products(association, exposures),
            {reference.keyword: asdict(reference) for reference in references},
            {exposure.path.name: exposure.switches() for exposure in exposures},
            max(seeds),
        )

    def _publish(
        self, prepared: _Prepared, report: ChildReport, child: ChildRun, packed: Path, folder: str
    ) -> _Calibrated:
        from services.calibrator.products import kept_products, pack

        if report.status == _NOTHING_TO_DO:
            raise UnsupportedError("CalCOS found nothing to calibrate (status 5)")
        trailers = sorted(child.outdir.glob("*.tra"))
        trailer = "\n".join(path.read_text(errors="replace") for path in trailers)
        missing = sorted(name for name in prepared.expected if not (child.outdir / name).is_file())
        if report.status != 0 or missing:
            tail = "\n".join(child.log.read_text(errors="replace").splitlines()[-12:])
            absent = f"; missing products: {', '.join(missing)}" if missing else ""
            raise PermanentError(f"CalCOS ended with status {report.status}{absent}\nthe end of its log:\n{tail}")
        for name in sorted(prepared.expected):
            check_fits(child.outdir / name)
        stored = [
            self._store.publish(path, folder) for path in pack(kept_products(child.outdir, self._settings.keep), packed)
        ]
        return _Calibrated(prepared, report, trailer, stored)


async def _write(
    session: AsyncSession,
    job: ClaimedJob,
    inputs: Sequence[File],
    accepted: Sequence[str],
    folder: str,
    result: _Calibrated,
) -> None:
    """Record the run and make its products the current ones."""
    await session.execute(update(Run).where(Run.dataset_id == job.dataset_id).values(current=False))
    await session.execute(
        update(File).where(File.dataset_id == job.dataset_id, File.origin == "product").values(current=False)
    )
    run = Run(
        dataset_id=job.dataset_id,
        job_id=job.id,
        path=folder,
        calcos_version=result.report.calcos_version,
        inputs={file.name: file.sha256 for file in inputs},
        references=result.prepared.references,
        switches=result.prepared.switches,
        randseed=result.prepared.randseed,
        accepted_missing=list(accepted),
        exit_status=result.report.status,
        wall_seconds=result.report.wall_seconds,
        cpu_seconds=result.report.cpu_seconds,
        peak_rss_mb=result.report.peak_rss_mb,
        trailer=result.trailer,
    )
    session.add(run)
    await session.flush()
    for stored in result.stored:
        name = parse_name(stored.name)
        session.add(
            File(
                dataset_id=job.dataset_id,
                run_id=run.id,
                origin="product",
                path=stored.path,
                name=stored.name,
                rootname=name.rootname,
                suffix=name.suffix,
                size=stored.size,
                sha256=stored.sha256,
            )
        )
