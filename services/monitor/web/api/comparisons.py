"""Two runs of a dataset compared."""

import asyncio

from fastapi import APIRouter, Response

from services.monitor.products.comparison import compare, measure
from services.monitor.products.extraction_boxes import draw_extractions
from services.monitor.queries.comparisons import find_events, find_pair, products_of
from services.monitor.response_models.comparisons import ComparisonRecord
from services.monitor.web.compared_runs import CompareRuns
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.file_responses import PngResponse
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.statuses import may_answer

__all__ = ["router"]

router = APIRouter(prefix="/datasets", tags=["calibrations"])

_UNITS = {
    "wavelength": "Angstrom",
    "flux": "erg / (s cm2 Angstrom)",
    "error": "erg / (s cm2 Angstrom)",
}


@router.get(
    "/{rootname}/comparison",
    summary="Compare two runs of a dataset: spectra, counts, flags, headers",
    response_model=ComparisonRecord,
)
@may_answer(409)
async def compare_runs(
    compared: CompareRuns, session: Session, context: CurrentContext
) -> Response:
    """Compare the spectra, counts, flags and headers of two runs of a dataset.

    Of spectra it has the ratio of the second to the first, with errors, and the sums of both; of
    images and events, the headers alone. Without ``product`` both runs are compared by the one
    that says most: the summed spectrum, that of an exposure, else images or events. 404 where
    there is no such run, or no product that both have; 409 where a file cannot be read.
    """
    files = find_pair(compared, await products_of(session, compared))
    await session.close()
    found = await asyncio.to_thread(
        lambda: compare(*(measure(context.store, file) for file in files))
    )
    head = {
        "rootname": compared.dataset.rootname,
        "files": [{"id": file.id, "name": file.name, "run_id": file.run_id} for file in files],
        "warnings": compared.warnings,
        "units": _UNITS,
    }
    # Straight to the encoder: a model would look at each of some 100,000 numbers first.
    return FiniteJSONResponse({**head, **found})


@router.get(
    "/{rootname}/comparison.png",
    summary="Extraction boxes of two runs on the events of one exposure",
    response_class=PngResponse,
)
@may_answer(409)
async def draw_runs(compared: CompareRuns, session: Session, context: CurrentContext) -> Response:
    """Draw the extraction boxes of both runs on the events of one exposure, for each segment.

    404 where no exposure has its spectrum (x1d) and events (corrtag) in both runs.
    """
    events = find_events(compared, await products_of(session, compared))
    await session.close()
    if not events:
        message = "no exposure has its x1d and a corrtag file in both runs (COSMO_CALIBRATOR__KEEP)"
        raise ApiError(404, "no_events", message)
    picture = await asyncio.to_thread(draw_extractions, context.store, compared.names, events)
    return PngResponse(picture)
