"""Two runs of a dataset compared."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.monitor.products.comparison import compare, measure
from services.monitor.products.extraction_boxes import draw_extractions
from services.monitor.queries.comparisons import CompareRuns, find_events, find_pair, products_of
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.json_response import FiniteJSONResponse

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
)
async def compare_runs(compared: CompareRuns, session: Session, context: CurrentContext) -> Any:
    """Ratio of the second run's spectrum to the first one's, with errors, and what else differs."""
    files = find_pair(compared, await products_of(session, compared))
    await session.close()
    found = await asyncio.to_thread(
        lambda: compare(*(measure(context.store, file) for file in files))
    )
    described = [{"id": file.id, "name": file.name, "run_id": file.run_id} for file in files]
    # Straight to the encoder: FastAPI would look at each of some 100,000 numbers first.
    head = {
        "rootname": compared.dataset.rootname,
        "files": described,
        "warnings": compared.warnings,
        "units": _UNITS,
    }
    return FiniteJSONResponse({**head, **found})


@router.get(
    "/{rootname}/comparison.png",
    summary="Extraction boxes of two runs on the events of one exposure",
    response_class=Response,
)
async def draw_runs(compared: CompareRuns, session: Session, context: CurrentContext) -> Response:
    """Draw each segment that both runs have."""
    events = find_events(compared, await products_of(session, compared))
    await session.close()
    if not events:
        message = "no exposure has its x1d and a corrtag file in both runs (COSMO_CALIBRATOR__KEEP)"
        raise ApiError(404, "no_events", message)
    picture = await asyncio.to_thread(draw_extractions, context.store, compared.names, events)
    return Response(picture, media_type="image/png")
