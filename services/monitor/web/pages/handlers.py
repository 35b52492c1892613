"""The pages: overview, datasets, one dataset."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import case, func, select

from services.monitor.framework.declaration import Monitor
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
    artifacts_of,
    describe_monitor,
    find_monitor,
    list_monitors,
    runs_of,
)
from services.monitor.queries.pages import decode_cursor, encode_cursor
from services.monitor.web.api.status import read_status
from services.monitor.web.dependencies import CurrentContext, Session
from services.monitor.web.error_responses import ApiError
from services.monitor.web.pages.rendering import templates
from shared.cos.names import STANDALONE
from shared.database.models.monitoring import Alert, AlertState, Severity
from shared.database.models.operations import DatasetState, JobState
from shared.jobs.routing import ACQUISITION, ASSOCIATION, EXPOSURE, PRODUCTS

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_LISTED, _FOREMOST, _PAGE = 20, 8, 100
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


async def _unresolved(session: Session, monitor: str | None = None) -> dict[str, Any]:
    """Alerts that stand: those that nobody acknowledged first, of these the most severe, then the
    newest.
    """
    grave = case(
        {severity: number for number, severity in enumerate(Severity)}, value=Alert.severity
    )
    query = select(Alert, func.count().over()).where(Alert.state != AlertState.RESOLVED)
    if monitor is not None:
        query = query.where(Alert.monitor == monitor)
    rows = (
        await session.execute(
            query.order_by(Alert.state != AlertState.OPEN, grave.desc(), Alert.id.desc()).limit(
                _PAGE
            )
        )
    ).all()
    alerts = [alert for alert, _ in rows]
    left_out = rows[0][1] - len(rows) if rows else 0
    address = f"/api/v1/alerts?monitor={monitor}" if monitor else "/api/v1/alerts"
    return {
        "foremost": alerts[:_FOREMOST],
        "others": alerts[_FOREMOST:],
        "left_out": left_out,
        "address": address,
    }


@router.get("/monitors", response_class=HTMLResponse)
async def monitors_page(request: Request, session: Session, context: CurrentContext) -> Response:
    """Show which monitors are fresh, stale or alarming."""

    async def make() -> Response:
        content = {"monitors": await list_monitors(session), "alerts": await _unresolved(session)}
        return templates.TemplateResponse(request, "monitors.html", content)

    return await context.answers.give(request, session, make, ages=True)


@router.get("/monitors/{name}", response_class=HTMLResponse)
async def monitor_page(
    request: Request,
    name: str,
    session: Session,
    context: CurrentContext,
    cursor: str | None = None,
) -> Response:
    """Show one monitor: figures, numbers, runs, files (a page of them after a cursor), what it
    means.
    """
    monitor, after = find_monitor(name), decode_cursor(cursor, int)
    before = after[0] if after else None
    return await context.answers.give(
        request,
        session,
        lambda: _show_monitor(request, session, monitor, before),
        monitor=name,
        ages=True,
    )


async def _show_monitor(
    request: Request, session: Session, monitor: Monitor, before: int | None
) -> Response:
    name = monitor.name
    artifacts, more = await artifacts_of(session, monitor, _PAGE, before, current=True)
    runs, _more = await runs_of(session, monitor, _LISTED, None)
    context = {
        "monitor": await describe_monitor(session, monitor),
        "alerts": await _unresolved(session, name),
        "artifacts": artifacts,
        "more_artifacts": encode_cursor((artifacts[-1].id,)) if more else None,
        "runs": runs,
    }
    return templates.TemplateResponse(request, "monitor.html", context)
