"""Datasets: state, files, runs, timeline, spectrum."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.monitor.products import spectra
from services.monitor.queries.datasets import (
    DatasetChoice,
    describe_dataset,
    find_dataset,
    list_datasets,
    load_dataset,
    timeline_of,
)
from services.monitor.queries.files import spectrum_file
from services.monitor.response_models.common import Page
from services.monitor.response_models.datasets import (
    DatasetDetail,
    DatasetRecord,
    ForcedDataset,
    SpectrumRecord,
    Timeline,
)
from services.monitor.tables.columns import choose_format
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.file_responses import PngResponse
from services.monitor.web.json_response import FiniteJSONResponse
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import (
    Exposure,
    Name,
    Product,
    Rootname,
    Segment,
    Since,
)
from services.monitor.web.statuses import may_answer
from services.monitor.web.table_responses import Accept, Format, file_content, render
from shared.database.models.operations import DatasetState
from shared.jobs.operations import force
from shared.logs import get_logger

__all__ = ["router"]

router = APIRouter(prefix="/datasets", tags=["datasets"])


@router.get("", summary="Datasets, newest change first")
async def show_datasets(
    request: Request,
    response: Response,
    session: Session,
    state: Annotated[DatasetState | None, Query(description="State of the datasets")] = None,
    kind: Annotated[
        Name | None,
        Query(description="Kind: association, exposure, acquisition, products, sms, ..."),
    ] = None,
    rootname: Annotated[Name | None, Query(description="Beginning of the rootname")] = None,
    since: Annotated[
        Since,
        Query(description="Changed at or after this time (ISO 8601, with zone)"),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DatasetRecord]:
    """List datasets, newest change first.

    E.g. ``/datasets?state=failed&rootname=ldfd`` lists those that failed and begin so, and
    ``/datasets?since=2026-01-01T00:00:00Z`` those that changed since then.
    """
    choice = DatasetChoice(state, kind, rootname, since)
    return page_of(request, response, await list_datasets(session, choice, limit, cursor))


@router.get("/{rootname}", summary="State, files, runs and provenance of a dataset")
async def show_dataset(rootname: Rootname, session: Session) -> DatasetDetail:
    """Describe a dataset; the rootname of a member finds its association.

    With its current files and all runs, ``problems`` (what could not be read of its files),
    ``missing`` (files that it waits for) and ``left_aside`` (what was not taken, and why).
    """
    return await describe_dataset(session, await find_dataset(session, rootname))


@router.get(
    "/{rootname}/timeline", summary="Timeline of a dataset: events with their times and inputs"
)
async def show_timeline(rootname: Rootname, session: Session) -> Timeline:
    """List the events of a dataset and the attempts at its jobs, oldest first."""
    return await timeline_of(session, await find_dataset(session, rootname))


@router.post("/{rootname}/force", summary="Process an incomplete dataset")
@may_answer(409)
async def force_dataset(rootname: Rootname, session: Session, name: Operator) -> ForcedDataset:
    """Process a dataset although files of it are missing: the next scan takes it.

    The answer names the missing files, and so do the runs of the dataset. 409 where nothing is
    missing.
    """
    dataset = await load_dataset(session, rootname)
    missing = await force(session, dataset.rootname)
    await session.commit()
    get_logger().info("dataset forced", dataset=dataset.rootname, by=name)
    return ForcedDataset(rootname=dataset.rootname, accepted_missing=missing)


@router.get(
    "/{rootname}/spectrum",
    summary="Calibrated spectrum",
    response_model=SpectrumRecord,
    responses={200: {"content": file_content}},
)
@may_answer(409)
async def show_spectrum(
    rootname: Rootname,
    session: Session,
    context: CurrentContext,
    product: Product = None,
    exposure: Exposure = None,
    segment: Segment = None,
    format: Format = None,  # noqa: A002 - the name of the query parameter
    accept: Accept = "",
) -> Response:
    """Give the calibrated spectrum: arrays with units as JSON, or a table as a file.

    E.g. ``/datasets/ldfd01010/spectrum?segment=FUVA&format=votable``. Points with ``dq_wgt`` 0 are
    not to be used. 404 where the dataset has no such spectrum, 409 where its file cannot be read.
    """
    chosen = choose_format(format, accept)
    dataset = await find_dataset(session, rootname)
    file = await spectrum_file(session, dataset, product, exposure)
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
    # Straight to the encoder: a model would look at each of some 100,000 numbers first.
    return FiniteJSONResponse(body)


@router.get("/{rootname}/spectrum.png", summary="Plot of the spectrum", response_class=PngResponse)
@may_answer(409)
async def show_picture(
    rootname: Rootname,
    session: Session,
    context: CurrentContext,
    product: Product = None,
    exposure: Exposure = None,
    segment: Segment = None,
) -> Response:
    """Plot the calibrated spectrum, of each segment the points that may be used.

    404 where the dataset has no such spectrum, 409 where its file cannot be read.
    """
    dataset = await find_dataset(session, rootname)
    file = await spectrum_file(session, dataset, product, exposure)
    await session.close()
    segments = await asyncio.to_thread(spectra.read_segments, context.store, file, segment)
    picture = await asyncio.to_thread(spectra.plot, file.name.split(".")[0], segments)
    return PngResponse(picture, headers={"ETag": f'"{file.sha256[:32]}"'})
