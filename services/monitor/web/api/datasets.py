"""Datasets: state, files, runs, timeline, spectrum."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime

from services.monitor.products import spectra
from services.monitor.queries.datasets import (
    Choice,
    dataset_summary,
    describe_dataset,
    find_dataset,
    list_page,
    member_of,
    timeline_of,
)
from services.monitor.tables.columns import choose_format
from services.monitor.tables.writers import render
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pagination import page
from shared.database.models.operations import DatasetState
from shared.jobs.operations import force
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(prefix="/datasets", tags=["datasets"])


@router.get("", summary="Datasets, newest change first")
async def list_datasets(
    request: Request,
    response: Response,
    session: Session,
    state: DatasetState | None = None,
    kind: str | None = None,
    rootname: Annotated[str | None, Query(description="Beginning of the rootname")] = None,
    since: Annotated[
        AwareDatetime | None,
        Query(description="Changed at or after this time (ISO 8601, with zone)"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of datasets."""
    choice = Choice(state, kind, rootname, since)
    found, key = await list_page(session, choice, limit, cursor)
    return page(request, response, [dataset_summary(dataset) for dataset in found], key)


@router.get("/{rootname}", summary="State, files, runs and provenance of a dataset")
async def show_dataset(rootname: str, session: Session) -> dict[str, Any]:
    """Describe one dataset; a member's rootname finds its association."""
    return await describe_dataset(session, await find_dataset(session, rootname))


@router.get(
    "/{rootname}/timeline", summary="Timeline of a dataset: events with their times and inputs"
)
async def show_timeline(rootname: str, session: Session) -> dict[str, Any]:
    """List events and attempts, oldest first."""
    return {"items": await timeline_of(session, await find_dataset(session, rootname))}


@router.post("/{rootname}/force", summary="Process an incomplete dataset")
async def force_dataset(rootname: str, session: Session, name: Operator) -> dict[str, Any]:
    """Mark a dataset as forced."""
    dataset = await find_dataset(session, rootname)
    missing = await force(session, dataset.rootname)
    await session.commit()
    get_logger().info("dataset forced", dataset=dataset.rootname, by=name)
    return {"rootname": dataset.rootname, "accepted_missing": missing}


@router.get("/{rootname}/spectrum", summary="Calibrated spectrum")
async def show_spectrum(
    rootname: str,
    session: Session,
    context: CurrentContext,
    product: Annotated[str | None, Query(pattern="^x1d(sum[1-4]?)?$")] = None,
    exposure: str | None = None,
    segment: str | None = None,
    format: str | None = None,  # noqa: A002 - the name of the query parameter
    accept: Annotated[str, Header()] = "",
) -> Any:
    """Arrays with units as JSON, or a table as CSV, VOTable, FITS or Parquet."""
    chosen = choose_format(format, accept)
    dataset = await find_dataset(session, rootname)
    file = await spectra.spectrum_file(
        session, dataset, product, exposure or member_of(dataset, rootname)
    )
    await session.close()
    segments = await asyncio.to_thread(spectra.read_segments, context.store, file, segment)
    if chosen != "json":
        stem = file.name.split(".")[0]
        return await asyncio.to_thread(
            render, stem, spectra.COLUMNS, spectra.values_of(segments), chosen
        )
    body = {
        "rootname": dataset.rootname,
        "file": {"id": file.id, "name": file.name, "run_id": file.run_id},
        "units": {column.name: column.unit for column in spectra.COLUMNS if column.unit},
        "segments": [
            {
                "segment": item.name,
                "wavelength": spectra.listed(item.wavelength),
                "flux": spectra.listed(item.flux),
                "error": spectra.listed(item.error),
                "dq_wgt": spectra.listed(item.weight),
            }
            for item in segments
        ],
    }
    # Straight to the encoder: FastAPI would look at each of some 100,000 numbers first.
    return FiniteJSONResponse(body)


@router.get("/{rootname}/spectrum.png", summary="Plot of the spectrum", response_class=Response)
async def show_picture(
    rootname: str,
    session: Session,
    context: CurrentContext,
    product: Annotated[str | None, Query(pattern="^x1d(sum[1-4]?)?$")] = None,
    exposure: str | None = None,
    segment: str | None = None,
) -> Response:
    """Plot the spectrum."""
    dataset = await find_dataset(session, rootname)
    file = await spectra.spectrum_file(
        session, dataset, product, exposure or member_of(dataset, rootname)
    )
    await session.close()
    segments = await asyncio.to_thread(spectra.read_segments, context.store, file, segment)
    picture = await asyncio.to_thread(spectra.plot, file.name.split(".")[0], segments)
    return Response(picture, media_type="image/png", headers={"ETag": f'"{file.sha256[:32]}"'})
