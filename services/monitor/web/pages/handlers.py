"""The pages: overview, datasets, one dataset."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.monitor.queries.alerts import list_standing_alerts
from services.monitor.queries.calibrations import calibrations_by_run, list_calibrations
from services.monitor.queries.comparisons import list_comparable_runs
from services.monitor.queries.datasets import (
    DatasetChoice,
    describe_dataset,
    find_dataset,
    list_datasets,
    timeline_of,
)
from services.monitor.queries.jobs import JobChoice, list_jobs
from services.monitor.queries.lamp_flashes import lamp_flashes_of
from services.monitor.queries.monitors import (
    describe_monitor,
    find_monitor,
    list_artifacts,
    list_monitors,
    list_runs,
)
from services.monitor.queries.status import read_status
from services.monitor.web.cached_routes import CachedRoute, cached
from services.monitor.web.dependencies import Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.pages.rendering import templates
from shared.cos.names import STANDALONE
from shared.database.models.operations import DatasetState, JobState
from shared.jobs.routing import ACQUISITION, ASSOCIATION, EXPOSURE, PRODUCTS

__all__ = ["router"]

router = APIRouter(include_in_schema=False, route_class=CachedRoute)
_LISTED, _PAGE = 20, 100
_KINDS = (ASSOCIATION, EXPOSURE, ACQUISITION, PRODUCTS, *STANDALONE.values())


@router.get("/", response_class=HTMLResponse)
async def overview(request: Request, session: Session) -> Response:
    """Show counts per state, what failed and the newest datasets."""
    failures = await list_jobs(session, JobChoice(JobState.FAILED), _LISTED)
    recent = await list_datasets(session, DatasetChoice(), _LISTED)
    context: dict[str, Any] = {
        "status": await read_status(session),
        "states": list(DatasetState),
        "datasets": recent.items,
        "failures": failures.items,
    }
    return templates.TemplateResponse(request, "overview.html", context)


@router.get("/datasets", response_class=HTMLResponse)
async def datasets_page(
    request: Request,
    session: Session,
    state: str = "",
    kind: str = "",
    rootname: str = "",
    cursor: str | None = None,
) -> Response:
    """Show datasets by state, kind and beginning of the rootname.

    A form sends what was left empty as such.
    """
    for name, value, known in (("state", state, list(DatasetState)), ("kind", kind, _KINDS)):
        if value and value not in known:
            raise ApiError(
                400, "bad_value", f"{value!r} is not a {name}; choose from {', '.join(known)}"
            )
    chosen = DatasetState(state) if state else None
    choice = DatasetChoice(chosen, kind or None, rootname.strip() or None)
    found = await list_datasets(session, choice, _PAGE, cursor)
    address = request.url.include_query_params(cursor=found.cursor)
    context = {
        "states": list(DatasetState),
        "kinds": _KINDS,
        "chosen": {"state": state, "kind": kind, "rootname": rootname},
        "datasets": found.items,
        "next": address.query if found.cursor else None,
        "first": cursor is None,
    }
    return templates.TemplateResponse(request, "datasets.html", context)


@router.get("/datasets/{rootname}", response_class=HTMLResponse)
async def dataset_page(request: Request, rootname: str, session: Session) -> Response:
    """Show one dataset: state, spectrum, lamp shifts, timeline, files, runs."""
    found = await find_dataset(session, rootname)
    dataset = await describe_dataset(session, found)
    runs = await list_comparable_runs(session, found.id)
    recalibrations = await list_calibrations(session, found.id, _LISTED)
    context = {
        "dataset": dataset,
        "member": found.member,
        "has_spectrum": any(file.suffix in ("x1d", "x1dsum") for file in dataset.files),
        "timeline": (await timeline_of(session, found)).items,
        "flashes": await lamp_flashes_of(session, [dataset.rootname, *dataset.members]),
        "recalibrations": recalibrations.items,
        "recalibrated": await calibrations_by_run(session, found.id),
        "runs": runs,
        "chosen": (
            next((run.id for run in runs if run.current), None),
            runs[0].id if runs else None,
            None,
        ),
    }
    return templates.TemplateResponse(request, "dataset.html", context)


@router.get("/monitors", response_class=HTMLResponse)
@cached(ages=True)
async def monitors_page(request: Request, session: Session) -> Response:
    """Show which monitors are fresh, stale or alarming."""
    content = {
        "monitors": await list_monitors(session),
        "alerts": await list_standing_alerts(session),
        "address": "/api/v1/alerts",
    }
    return templates.TemplateResponse(request, "monitors.html", content)


@router.get("/monitors/{name}", response_class=HTMLResponse)
@cached(monitor="name", ages=True)
async def monitor_page(
    request: Request, name: str, session: Session, cursor: str | None = None
) -> Response:
    """Show one monitor: figures, numbers, runs, files (a page of them after a cursor), what it
    means.
    """
    monitor = find_monitor(name)
    artifacts = await list_artifacts(session, monitor, _PAGE, cursor)
    content = {
        "monitor": await describe_monitor(session, monitor),
        "alerts": await list_standing_alerts(session, name),
        "address": f"/api/v1/alerts?monitor={name}",
        "artifacts": artifacts.items,
        "more_artifacts": artifacts.cursor,
        "runs": (await list_runs(session, monitor, _LISTED)).items,
    }
    return templates.TemplateResponse(request, "monitor.html", content)
