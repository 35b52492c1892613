"""Recalibrations: lists of them, and one with its files."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.errors import NotFoundError
from services.monitor.queries.files import DatasetFile, extra_file
from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.calibrations import CalibrationDetail, CalibrationRecord
from services.monitor.response_models.files import RunFileRecord
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import Dataset, File, Job, JobState, Run

__all__ = [
    "calibrations_by_run",
    "describe_calibration",
    "export_file",
    "find_calibration",
    "is_current",
    "light_curve_file",
    "list_calibrations",
    "load_calibration",
]

_STATES = {JobState.DROPPED: "cancelled", JobState.SKIPPED: "failed"}
"""States of recalibrations that are called otherwise than those of their jobs."""

_RECORDS = (
    select(
        Dataset.rootname,
        Calibration.id,
        Calibration.job_id,
        Calibration.run_id,
        Calibration.recipe,
        Calibration.dry_run,
        Calibration.requested_by,
        Calibration.changes,
        Calibration.references,
        Calibration.warnings,
        Job.state,
        Job.error,
        Job.error_kind,
        Calibration.promoted_by,
        Calibration.created_at,
        Job.finished_at,
        Calibration.promoted_at,
    )
    .join(Job, Job.id == Calibration.job_id)
    .join(Dataset, Dataset.id == Calibration.dataset_id)
)


def _record(row: Row[*tuple[Any, ...]]) -> CalibrationRecord:
    state = _STATES.get(row.state, row.state.value)
    return CalibrationRecord.model_validate({**row._mapping, "state": state})


def _unknown(calibration_id: int) -> NotFoundError:
    message = f"no calibration {calibration_id}; /api/v1/calibrations lists those that there are"
    return NotFoundError("unknown_calibration", message)


async def load_calibration(session: AsyncSession, calibration_id: int) -> Calibration:
    """Load the row of a recalibration for what changes it.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = await session.get(Calibration, calibration_id)
    if found is None:
        raise _unknown(calibration_id)
    return found


async def find_calibration(session: AsyncSession, calibration_id: int) -> CalibrationRecord:
    """Find a recalibration.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    query = _RECORDS.where(Calibration.id == calibration_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise _unknown(calibration_id)
    return _record(row)


async def describe_calibration(session: AsyncSession, calibration_id: int) -> CalibrationDetail:
    """Describe a recalibration with the files of its run.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = await find_calibration(session, calibration_id)
    files: list[RunFileRecord] = []
    if found.run_id is not None:
        query = (
            select(File).where(File.run_id == found.run_id).order_by(File.origin.desc(), File.name)
        )
        rows = (await session.execute(query)).scalars()
        files = [RunFileRecord.model_validate(file) for file in rows]
    return CalibrationDetail(**dict(found), files=files)


async def list_calibrations(
    session: AsyncSession, dataset_id: int | None, limit: int, cursor: str | None = None
) -> Records[CalibrationRecord]:
    """List a page of recalibrations, of a dataset or of all, newest first."""
    query = _RECORDS.order_by(Calibration.id.desc())
    if dataset_id is not None:
        query = query.where(Calibration.dataset_id == dataset_id)
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Calibration.id < after[0])
    rows, more = split((await session.execute(query.limit(limit + 1))).all(), limit)
    return Records([_record(row) for row in rows], encode_cursor((rows[-1].id,)) if more else None)


async def calibrations_by_run(session: AsyncSession, dataset_id: int) -> dict[int, int]:
    """Map the runs of a dataset that are recalibrations to the numbers of these."""
    query = select(Calibration.run_id, Calibration.id).where(
        Calibration.dataset_id == dataset_id, Calibration.run_id.is_not(None)
    )
    return {run_id: number for run_id, number in await session.execute(query) if run_id is not None}


async def is_current(session: AsyncSession, calibration: CalibrationRecord) -> bool:
    """Say whether the products of a recalibration are the current ones of its dataset."""
    query = select(Run.current).where(Run.id == calibration.run_id)
    return bool((await session.execute(query)).scalar_one_or_none())


async def export_file(session: AsyncSession, calibration: CalibrationRecord) -> DatasetFile:
    """Find the archive with what reproduces the run of a recalibration.

    Raises
    ------
    NotFoundError
        If it has none.
    """
    run_id = calibration.run_id
    file = await extra_file(session, run_id, "export") if run_id is not None else None
    if file is None:
        message = (
            f"calibration {calibration.id} is {calibration.state}: only a run that is done has an "
            "export"
        )
        raise NotFoundError("no_export", message)
    return file


async def light_curve_file(session: AsyncSession, calibration: CalibrationRecord) -> DatasetFile:
    """Find the light curve of a recalibration.

    Raises
    ------
    NotFoundError
        If it has none.
    """
    run_id = calibration.run_id
    file = await extra_file(session, run_id, "lightcurve") if run_id is not None else None
    if file is None:
        message = (
            f"calibration {calibration.id} has no light curve; a recipe with sub_exposures "
            "leaves one"
        )
        raise NotFoundError("no_light_curve", message)
    return file
