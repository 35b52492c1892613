"""The pages: overview and dataset."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import select

from services.monitor.api.status import read_status
from services.monitor.catalogue import describe_dataset, find_dataset, timeline_of
from services.monitor.context import Session
from services.monitor.errors import ApiError
from shared.database.models.operations import Dataset, DatasetState, File, Job, JobState
from shared.database.models.science import Lampflash

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
_LISTED = 100


def _size(count: int) -> str:
    """Bytes for a reader."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


_templates.env.filters["size"] = _size


@router.get("/", response_class=HTMLResponse)
async def overview(request: Request, session: Session, state: DatasetState | None = None) -> Response:
    """Show counts per state, what failed and the newest datasets."""
    query = select(Dataset).order_by(Dataset.updated_at.desc()).limit(_LISTED)
    if state is not None:
        query = query.where(Dataset.state == state)
    failed = await session.execute(
        select(Job, Dataset.rootname)
        .join(Dataset)
        .where(Job.state == JobState.FAILED)
        .order_by(Job.id.desc())
        .limit(20)
    )
    context: dict[str, Any] = {
        "status": await read_status(session),
        "states": list(DatasetState),
        "chosen": state,
        "datasets": list((await session.execute(query)).scalars()),
        "failures": [(job, rootname) for job, rootname in failed],
    }
    return _templates.TemplateResponse(request, "overview.html", context)


@router.get("/datasets/{rootname}", response_class=HTMLResponse)
async def dataset_page(request: Request, rootname: str, session: Session) -> Response:
    """Show one dataset: state, spectrum, lamp shifts, timeline, files, runs."""
    try:
        dataset = await find_dataset(session, rootname)
    except ApiError as error:
        return _templates.TemplateResponse(request, "missing.html", {"message": error.message}, status_code=404)
    flashes = await session.execute(
        select(Lampflash)
        .join(File, File.id == Lampflash.file_id)
        .where(File.dataset_id == dataset.id, File.shown, Lampflash.segment.is_not(None))
        .order_by(Lampflash.rootname, Lampflash.segment, Lampflash.flash)
    )
    described = await describe_dataset(session, dataset)
    context = {
        "dataset": described,
        "has_spectrum": any(file["suffix"] in ("x1d", "x1dsum") for file in described["files"]),
        "timeline": await timeline_of(session, dataset),
        "flashes": list(flashes.scalars()),
    }
    return _templates.TemplateResponse(request, "dataset.html", context)
