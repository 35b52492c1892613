"""Recalibration of a dataset with a recipe; its products stand beside the default ones."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.calibrator.recipes.edits.changes import describe
from services.calibrator.records import reference_record
from services.calibrator.service import CalibrationService
from shared.database.models.calibrations import Calibration
from shared.errors import PermanentError, RefusedError
from shared.events import EventName
from shared.jobs.claims import ClaimedJob
from shared.jobs.events import NewEvent
from shared.jobs.runner import Completion
from shared.recipes import Recipe, parse_recipe

__all__ = ["RecalibrationService"]


class RecalibrationService:
    """Recalibrates datasets.

    Parameters
    ----------
    calibrations
        Runs CalCOS.
    """

    def __init__(self, calibrations: CalibrationService) -> None:
        self._calibrations = calibrations

    async def recalibrate(self, job: ClaimedJob) -> Completion:
        """Run a recipe, or only prepare its run.

        Raises
        ------
        RefusedError
            If the recipe does not fit the dataset, or the dataset is calibrated well without it.
        PermanentError
            For what `CalibrationService.perform` says, of a dataset that is not.
        TransientError
            If the run was killed, or ran out of memory, disk or time.
        UnsupportedError
            If there is nothing to calibrate.
        """
        recipe = parse_recipe(job.payload["recipe"])
        try:
            return await (
                self._rehearse(job, recipe) if job.payload["dry_run"] else self._run(job, recipe)
            )
        except RefusedError:
            raise
        except PermanentError as error:
            if await self._calibrations.is_calibrated(job):
                raise RefusedError(str(error)) from error
            raise

    async def _rehearse(self, job: ClaimedJob, recipe: Recipe) -> Completion:
        prepared = await self._calibrations.dry_run(job, recipe)
        found = {
            "changes": describe(prepared.changes),
            "references": reference_record(prepared.references),
            "warnings": list(prepared.warnings),
        }

        async def apply(session: AsyncSession) -> None:
            await _write(session, job, found)

        return Completion(
            NewEvent(EventName.CALIBRATION_REHEARSED, {"changes": len(prepared.changes)}), apply
        )

    async def _run(self, job: ClaimedJob, recipe: Recipe) -> Completion:
        done = await self._calibrations.perform(job, recipe)
        found: dict[str, Any] = {
            "changes": describe(done.result.changes),
            "references": reference_record(done.result.references),
            "warnings": list(done.result.warnings),
        }

        async def apply(session: AsyncSession) -> None:
            await done.write(session)
            await _write(session, job, {**found, "run_id": done.run.id})

        detail = {
            "products": {file.name: file.sha256 for file in done.products},
            "wall_seconds": round(done.run.wall_seconds, 3),
            "warnings": found["warnings"],
        }
        return Completion(NewEvent(EventName.CALIBRATION_DONE, detail), apply, done.discard)


async def _write(session: AsyncSession, job: ClaimedJob, values: dict[str, Any]) -> None:
    await session.execute(update(Calibration).where(Calibration.job_id == job.id).values(**values))
