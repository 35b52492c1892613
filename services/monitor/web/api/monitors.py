"""Monitors: state, values, figures, runs, artifacts."""

import asyncio
import gzip
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

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
from services.monitor.web.parameters import RowNumber
from services.monitor.web.table_responses import TableRows, file_content, serve_rows
from shared.database.models.monitoring import MonitorValue
from shared.jobs.events import Outbox
from shared.logs import get_logger

__all__ = ["artifacts_router", "router"]

router = APIRouter(prefix="/monitors", tags=["monitors"], route_class=CachedRoute)
artifacts_router = APIRouter(prefix="/artifacts", tags=["monitors"])
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
    """List the monitors."""
    return MonitorList(items=await list_monitors(session))


@router.get("/{name}", summary="A monitor: description, state, statistics, figures")
@cached(monitor="name", ages=True)
async def show_monitor(name: str, session: Session) -> MonitorDescription:
    """Describe one monitor."""
    return await describe_monitor(session, find_monitor(name))


@router.get(
    "/{name}/data",
    summary="Values with outlier flag, run and file",
    responses={200: {"model": MonitorValuePage, "content": file_content}},
)
@cached(monitor="name")
async def show_data(name: str, request: Request, session: Session, rows: TableRows) -> Response:
    """Page of values as JSON, or up to 100,000 of them as a file.

    Filter with ``?column__operator=value``.
    """
    monitor = find_monitor(name)
    query = select_values(monitor, rows.wanted)
    extra = {"quantities": monitor.quantities}
    return await serve_rows(request, session, MonitorValue, query, rows.wanted, extra)


@router.get("/{name}/figures", summary="Figures of a monitor")
@cached(monitor="name")
async def show_figures(name: str, session: Session) -> FigureList:
    """List the figures."""
    return FigureList(items=await list_figures(session, find_monitor(name)))


@router.get(
    "/{name}/figures/{figure}",
    summary="A figure as Plotly JSON, PNG or SVG",
    response_class=Response,
    responses={200: {"content": _DRAWINGS}},
)
@cached(monitor="name")
async def show_figure(
    name: str,
    figure: str,
    request: Request,
    session: Session,
    format: DrawingFormat = "json",  # noqa: A002 - the name of the query parameter
    columns: Annotated[
        int | None, Query(ge=1, description="Maximum number of panels in a row; 1 on a phone")
    ] = None,
) -> Response:
    """Give a figure."""
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
    name: str,
    request: Request,
    response: Response,
    session: Session,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RunRecord]:
    """Page of runs."""
    return page_of(request, response, await list_runs(session, find_monitor(name), limit, cursor))


@router.post("/{name}/runs", summary="Compute a monitor now", status_code=202)
async def start_run(name: str, session: Session, token: Operator) -> RunRequest:
    """Ask for a run, even where nothing is new; the dispatcher sends its message."""
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
    name: str,
    request: Request,
    response: Response,
    session: Session,
    current: Annotated[bool, Query(description="Only active ones")] = True,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ArtifactRecord]:
    """Page of artifacts."""
    found = await list_artifacts(session, find_monitor(name), limit, cursor, current=current)
    return page_of(request, response, found)


@artifacts_router.get(
    "/{artifact_id}/content", summary="Bytes of an artifact", response_class=BinaryResponse
)
async def artifact_content(
    artifact_id: RowNumber, session: Session, context: CurrentContext, conditions: ContentQuery
) -> Response:
    """Stream an artifact."""
    return await context.artifacts.serve(artifact_id, session, conditions)
