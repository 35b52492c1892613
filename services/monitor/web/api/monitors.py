"""Monitors: state, values, figures, runs, artifacts."""

import asyncio
import gzip
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.monitor.framework.scheduling import request_run
from services.monitor.queries.figures import DrawingFormat, draw_figure
from services.monitor.queries.monitors import (
    describe_monitor,
    find_monitor,
    list_artifacts,
    list_figures,
    list_monitors,
    list_runs,
)
from services.monitor.queries.tables import select_values
from services.monitor.response_models.common import Page
from services.monitor.response_models.monitors import (
    ArtifactRecord,
    FigureList,
    MonitorDescription,
    MonitorList,
    RunRecord,
    RunRequest,
)
from services.monitor.response_models.tables import MonitorValuePage
from services.monitor.web.cached_routes import CachedRoute, cached
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.file_responses import BinaryResponse, ContentQuery
from services.monitor.web.pagination import Cursor, Limit, page_of
from services.monitor.web.parameters import MonitorName, Name, RowNumber
from services.monitor.web.table_responses import TableRows, file_content, serve_rows
from shared.database.models.monitoring import MonitorValue
from shared.jobs.events import Outbox
from shared.logs import get_logger

__all__ = ["artifacts_router", "router"]

router = APIRouter(prefix="/monitors", tags=["monitors"], route_class=CachedRoute)
artifacts_router = APIRouter(prefix="/artifacts", tags=["monitors"])
_MOST_COLUMNS = 100
_MEDIA_TYPES: dict[DrawingFormat, str] = {
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
}
_DRAWINGS = {
    "application/json": {"schema": {"type": "object", "description": "Figure of Plotly"}},
    "image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}},
    "image/svg+xml": {"schema": {"type": "string", "contentMediaType": "image/svg+xml"}},
}


@router.get("", summary="Monitors: freshness, last outcome, open alerts")
@cached(ages=True)
async def index(session: Session) -> MonitorList:
    """List the monitors in the order of their names.

    ``freshness`` is ``fresh``, ``stale`` (no data for twice the cadence), ``ahead`` (dated after
    tomorrow), ``failed`` (its newest run) or ``empty`` (it never ran).
    """
    return MonitorList(items=await list_monitors(session))


@router.get("/{name}", summary="A monitor: description, state, statistics, figures")
@cached(monitor="name", ages=True)
async def show_monitor(name: MonitorName, session: Session) -> MonitorDescription:
    """Describe a monitor.

    What it measures, its state, its rules with their thresholds, dates and sources, its statistics
    by group and period, and its figures.
    """
    return await describe_monitor(session, find_monitor(name))


@router.get(
    "/{name}/data",
    summary="Values with outlier flag, run and file",
    responses={200: {"model": MonitorValuePage, "content": file_content}},
)
@cached(monitor="name")
async def show_data(
    name: MonitorName, request: Request, session: Session, rows: TableRows
) -> Response:
    """Show the values of a monitor: a page of JSON, or up to 100,000 of them as a file.

    Filters and formats are those of tables, e.g.
    ``/monitors/fuv-dark/data?segment=FUVA&mjd__gte=60000&format=csv``. ``quantities`` has the unit
    and meaning of each ``quantity``; ``run_id`` and ``file_id`` lead to the run that computed a
    value last and to the file that it was measured from.
    """
    monitor = find_monitor(name)
    query = select_values(monitor, rows.wanted)
    extra = {"quantities": monitor.quantities}
    return await serve_rows(request, session, MonitorValue, query, rows.wanted, extra)


@router.get("/{name}/figures", summary="Figures of a monitor")
@cached(monitor="name")
async def show_figures(name: MonitorName, session: Session) -> FigureList:
    """List the figures with their titles and captions, in the order of the monitor's page."""
    return FigureList(items=await list_figures(session, find_monitor(name)))


@router.get(
    "/{name}/figures/{figure}",
    summary="A figure as Plotly JSON, PNG or SVG",
    response_class=Response,
    responses={200: {"content": _DRAWINGS}},
)
@cached(monitor="name")
async def show_figure(
    name: MonitorName,
    figure: Annotated[Name, Path(description="Name of the figure")],
    request: Request,
    session: Session,
    format: Annotated[  # noqa: A002 - the name of the query parameter
        DrawingFormat, Query(description="Format of the drawing")
    ] = "json",
    columns: Annotated[
        int | None,
        Query(
            ge=1,
            le=_MOST_COLUMNS,
            description="Maximum number of panels in a row; 1 on a phone",
        ),
    ] = None,
) -> Response:
    """Give a figure: JSON for Plotly, or a picture.

    A picture is drawn when it is first asked for after a run, which takes a second or two. 404 also
    where the newest run did not draw the figure.
    """
    drawing = await draw_figure(session, find_monitor(name), figure, format, columns)
    headers = {}
    if format != "png":
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            drawing = await asyncio.to_thread(gzip.decompress, drawing)
    return Response(drawing, media_type=_MEDIA_TYPES[format], headers=headers)


@router.get("/{name}/runs", summary="Runs of a monitor, newest first")
@cached(monitor="name")
async def show_runs(
    name: MonitorName,
    request: Request,
    response: Response,
    session: Session,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RunRecord]:
    """List runs, those without new data too, newest first.

    Each has its outcome, the newest event that its inputs reflect, the time of its newest input,
    the versions that it was computed with, and how long it took.
    """
    return page_of(request, response, await list_runs(session, find_monitor(name), limit, cursor))


@router.post("/{name}/runs", summary="Compute a monitor now", status_code=202)
async def start_run(name: MonitorName, session: Session, token: Operator) -> RunRequest:
    """Ask for a run, even where nothing is new.

    It is queued: the list of runs, and the event ``monitor.updated`` or ``monitor.failed``, say
    when it was done.
    """
    monitor = find_monitor(name)
    await request_run(
        session,
        monitor,
        Outbox(),
        occasion={"forced": asyncio.get_running_loop().time(), "by": token},
    )
    await session.commit()
    get_logger().info("monitor requested", monitor=name, by=token)
    return RunRequest(monitor=name, status="requested")


@router.get("/{name}/artifacts", summary="Files of a monitor, newest first")
@cached(monitor="name")
async def show_artifacts(
    name: MonitorName,
    request: Request,
    response: Response,
    session: Session,
    current: Annotated[bool, Query(description="Only active ones")] = True,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ArtifactRecord]:
    """List files that a monitor made, e.g. reference files and maps, newest first.

    ``detail`` has how a file was checked, and how it differs from the active one. With
    ``current=false`` those of earlier runs are listed too.
    """
    found = await list_artifacts(session, find_monitor(name), limit, cursor, current=current)
    return page_of(request, response, found)


@artifacts_router.get(
    "/{artifact_id}/content", summary="Bytes of an artifact", response_class=BinaryResponse
)
async def artifact_content(
    artifact_id: Annotated[RowNumber, Path(description="Number of the artifact")],
    session: Session,
    context: CurrentContext,
    conditions: ContentQuery,
) -> Response:
    """Give the bytes of a file that a monitor made; it never changes.

    410 where the store has it no more.
    """
    return await context.artifacts.serve(artifact_id, session, conditions)
