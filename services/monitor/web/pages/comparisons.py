"""The page of two runs side by side, with what its figures are made of."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from services.monitor.figures.comparison import ratio_figure, spectra_figure
from services.monitor.products.comparison import compare, measure
from services.monitor.queries.comparisons import (
    CompareRuns,
    Pair,
    find_events,
    find_pair,
    products_of,
)
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pages.rendering import templates
from shared.cos.names import FREE_NAME
from shared.database.models.calibrations import Calibration
from shared.database.models.operations import Dataset, Run

__all__ = ["good_runs", "router"]

router = APIRouter(include_in_schema=False)

Choice = Annotated[str | None, Query(pattern=rf"^({FREE_NAME}_[a-z0-9_]+)?$")]
"""What the page's form says of the product: the beginning of its name, empty for the best."""


async def good_runs(session: Session, dataset: Dataset) -> list[tuple[Run, int | None]]:
    """List the runs of a dataset that have products, newest first, with the recalibrations they
    came of.
    """
    query = select(Run, Calibration.id).outerjoin(Calibration, Calibration.run_id == Run.id)
    query = query.where(Run.dataset_id == dataset.id, Run.error.is_(None)).order_by(Run.id.desc())
    return [(run, number) for run, number in (await session.execute(query)).all()]


async def _measured(context: CurrentContext, pair: Pair) -> dict[str, Any]:
    return await asyncio.to_thread(
        lambda: compare(*(measure(context.store, file) for file in pair))
    )


@router.get("/datasets/{rootname}/comparison", response_class=HTMLResponse)
async def comparison_page(
    request: Request,
    compared: CompareRuns,
    session: Session,
    context: CurrentContext,
    chosen: Choice = None,
) -> Response:
    """Show two runs: spectra, ratio, counts and flags, boxes, headers.

    And a form that asks for others.
    """
    products = await products_of(session, compared)
    if chosen:
        file = products[0].get(chosen) or products[1].get(chosen)
        compared.exposure, compared.product = (
            (file.rootname, file.suffix) if file else (None, chosen)
        )
    pair = find_pair(compared, products)
    current = await session.execute(
        select(Run.id).where(Run.dataset_id == compared.dataset.id, Run.current)
    )
    shown = {
        "rootname": compared.dataset.rootname,
        "names": compared.names,
        "warnings": compared.warnings,
        "runs": await good_runs(session, compared.dataset),
        "chosen": (compared.runs[0] or current.scalars().first(), compared.runs[1], chosen),
        "shared": [stem for stem in products[0] if stem in products[1]],
        "has_boxes": bool(find_events(compared, products)),
        "files": pair,
        "query": compared.query,
    }
    await session.close()
    return templates.TemplateResponse(
        request, "comparison.html", {**shown, **await _measured(context, pair)}
    )


@router.get("/datasets/{rootname}/comparison/spectra.json")
async def spectra(compared: CompareRuns, session: Session, context: CurrentContext) -> Response:
    """Draw both spectra."""
    pair = find_pair(compared, await products_of(session, compared))
    await session.close()
    return FiniteJSONResponse(spectra_figure(await _measured(context, pair), compared.names))


@router.get("/datasets/{rootname}/comparison/ratio.json")
async def ratio(compared: CompareRuns, session: Session, context: CurrentContext) -> Response:
    """Draw the ratio."""
    pair = find_pair(compared, await products_of(session, compared))
    await session.close()
    return FiniteJSONResponse(ratio_figure(await _measured(context, pair)))
