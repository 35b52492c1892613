"""Monitors: state, values, figures, runs, artifacts."""

import asyncio
import gzip
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from services.monitor.framework.scheduling import request_run
from services.monitor.queries.monitors import (
    artifacts_of,
    describe_monitor,
    drawing_of,
    find_monitor,
    list_monitors,
    runs_of,
)
from services.monitor.queries.pages import decode_cursor
from services.monitor.tables.query import ListingQuery, select_rows, serve
from services.monitor.web.dependencies import CurrentContext, Operator, Session
from services.monitor.web.file_responses import ContentQuery
from services.monitor.web.pagination import page
from shared.database.models.monitoring import Artifact, MonitorValue
from shared.jobs.events import Outbox
from shared.logs import get_logger

__all__ = ["artifacts_router", "router"]

router = APIRouter(prefix="/monitors", tags=["monitors"])
artifacts_router = APIRouter(prefix="/artifacts", tags=["monitors"])
_MEDIA_TYPES = {"json": "application/json", "png": "image/png", "svg": "image/svg+xml"}


@router.get("", summary="Monitors: freshness, last outcome, open alerts")
async def index(request: Request, session: Session, context: CurrentContext) -> Response:
    """List the monitors."""

    async def make() -> dict[str, Any]:
        return {"items": await list_monitors(session)}

    return await context.answers.give(request, session, make, ages=True)


@router.get("/{name}", summary="A monitor: description, state, statistics, figures")
async def show_monitor(
    name: str, request: Request, session: Session, context: CurrentContext
) -> Response:
    """Describe one monitor."""
    monitor = find_monitor(name)
    return await context.answers.give(
        request,
        session,
        lambda: describe_monitor(session, monitor),
        monitor=monitor.name,
        ages=True,
    )


@router.get("/{name}/data", summary="Values with outlier flag, run and file")
async def show_data(
    name: str,
    request: Request,
    response: Response,
    session: Session,
    context: CurrentContext,
    listing: ListingQuery,
) -> Response:
    """Page of values as JSON, or up to 100,000 of them as a file.

    Filter with ``?column__operator=value``.
    """
    monitor = find_monitor(name)
    query = select_rows(MonitorValue, listing).where(
        MonitorValue.__table__.c.monitor == monitor.name
    )

    async def make() -> Any:
        answer = await serve(session, MonitorValue, query, listing, request, response)
        if isinstance(answer, dict):
            answer["quantities"] = {
                key: {"unit": quantity.unit, "description": quantity.description}
                for key, quantity in monitor.quantities.items()
            }
        return answer

    return await context.answers.give(request, session, make, response, monitor=monitor.name)


@router.get("/{name}/figures", summary="Figures of a monitor")
async def list_figures(
    name: str, request: Request, session: Session, context: CurrentContext
) -> Response:
    """List the figures."""
    monitor = find_monitor(name)

    async def make() -> dict[str, Any]:
        return {"items": (await describe_monitor(session, monitor))["figures"]}

    return await context.answers.give(request, session, make, monitor=monitor.name)


@router.get("/{name}/figures/{figure}", summary="A figure as Plotly JSON, PNG or SVG")
async def show_figure(
    name: str,
    figure: str,
    request: Request,
    session: Session,
    context: CurrentContext,
    format: Annotated[Literal["json", "png", "svg"], Query()] = "json",  # noqa: A002 - the name of the query parameter
    columns: Annotated[
        int | None, Query(ge=1, description="Maximum number of panels in a row; 1 on a phone")
    ] = None,
) -> Response:
    """Give a figure."""
    monitor = find_monitor(name)
    gzipped = format != "png"
    as_it_is = not gzipped or "gzip" in request.headers.get("accept-encoding", "")

    async def make() -> Response:
        drawing = await drawing_of(session, monitor, figure, format, columns)
        if not as_it_is:
            drawing = await asyncio.to_thread(gzip.decompress, drawing)
        headers = {"Content-Encoding": "gzip"} if gzipped and as_it_is else {}
        return Response(drawing, media_type=_MEDIA_TYPES[format], headers=headers)

    return await context.answers.give(
        request, session, make, monitor=monitor.name, variant="" if as_it_is else "unpacked"
    )


@router.get("/{name}/runs", summary="Runs of a monitor, newest first")
async def list_runs(
    name: str,
    request: Request,
    response: Response,
    session: Session,
    context: CurrentContext,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> Response:
    """Page of runs."""
    monitor, after = find_monitor(name), decode_cursor(cursor, int)

    async def make() -> dict[str, Any]:
        items, more = await runs_of(session, monitor, limit, after[0] if after else None)
        return page(request, response, items, (items[-1]["id"],) if more else None)

    return await context.answers.give(request, session, make, response, monitor=monitor.name)


@router.post("/{name}/runs", summary="Compute a monitor now", status_code=202)
async def start_run(name: str, session: Session, token: Operator) -> dict[str, str]:
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
    return {"monitor": name, "status": "requested"}


@router.get("/{name}/artifacts", summary="Files of a monitor, newest first")
async def list_artifacts(
    name: str,
    request: Request,
    response: Response,
    session: Session,
    context: CurrentContext,
    current: Annotated[bool, Query(description="Only active ones")] = True,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> Response:
    """Page of artifacts."""
    monitor, after = find_monitor(name), decode_cursor(cursor, int)

    async def make() -> dict[str, Any]:
        found, more = await artifacts_of(
            session, monitor, limit, after[0] if after else None, current=current
        )
        return page(
            request,
            response,
            [_described(item) for item in found],
            (found[-1].id,) if more else None,
        )

    return await context.answers.give(request, session, make, response, monitor=monitor.name)


def _described(artifact: Artifact) -> dict[str, Any]:
    names = ("id", "run_id", "kind", "name", "size", "sha256", "detail", "current")
    return {name: getattr(artifact, name) for name in names} | {
        "created_at": artifact.created_at.isoformat()
    }


@artifacts_router.get(
    "/{artifact_id}/content", summary="Bytes of an artifact", response_class=Response
)
async def artifact_content(
    artifact_id: int, session: Session, context: CurrentContext, conditions: ContentQuery
) -> Response:
    """Stream an artifact."""
    return await context.artifacts.serve(artifact_id, session, conditions)
