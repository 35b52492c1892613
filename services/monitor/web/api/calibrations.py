"""Recalibrations: asked for, watched, cancelled, promoted and taken home."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.products import light_curves
from services.monitor.queries.datasets import find_dataset
from services.monitor.queries.pages import decode_cursor, split
from services.monitor.tables.columns import choose_format
from services.monitor.tables.writers import render
from services.monitor.web.dependencies import CurrentContext, Operator, Recalibrator, Session
from services.monitor.web.error_responses import ApiError, beyond_quota
from services.monitor.web.file_responses import ContentQuery, serve_content
from services.monitor.web.pagination import page
from services.monitor.web.protection.audit import name_subject
from services.monitor.web.protection.bodies import RequestModel
from shared import recalibrations as calibrations
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import Dataset, File, Job, JobState
from shared.jobs.events import Outbox
from shared.logs import get_logger
from shared.recipes import Recipe, recipe_schema
from shared.reference_digests import reference_digests
from shared.store import StoredFile

__all__ = ["describe_calibration", "find_calibration", "recalibrations_of", "router"]

router = APIRouter(tags=["calibrations"])

_CANCELLED = {JobState.DROPPED: "cancelled", JobState.SKIPPED: "failed"}


class NewCalibration(RequestModel):
    """What to calibrate, and how it differs from the default."""

    rootname: str = Field(description="Dataset, or a member of it")
    recipe: Recipe = Recipe()
    dry_run: bool = Field(False, description="Only list the changes that the recipe makes")


def _describe(calibration: Calibration, job: Job, rootname: str) -> dict[str, Any]:
    names = (
        "id",
        "job_id",
        "run_id",
        "recipe",
        "dry_run",
        "requested_by",
        "changes",
        "references",
        "warnings",
    )
    times = {
        "created_at": calibration.created_at,
        "finished_at": job.finished_at,
        "promoted_at": calibration.promoted_at,
    }
    return {
        "rootname": rootname,
        **{name: getattr(calibration, name) for name in names},
        "state": _CANCELLED.get(job.state, job.state.value),
        "error": job.error,
        "error_kind": job.error_kind,
        "promoted_by": calibration.promoted_by,
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
    }


_EVERYTHING = (
    select(Calibration, Job, Dataset.rootname)
    .join(Job, Job.id == Calibration.job_id)
    .join(Dataset, Dataset.id == Calibration.dataset_id)
)


async def find_calibration(
    session: AsyncSession, calibration_id: int
) -> tuple[Calibration, Job, str]:
    """Find a recalibration, its job, and its dataset's rootname.

    Raises
    ------
    ApiError
        404 if there is none.
    """
    row = (await session.execute(_EVERYTHING.where(Calibration.id == calibration_id))).one_or_none()
    if row is None:
        message = (
            f"no calibration {calibration_id}; /api/v1/calibrations lists those that there are"
        )
        raise ApiError(404, "unknown_calibration", message)
    return row[0], row[1], row[2]


async def describe_calibration(
    session: AsyncSession, calibration: Calibration, job: Job, rootname: str
) -> dict[str, Any]:
    """Describe a recalibration with its files."""
    query = (
        select(File)
        .where(File.run_id == calibration.run_id)
        .order_by(File.origin.desc(), File.name)
    )
    files = list((await session.execute(query)).scalars()) if calibration.run_id else []
    names = ("id", "name", "origin", "suffix", "size", "sha256")
    return {
        **_describe(calibration, job, rootname),
        "files": [{name: getattr(file, name) for name in names} for file in files],
    }


async def recalibrations_of(
    session: AsyncSession, dataset: Dataset, limit: int
) -> list[dict[str, Any]]:
    """List the newest recalibrations of a dataset."""
    query = (
        _EVERYTHING.where(Calibration.dataset_id == dataset.id)
        .order_by(Calibration.id.desc())
        .limit(limit)
    )
    return [_describe(*row) for row in (await session.execute(query)).all()]


@router.post(
    "/calibrations", summary="Calibrate a dataset with a recipe, or list what the recipe changes"
)
async def request_calibration(
    wanted: NewCalibration,
    session: Session,
    context: CurrentContext,
    request: Request,
    response: Response,
    name: Recalibrator,
) -> dict[str, Any]:
    """Ask for one: 202 for new work, 200 where the same recipe on the same inputs was asked for
    before.
    """
    most, before = (
        context.settings.api.calibrations_per_token,
        await calibrations.pending(session, name),
    )
    name_subject(request, wanted.rootname)
    dataset = await find_dataset(session, wanted.rootname)
    folders, files = context.settings.references.folders, wanted.recipe.files()
    digests = await asyncio.to_thread(reference_digests, folders, files)
    calibration, new = await calibrations.request(
        session, dataset, wanted.recipe, name, dry_run=wanted.dry_run, digests=digests
    )
    # What is known already costs nothing; without a commit, what is new is forgotten.
    if most < await calibrations.pending(session, name) > before:
        raise beyond_quota(most)
    await session.commit()
    name_subject(request, f"{dataset.rootname}, calibration {calibration.id}")
    get_logger().info(
        "calibration requested",
        calibration=calibration.id,
        dataset=dataset.rootname,
        by=name,
        new=new,
    )
    response.status_code = 202 if new else 200
    response.headers["Location"] = f"/api/v1/calibrations/{calibration.id}"
    return _describe(*await find_calibration(session, calibration.id))


@router.get("/calibrations", summary="Recalibrations, newest first")
async def list_calibrations(
    request: Request,
    response: Response,
    session: Session,
    rootname: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of recalibrations."""
    query = _EVERYTHING.order_by(Calibration.id.desc())
    if rootname is not None:
        query = query.where(Calibration.dataset_id == (await find_dataset(session, rootname)).id)
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Calibration.id < after[0])
    rows, more = split((await session.execute(query.limit(limit + 1))).all(), limit)
    items = [_describe(calibration, job, name) for calibration, job, name in rows]
    return page(request, response, items, (items[-1]["id"],) if more else None)


@router.get("/calibrations/schema", summary="JSON Schema of a recipe")
async def show_schema() -> dict[str, Any]:
    """Publish the schema."""
    return recipe_schema()


@router.get(
    "/calibrations/{calibration_id}", summary="State, changes, warnings and run of a recalibration"
)
async def show_calibration(calibration_id: int, session: Session) -> dict[str, Any]:
    """Describe one."""
    calibration, job, rootname = await find_calibration(session, calibration_id)
    return await describe_calibration(session, calibration, job, rootname)


@router.post(
    "/calibrations/{calibration_id}/cancel", summary="Stop a recalibration that waits or runs"
)
async def cancel_calibration(
    calibration_id: int, session: Session, name: Recalibrator
) -> dict[str, Any]:
    """Cancel one."""
    calibration, job, _ = await find_calibration(session, calibration_id)
    if not await calibrations.cancel(session, calibration, name):
        raise ApiError(
            409,
            "not_pending",
            f"calibration {calibration_id} is {job.state}; only one that waits or runs can be "
            f"stopped",
        )
    await session.commit()
    get_logger().info("calibration cancelled", calibration=calibration_id, by=name)
    return {"cancelled": calibration_id}


@router.post(
    "/calibrations/{calibration_id}/promote",
    summary="Make the products of a recalibration the current ones of the dataset",
)
async def promote_calibration(
    calibration_id: int, session: Session, name: Operator
) -> dict[str, Any]:
    """Promote one; the tables and monitors follow."""
    calibration, _, rootname = await find_calibration(session, calibration_id)
    await calibrations.promote(session, calibration, name, Outbox())
    await session.commit()
    get_logger().info("calibration promoted", calibration=calibration_id, dataset=rootname, by=name)
    return {"promoted": calibration_id, "rootname": rootname}


@router.get(
    "/calibrations/{calibration_id}/export",
    summary="Archive with the edited inputs, the list of references and a script that reproduces "
    "the run",
    response_class=Response,
)
async def export_calibration(
    calibration_id: int, session: Session, context: CurrentContext, conditions: ContentQuery
) -> Response:
    """Stream the archive."""
    calibration, job, _ = await find_calibration(session, calibration_id)
    query = select(File).where(
        File.run_id == calibration.run_id, File.origin == "extra", File.suffix == "export"
    )
    file = (await session.execute(query)).scalar_one_or_none() if calibration.run_id else None
    if file is None:
        raise ApiError(
            404,
            "no_export",
            f"calibration {calibration_id} is {job.state}: only a run that is done has an export",
        )
    await session.close()
    return await serve_content(
        context.store, StoredFile(file.path, file.name, file.size, file.sha256), conditions
    )


@router.get(
    "/calibrations/{calibration_id}/lightcurve",
    summary="Light curve of the sub-exposures of a recalibration",
)
async def show_light_curve(
    calibration_id: int,
    session: Session,
    context: CurrentContext,
    format: str | None = None,  # noqa: A002 - the name of the query parameter
    accept: Annotated[str, Header()] = "",
) -> Any:
    """Rows with units as JSON, or a table as CSV, VOTable, FITS or Parquet."""
    chosen = choose_format(format, accept)
    calibration, _, rootname = await find_calibration(session, calibration_id)
    file = await light_curves.light_curve_file(session, calibration)
    await session.close()
    values = await asyncio.to_thread(light_curves.read_light_curve, context.store, file)
    if chosen != "json":
        return await asyncio.to_thread(
            render, f"{rootname}_lightcurve", light_curves.COLUMNS, values, chosen
        )
    columns = {name: column.tolist() for name, column in values.items()}
    return {
        "rootname": rootname,
        "calibration": calibration_id,
        "columns": [column.describe() for column in light_curves.COLUMNS],
        "items": [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ],
    }
