"""The page of a recalibration, and its light curve."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.monitor.figures.comparison import light_curve_figure
from services.monitor.products.light_curves import read_light_curve
from services.monitor.queries.calibrations import (
    describe_calibration,
    find_calibration,
    is_current,
    light_curve_file,
)
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pages.rendering import templates
from services.monitor.web.parameters import RowNumber

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/calibrations/{calibration_id}", response_class=HTMLResponse)
async def calibration_page(
    request: Request, calibration_id: RowNumber, session: Session
) -> Response:
    """Show a recalibration: state, warnings, changes, light curve, files."""
    calibration = await describe_calibration(session, calibration_id)
    context = {
        "calibration": calibration,
        "has_curve": any(file.suffix == "lightcurve" for file in calibration.files),
        "current": await is_current(session, calibration),
    }
    return templates.TemplateResponse(request, "calibration.html", context)


@router.get("/calibrations/{calibration_id}/lightcurve.json")
async def light_curve(
    calibration_id: RowNumber, session: Session, context: CurrentContext
) -> Response:
    """Draw the light curve."""
    calibration = await find_calibration(session, calibration_id)
    file = await light_curve_file(session, calibration)
    await session.close()
    values = await asyncio.to_thread(read_light_curve, context.store, file)
    return FiniteJSONResponse(light_curve_figure(values))
