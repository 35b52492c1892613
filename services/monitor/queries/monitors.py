"""Queries for monitors."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anyio import CapacityLimiter, to_process
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.figures import figure_from_json
from services.monitor.figures.matplotlib import draw
from services.monitor.figures.packing import pack
from services.monitor.figures.plotly import to_plotly
from services.monitor.framework.declaration import Monitor
from services.monitor.framework.freshness import freshness_of
from services.monitor.framework.rules import Rule
from services.monitor.monitors import monitors
from services.monitor.queries.pages import split
from services.monitor.web.error_responses import ApiError
from shared.database.models.monitoring import (
    Alert,
    AlertState,
    Artifact,
    MonitorFigure,
    MonitorRun,
    Outcome,
    Severity,
)

__all__ = [
    "artifacts_of",
    "describe_monitor",
    "drawing_of",
    "find_monitor",
    "list_monitors",
    "runs_of",
]

_DRAWING = CapacityLimiter(1)
"""Processes that draw."""
_DAY = 86400.0


def find_monitor(name: str) -> Monitor:
    """Monitor by its name.

    Raises
    ------
    ApiError
        404 if there is none.
    """
    found = monitors().get(name)
    if found is None:
        raise ApiError(
            404, "unknown_monitor", f"no monitor {name!r}; there are {', '.join(monitors())}"
        )
    return found


def _run(run: MonitorRun) -> dict[str, Any]:
    names = ("id", "job_id", "outcome", "reason", "generation", "newest_mjd", "versions", "seconds")
    return {name: getattr(run, name) for name in names} | {"created_at": run.created_at.isoformat()}


async def _last_runs(session: AsyncSession) -> dict[str, MonitorRun]:
    """Newest run of each monitor that computed something or failed."""
    newest = (
        select(func.max(MonitorRun.id))
        .where(MonitorRun.outcome != Outcome.NO_NEW_DATA)
        .group_by(MonitorRun.monitor)
    )
    found = await session.execute(select(MonitorRun).where(MonitorRun.id.in_(newest)))
    return {run.monitor: run for run in found.scalars()}


async def _open_alerts(session: AsyncSession) -> dict[str, dict[str, int]]:
    """Unresolved alerts of each monitor by severity."""
    found = await session.execute(
        select(Alert.monitor, Alert.severity, func.count())
        .where(Alert.state != AlertState.RESOLVED)
        .group_by(Alert.monitor, Alert.severity)
    )
    counts: dict[str, dict[str, int]] = {}
    for name, severity, count in found:
        counts.setdefault(name, {})[severity.value] = count
    return counts


def _summary(monitor: Monitor, run: MonitorRun | None, alerts: dict[str, int]) -> dict[str, Any]:
    worst = max((Severity(name) for name in alerts), key=list(Severity).index, default=None)
    return {
        "name": monitor.name,
        "title": monitor.title,
        "detector": monitor.detector,
        "freshness": freshness_of(monitor, run),
        "cadence_days": monitor.cadence.total_seconds() / _DAY,
        "last_run": _run(run) if run else None,
        "alerts": alerts,
        "worst_alert": worst,
    }


async def list_monitors(session: AsyncSession) -> list[dict[str, Any]]:
    """Summarise every monitor."""
    runs, alerts = await _last_runs(session), await _open_alerts(session)
    return [
        _summary(monitor, runs.get(name), alerts.get(name, {}))
        for name, monitor in monitors().items()
    ]


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "severity": rule.severity,
        "text": rule.words,
        "thresholds": [
            {"from_mjd": one.mjd, "value": one.value, "source": one.source}
            for one in rule.thresholds
        ],
        "source": rule.thresholds[-1].source if rule.thresholds else rule.source,
    }


async def describe_monitor(session: AsyncSession, monitor: Monitor) -> dict[str, Any]:
    """Describe a monitor: what it means, its state, its rules, its numbers, its figures."""
    runs, alerts = await _last_runs(session), await _open_alerts(session)
    run = runs.get(monitor.name)
    figures = await session.execute(
        select(MonitorFigure.name, MonitorFigure.title, MonitorFigure.caption)
        .where(MonitorFigure.monitor == monitor.name)
        .order_by(MonitorFigure.position)
    )
    return {
        **_summary(monitor, run, alerts.get(monitor.name, {})),
        "explanation": monitor.explanation,
        "version": monitor.version,
        "tables": sorted(monitor.tables),
        "quantities": {
            name: {"unit": quantity.unit, "description": quantity.description}
            for name, quantity in monitor.quantities.items()
        },
        "rules": [_rule(rule) for rule in monitor.rules],
        "statistics": run.statistics if run else {},
        "figures": [
            {"name": name, "title": title, "caption": caption} for name, title, caption in figures
        ],
    }


async def drawing_of(
    session: AsyncSession, monitor: Monitor, name: str, kind: str, columns: int | None = None
) -> bytes:
    """Drawing of a figure: Plotly JSON or SVG, which are gzipped, or PNG.

    The run made the first, in the figure's own columns; pictures are drawn in a process of their
    own, so that what else this one answers need not wait.

    Parameters
    ----------
    session
        Session to read in; closed while something is drawn.
    monitor
        The monitor.
    name
        Name of the figure.
    kind
        ``json``, ``png`` or ``svg``.
    columns
        Panels beside each other; None for as many as the figure has.

    Raises
    ------
    ApiError
        404 if there is no such figure, or no such drawing of it.
    """
    stored = kind == "json" and columns is None
    column = MonitorFigure.plotly if stored else MonitorFigure.content
    query = select(column).where(MonitorFigure.monitor == monitor.name, MonitorFigure.name == name)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        message = (
            f"{monitor.name} has no figure {name!r}; /api/v1/monitors/{monitor.name} lists them"
        )
        raise ApiError(404, "unknown_figure", message)
    if row[0] is None:
        raise ApiError(404, "not_drawn", f"{monitor.name} did not draw {name}; its next run will")
    if stored:
        return bytes(row[0])
    await session.close()
    if kind == "json":
        return await asyncio.to_thread(_draw, row[0], kind, columns)
    return await to_process.run_sync(_draw, row[0], kind, columns, limiter=_DRAWING)


def _draw(content: dict[str, Any], kind: str, columns: int | None) -> bytes:
    figure = figure_from_json(content)
    if columns is not None:
        figure = replace(figure, columns=min(columns, figure.columns))
    if kind == "json":
        return pack(json.dumps(to_plotly(figure)).encode())
    picture = draw(figure, kind)
    return picture if kind == "png" else pack(picture)


async def runs_of(
    session: AsyncSession, monitor: Monitor, limit: int, before: int | None
) -> tuple[Sequence[dict[str, Any]], bool]:
    """List runs of a monitor, newest first; tell whether there are more."""
    query = (
        select(MonitorRun).where(MonitorRun.monitor == monitor.name).order_by(MonitorRun.id.desc())
    )
    if before is not None:
        query = query.where(MonitorRun.id < before)
    found, more = split((await session.execute(query.limit(limit + 1))).scalars().all(), limit)
    return [_run(run) for run in found], more


async def artifacts_of(
    session: AsyncSession, monitor: Monitor, limit: int, before: int | None, *, current: bool
) -> tuple[Sequence[Artifact], bool]:
    """List files of a monitor, newest first; tell whether there are more.

    Parameters
    ----------
    session
        Session to read in.
    monitor
        The monitor.
    limit
        Files of a page.
    before
        Key of the file that the page comes after; None for the first page.
    current
        Only those that are in force.
    """
    query = select(Artifact).where(Artifact.monitor == monitor.name).order_by(Artifact.id.desc())
    if current:
        query = query.where(Artifact.current)
    if before is not None:
        query = query.where(Artifact.id < before)
    return split((await session.execute(query.limit(limit + 1))).scalars().all(), limit)
