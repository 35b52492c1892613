"""The page of two runs side by side, with what its figures are made of."""

import asyncio
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.monitor.figures.comparison import ratio_figure, spectra_figure
from services.monitor.products.comparison import compare, measure
from services.monitor.queries.comparisons import (
    ComparedRuns,
    FilePair,
    find_events,
    find_pair,
    list_comparable_runs,
    products_of,
)
from services.monitor.web.compared_runs import CompareRuns
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pages.rendering import templates
from services.monitor.web.parameters import LONGEST_NAME
from shared.cos.names import FREE_NAME

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

Choice = Annotated[
    str | None, Query(pattern=rf"^({FREE_NAME}_[a-z0-9_]+)?$", max_length=LONGEST_NAME)
]
"""What the page's form says of the product: the beginning of its name, empty for the best."""


def _address_query(compared: ComparedRuns) -> str:
    """Write what is compared as the query of an address."""
    first, second = compared.runs
    given = {
        "second": second,
        "first": first,
        "product": compared.product,
        "exposure": compared.exposure,
    }
    return urlencode({name: value for name, value in given.items() if value is not None})


async def _measured(context: CurrentContext, pair: FilePair) -> dict[str, Any]:
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
        compared = replace(
            compared,
            exposure=file.rootname if file else None,
            product=file.suffix if file else chosen,
        )
    pair = find_pair(compared, products)
    runs = await list_comparable_runs(session, compared.dataset.id)
    current = next((run.id for run in runs if run.current), None)
    shown = {
        "rootname": compared.dataset.rootname,
        "names": compared.names,
        "warnings": compared.warnings,
        "runs": runs,
        "chosen": (compared.runs[0] or current, compared.runs[1], chosen),
        "shared": [stem for stem in products[0] if stem in products[1]],
        "has_boxes": bool(find_events(compared, products)),
        "files": pair,
        "query": _address_query(compared),
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
