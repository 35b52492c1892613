"""The pages of recalibrations: one of them, and two runs side by side; with what their figures are made of."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from services.monitor.api.calibrations import compared_files, describe_calibration, find_calibration
from services.monitor.catalogue import find_dataset, member_of
from services.monitor.comparison import compare, measure
from services.monitor.context import CurrentContext, Session
from services.monitor.extraction_image import draw_extractions, extraction_files
from services.monitor.figures.comparing import light_curve_figure, ratio_figure, spectra_figure
from services.monitor.light_curves import light_curve_file, read_light_curve
from services.monitor.pages.rendering import templates
from shared.database.models.operations import Dataset

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


class Comparison:
    """Which runs of which dataset are compared, as the address of the page says it."""

    def __init__(
        self,
        rootname: str,
        second: int,
        first: int | None = None,
        product: Annotated[str | None, Query(pattern="^x1d(sum[1-4]?)?$")] = None,
        exposure: str | None = None,
    ) -> None:
        self.rootname, self.runs, self.product, self.exposure = rootname, (first, second), product, exposure

    @property
    def names(self) -> tuple[str, str]:
        """What the runs are called."""
        first, second = ("current run" if run is None else f"run {run}" for run in self.runs)
        return first, second

    async def compared(self, session: Session, context: CurrentContext) -> tuple[Dataset, dict[str, Any]]:
        """Compare the spectra."""
        dataset = await find_dataset(session, self.rootname)
        exposure = self.exposure or member_of(dataset, self.rootname)
        files = await compared_files(session, dataset, self.runs, self.product, exposure)
        await session.close()
        found = await asyncio.to_thread(lambda: compare(*(measure(context.store, file) for file in files)))
        return dataset, {"files": files, **found}


Wanted = Annotated[Comparison, Depends()]


@router.get("/calibrations/{calibration_id}", response_class=HTMLResponse)
async def calibration_page(request: Request, calibration_id: int, session: Session) -> Response:
    """Show a recalibration: state, warnings, changes, light curve, files."""
    calibration, job, rootname = await find_calibration(session, calibration_id)
    described = await describe_calibration(session, calibration, job, rootname)
    has_curve = any(file["suffix"] == "lightcurve" for file in described["files"])
    has_spectrum = any(file["origin"] == "product" and file["suffix"].startswith("x1d") for file in described["files"])
    context = {"calibration": described, "has_curve": has_curve, "has_spectrum": has_spectrum}
    response = templates.TemplateResponse(request, "calibration.html", context)
    if described["state"] in ("queued", "running"):
        response.headers["Refresh"] = "3"
    return response


@router.get("/calibrations/{calibration_id}/lightcurve.json")
async def light_curve(calibration_id: int, session: Session, context: CurrentContext) -> Response:
    """Draw the light curve."""
    calibration, _, _ = await find_calibration(session, calibration_id)
    file = await light_curve_file(session, calibration)
    await session.close()
    values = await asyncio.to_thread(read_light_curve, context.store, file)
    return JSONResponse(light_curve_figure(values))


@router.get("/datasets/{rootname}/comparison", response_class=HTMLResponse)
async def comparison_page(request: Request, wanted: Wanted, session: Session, context: CurrentContext) -> Response:
    """Show two runs: spectra, ratio, counts and flags, boxes, headers."""
    dataset, compared = await wanted.compared(session, context)
    shown = {
        "rootname": dataset.rootname,
        "names": wanted.names,
        "runs": [file.run_id for file in compared["files"]],
        "files": compared["files"],
        "segments": compared["segments"],
        "only_in_one": compared["only_in_one"],
        "headers": compared["headers"],
        "query": request.url.query,
    }
    return templates.TemplateResponse(request, "comparison.html", shown)


@router.get("/datasets/{rootname}/comparison/spectra.json")
async def spectra(wanted: Wanted, session: Session, context: CurrentContext) -> Response:
    """Draw both spectra."""
    _, compared = await wanted.compared(session, context)
    return JSONResponse(spectra_figure(compared, wanted.names))


@router.get("/datasets/{rootname}/comparison/ratio.json")
async def ratio(wanted: Wanted, session: Session, context: CurrentContext) -> Response:
    """Draw the ratio."""
    _, compared = await wanted.compared(session, context)
    return JSONResponse(ratio_figure(compared))


@router.get("/datasets/{rootname}/comparison/image.png")
async def image(wanted: Wanted, session: Session, context: CurrentContext) -> Response:
    """Draw the boxes on the events of both runs."""
    dataset = await find_dataset(session, wanted.rootname)
    runs = (wanted.runs[0], int(wanted.runs[1] or 0))
    exposure = wanted.exposure or member_of(dataset, wanted.rootname)
    extractions = await extraction_files(session, dataset, runs, exposure)
    await session.close()
    return Response(await asyncio.to_thread(draw_extractions, context.store, extractions), media_type="image/png")
