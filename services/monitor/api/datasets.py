"""Datasets: state, files, runs, timeline, spectrum."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import select, tuple_

from services.monitor import spectra
from services.monitor.catalogue import dataset_summary, describe_dataset, find_dataset, timeline_of
from services.monitor.context import Authorised, CurrentContext, Session
from services.monitor.formats import choose_format, render
from services.monitor.paging import decode_cursor, page
from shared.database.models.operations import Dataset, DatasetState
from shared.jobs.operations import force

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
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Page of datasets."""
    query = select(Dataset).order_by(Dataset.updated_at.desc(), Dataset.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Dataset.state == state)
    if kind is not None:
        query = query.where(Dataset.kind == kind)
    if rootname is not None:
        query = query.where(Dataset.rootname.startswith(rootname.lower(), autoescape=True))
    if (after := decode_cursor(cursor, 2)) is not None:
        moment = datetime.fromisoformat(after[0])
        query = query.where(tuple_(Dataset.updated_at, Dataset.id) < (moment, int(after[1])))
    found = list((await session.execute(query)).scalars())
    last = (found[-1].updated_at.isoformat(), found[-1].id) if found else None
    return page(request, response, [dataset_summary(dataset) for dataset in found], limit, last)


@router.get("/{rootname}", summary="State, files, runs and provenance of a dataset")
async def show_dataset(rootname: str, session: Session) -> dict[str, Any]:
    """Describe one dataset; a member's rootname finds its association."""
    return await describe_dataset(session, await find_dataset(session, rootname))


@router.get("/{rootname}/timeline", summary="What happened to a dataset, when, with which inputs")
async def show_timeline(rootname: str, session: Session) -> dict[str, Any]:
    """List events and attempts, oldest first."""
    return {"items": await timeline_of(session, await find_dataset(session, rootname))}


@router.post("/{rootname}/force", summary="Let an incomplete dataset through")
async def force_dataset(rootname: str, session: Session, _name: Authorised) -> dict[str, Any]:
    """Mark a dataset as forced."""
    missing = await force(session, rootname.lower())
    await session.commit()
    return {"rootname": rootname.lower(), "accepted_missing": missing}


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
    file = await spectra.spectrum_file(session, dataset, product, exposure)
    segments = await asyncio.to_thread(spectra.read_segments, context.store, file, segment)
    if chosen != "json":
        rows = [
            {"segment": item.name, "wavelength": wave, "flux": flux, "error": error, "dq_wgt": weight}
            for item in segments
            for wave, flux, error, weight in zip(item.wavelength, item.flux, item.error, item.weight, strict=True)
        ]
        return render(file.name.split(".")[0], spectra.COLUMNS, rows, chosen)
    return {
        "rootname": dataset.rootname,
        "file": {"id": file.id, "name": file.name, "run_id": file.run_id},
        "units": {column.name: column.unit for column in spectra.COLUMNS if column.unit},
        "segments": [
            {
                "segment": item.name,
                "wavelength": item.wavelength.tolist(),
                "flux": item.flux.tolist(),
                "error": item.error.tolist(),
                "dq_wgt": item.weight.tolist(),
            }
            for item in segments
        ],
    }


@router.get("/{rootname}/spectrum.png", summary="Picture of the spectrum", response_class=Response)
async def show_picture(
    rootname: str,
    session: Session,
    context: CurrentContext,
    product: Annotated[str | None, Query(pattern="^x1d(sum[1-4]?)?$")] = None,
    exposure: str | None = None,
) -> Response:
    """Plot the spectrum."""
    dataset = await find_dataset(session, rootname)
    file = await spectra.spectrum_file(session, dataset, product, exposure)
    segments = await asyncio.to_thread(spectra.read_segments, context.store, file, None)
    picture = await asyncio.to_thread(spectra.plot, file.name.split(".")[0], segments)
    return Response(picture, media_type="image/png", headers={"ETag": f'"{file.sha256[:32]}"'})
