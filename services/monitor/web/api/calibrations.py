"""Recalibrations: requested, watched, cancelled, promoted and exported."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from services.monitor.products import light_curves
from services.monitor.queries import calibrations
from services.monitor.queries.datasets import find_dataset, load_dataset
from services.monitor.response_models.calibrations import (
    CalibrationDetail,
    CalibrationRecord,
    CancelledCalibration,
    LightCurveRecord,
    PromotedCalibration,
)
from services.monitor.response_models.common import Page
from services.monitor.tables.columns import choose_format
from services.monitor.web.dependencies import CurrentContext, Operator, Recalibrator, Session
from services.monitor.web.error_responses import ApiError, beyond_quota
from services.monitor.web.file_responses import BinaryResponse, ContentQuery, serve_content
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import Name, Rootname, RowNumber
from services.monitor.web.protection.audit import name_subject
from services.monitor.web.protection.bodies import RequestModel
from services.monitor.web.statuses import may_answer
from services.monitor.web.table_responses import Accept, Format, file_content, render
from shared import recalibrations
from shared.cos.reference_names import reference_folders
from shared.jobs.events import Outbox
from shared.logs import get_logger
from shared.recipes import Recipe, recipe_schema
from shared.reference_digests import reference_digests
from shared.remote_references import open_references

__all__ = ["router"]

router = APIRouter(tags=["calibrations"])

_Number = Annotated[RowNumber, Path(description="Number of the recalibration")]


class NewCalibration(RequestModel):
    """What to calibrate, and how it differs from the default."""

    rootname: Rootname = Field(description="Dataset, or a member of it")
    recipe: Recipe = Recipe()
    dry_run: bool = Field(False, description="Only list the changes that the recipe makes")


@router.post(
    "/calibrations", summary="Calibrate a dataset with a recipe, or list what the recipe changes"
)
@may_answer(202, 404, 409, 429)
async def request_calibration(
    wanted: NewCalibration,
    session: Session,
    context: CurrentContext,
    request: Request,
    response: Response,
    name: Recalibrator,
) -> CalibrationRecord:
    """Calibrate a dataset with a recipe, or list what the recipe changes.

    E.g. ``{"rootname": "ldfd01010", "recipe": {"switches": {"FLATCORR": "OMIT"}}}``. 202 for new
    work, and 200 where the same recipe was requested on the same inputs before; ``Location`` has
    the address of the recalibration, which says how far it is. 422 for a recipe that contradicts
    itself, 409 for one that does not fit the dataset, 429 beyond the quota of the token.
    """
    most, before = (
        context.settings.api.calibrations_per_token,
        await recalibrations.pending(session, name),
    )
    name_subject(request, wanted.rootname)
    dataset = await load_dataset(session, wanted.rootname)
    folders = reference_folders(open_references(context.settings.references), None)
    digests = await asyncio.to_thread(reference_digests, folders, wanted.recipe.files())
    calibration, new = await recalibrations.request(
        session, dataset, wanted.recipe, name, dry_run=wanted.dry_run, digests=digests
    )
    # What is known already costs nothing; without a commit, what is new is forgotten.
    if most < await recalibrations.pending(session, name) > before:
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
    return await calibrations.find_calibration(session, calibration.id)


@router.get("/calibrations", summary="Recalibrations, newest first")
@may_answer(404)
async def show_calibrations(
    request: Request,
    response: Response,
    session: Session,
    rootname: Annotated[
        Name | None, Query(description="Rootname of the dataset or of a member")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CalibrationRecord]:
    """List recalibrations and dry runs, newest first; 404 for an unknown rootname."""
    dataset_id = None if rootname is None else (await find_dataset(session, rootname)).id
    found = await calibrations.list_calibrations(session, dataset_id, limit, cursor)
    return page_of(request, response, found)


@router.get("/calibrations/schema", summary="JSON Schema of a recipe")
async def show_schema() -> dict[str, Any]:
    """Give the JSON Schema of a recipe, for editors and for programs that check recipes.

    Rules that combine several fields are checked when a recalibration is requested.
    """
    return recipe_schema()


@router.get(
    "/calibrations/{calibration_id}", summary="State, changes, warnings and run of a recalibration"
)
async def show_calibration(calibration_id: _Number, session: Session) -> CalibrationDetail:
    """Describe a recalibration: its state, exact changes, references, warnings and files.

    ``state`` is ``queued`` or ``running``, then ``done``, ``failed``, ``cancelled`` or
    ``superseded``. ``error_kind`` is ``refused`` where the recipe is at fault: it does not fit the
    dataset, or fails where the default run was good.
    """
    return await calibrations.describe_calibration(session, calibration_id)


@router.post(
    "/calibrations/{calibration_id}/cancel", summary="Stop a recalibration that waits or runs"
)
@may_answer(409)
async def cancel_calibration(
    calibration_id: _Number, session: Session, name: Recalibrator
) -> CancelledCalibration:
    """Stop a recalibration that waits or runs; 409 where it does neither any more."""
    calibration = await calibrations.load_calibration(session, calibration_id)
    if not await recalibrations.cancel(session, calibration, name):
        found = await calibrations.find_calibration(session, calibration_id)
        raise ApiError(
            409,
            "not_pending",
            f"calibration {calibration_id} is {found.state}; only one that waits or runs can be "
            "stopped",
        )
    await session.commit()
    get_logger().info("calibration cancelled", calibration=calibration_id, by=name)
    return CancelledCalibration(cancelled=calibration_id)


@router.post(
    "/calibrations/{calibration_id}/promote",
    summary="Make the products of a recalibration the current ones of the dataset",
)
@may_answer(409)
async def promote_calibration(
    calibration_id: _Number, session: Session, name: Operator
) -> PromotedCalibration:
    """Make the products of a recalibration the current ones; tables and monitors follow.

    They stay so until the inputs or references of the dataset change and it is calibrated again.
    409 where it has no products: it is not done, or a dry run.
    """
    found = await calibrations.find_calibration(session, calibration_id)
    calibration = await calibrations.load_calibration(session, calibration_id)
    await recalibrations.promote(session, calibration, name, Outbox())
    await session.commit()
    get_logger().info(
        "calibration promoted", calibration=calibration_id, dataset=found.rootname, by=name
    )
    return PromotedCalibration(promoted=calibration_id, rootname=found.rootname)


@router.get(
    "/calibrations/{calibration_id}/export",
    summary="Archive with the edited inputs, the list of references and a script that reproduces "
    "the run",
    response_class=BinaryResponse,
)
async def export_calibration(
    calibration_id: _Number, session: Session, context: CurrentContext, conditions: ContentQuery
) -> Response:
    """Give an archive (tar) with what reproduces the run elsewhere.

    404 where the recalibration has no run that is done, 410 where the store has the archive no
    more.
    """
    calibration = await calibrations.find_calibration(session, calibration_id)
    file = await calibrations.export_file(session, calibration)
    await session.close()
    return await serve_content(context.store, file, conditions)


@router.get(
    "/calibrations/{calibration_id}/lightcurve",
    summary="Light curve of the sub-exposures of a recalibration",
    response_model=LightCurveRecord,
    responses={200: {"content": file_content}},
)
@may_answer(409)
async def show_light_curve(
    calibration_id: _Number,
    session: Session,
    context: CurrentContext,
    format: Format = None,  # noqa: A002 - the name of the query parameter
    accept: Accept = "",
) -> Response:
    """Give the light curve as JSON with units, or as a file.

    It has a row for each sub-exposure and segment. 404 where the recipe has no ``sub_exposures``,
    or the run is not done; 409 where the file cannot be read.
    """
    chosen = choose_format(format, accept)
    calibration = await calibrations.find_calibration(session, calibration_id)
    file = await calibrations.light_curve_file(session, calibration)
    await session.close()
    values = await asyncio.to_thread(light_curves.read_light_curve, context.store, file)
    if chosen != "json":
        name = f"{calibration.rootname}_lightcurve"
        return await asyncio.to_thread(render, name, light_curves.COLUMNS, values, chosen)
    columns = {name: column.tolist() for name, column in values.items()}
    body = {
        "rootname": calibration.rootname,
        "calibration": calibration_id,
        "columns": [column.describe() for column in light_curves.COLUMNS],
        "items": [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ],
    }
    return FiniteJSONResponse(body)
