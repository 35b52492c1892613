"""Monitors: their state, rules, runs and files."""

from typing import Any

from sqlalchemy import ARRAY, String, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.declaration import Monitor
from services.monitor.framework.freshness import freshness_of
from services.monitor.framework.rules import Rule
from services.monitor.monitors import monitors
from services.monitor.queries.errors import NotFoundError
from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.monitors import (
    ArtifactRecord,
    FigureSummary,
    MonitorDescription,
    MonitorSummary,
    RuleDescription,
    RunRecord,
    Threshold,
)
from shared.database.models.monitoring import (
    Alert,
    AlertState,
    Artifact,
    MonitorFigure,
    MonitorRun,
    Outcome,
    Severity,
)
from shared.store import StoredFile

__all__ = [
    "describe_monitor",
    "find_artifact",
    "find_monitor",
    "list_artifacts",
    "list_figures",
    "list_monitors",
    "list_runs",
]

_DAY = 86400.0


def find_monitor(name: str) -> Monitor:
    """Find a monitor by its name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = monitors().get(name)
    if found is None:
        raise NotFoundError(
            "unknown_monitor", f"no monitor {name!r}; there are {', '.join(monitors())}"
        )
    return found


async def _last_runs(session: AsyncSession, *names: str) -> dict[str, MonitorRun]:
    """Newest run of each of some monitors that computed something or failed."""
    name = func.unnest(literal(list(names), ARRAY(String))).column_valued("name")
    # Of each monitor by the index: a maximum by monitor would read every run there was.
    newest = (
        select(MonitorRun.id)
        .where(MonitorRun.monitor == name, MonitorRun.outcome != Outcome.NO_NEW_DATA)
        .order_by(MonitorRun.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    each = select(name, newest.label("id")).subquery()
    found = await session.execute(select(MonitorRun).join(each, MonitorRun.id == each.c.id))
    return {run.monitor: run for run in found.scalars()}


async def _open_alerts(session: AsyncSession) -> dict[str, dict[Severity, int]]:
    """Unresolved alerts of each monitor by severity."""
    found = await session.execute(
        select(Alert.monitor, Alert.severity, func.count())
        .where(Alert.state != AlertState.RESOLVED)
        .group_by(Alert.monitor, Alert.severity)
    )
    counts: dict[str, dict[Severity, int]] = {}
    for name, severity, count in found:
        counts.setdefault(name, {})[severity] = count
    return counts


def _summary(
    monitor: Monitor, run: MonitorRun | None, alerts: dict[Severity, int]
) -> dict[str, Any]:
    """Fields of the summary of a monitor."""
    return {
        "name": monitor.name,
        "title": monitor.title,
        "detector": monitor.detector,
        "freshness": freshness_of(monitor, run),
        "cadence_days": monitor.cadence.total_seconds() / _DAY,
        "last_run": run,
        "alerts": alerts,
        "worst_alert": max(alerts, key=list(Severity).index, default=None),
    }


async def list_monitors(session: AsyncSession) -> list[MonitorSummary]:
    """Summarise every monitor."""
    runs, alerts = await _last_runs(session, *monitors()), await _open_alerts(session)
    return [
        MonitorSummary(**_summary(monitor, runs.get(name), alerts.get(name, {})))
        for name, monitor in monitors().items()
    ]


def _rule(rule: Rule) -> RuleDescription:
    return RuleDescription(
        name=rule.name,
        severity=rule.severity.value if rule.severity else None,
        text=rule.words,
        thresholds=[
            Threshold(from_mjd=one.mjd, value=one.value, source=one.source)
            for one in rule.thresholds
        ],
        source=rule.thresholds[-1].source if rule.thresholds else rule.source,
    )


async def list_figures(session: AsyncSession, monitor: Monitor) -> list[FigureSummary]:
    """List the figures of a monitor in the order of its page."""
    found = await session.execute(
        select(MonitorFigure.name, MonitorFigure.title, MonitorFigure.caption)
        .where(MonitorFigure.monitor == monitor.name)
        .order_by(MonitorFigure.position)
    )
    return [FigureSummary.model_validate(row) for row in found]


async def describe_monitor(session: AsyncSession, monitor: Monitor) -> MonitorDescription:
    """Describe a monitor: what it means, its state, its rules, its numbers, its figures."""
    runs, alerts = await _last_runs(session, monitor.name), await _open_alerts(session)
    run = runs.get(monitor.name)
    return MonitorDescription(
        **_summary(monitor, run, alerts.get(monitor.name, {})),
        explanation=monitor.explanation,
        version=monitor.version,
        tables=sorted(monitor.tables),
        quantities=dict(monitor.quantities),
        rules=[_rule(rule) for rule in monitor.rules],
        statistics=run.statistics if run else {},
        figures=await list_figures(session, monitor),
    )


async def list_runs(
    session: AsyncSession, monitor: Monitor, limit: int, cursor: str | None = None
) -> Records[RunRecord]:
    """List runs of a monitor, newest first."""
    query = (
        select(MonitorRun).where(MonitorRun.monitor == monitor.name).order_by(MonitorRun.id.desc())
    )
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(MonitorRun.id < after[0])
    found, more = split((await session.scalars(query.limit(limit + 1))).all(), limit)
    return Records(
        [RunRecord.model_validate(run) for run in found],
        encode_cursor((found[-1].id,)) if more else None,
    )


async def list_artifacts(
    session: AsyncSession,
    monitor: Monitor,
    limit: int,
    cursor: str | None = None,
    *,
    current: bool = True,
) -> Records[ArtifactRecord]:
    """List files of a monitor, newest first.

    Parameters
    ----------
    session
        Session to read in.
    monitor
        The monitor.
    limit
        Files of a page.
    cursor
        Cursor of the page; None for the first one.
    current
        Only those that are in force.
    """
    query = select(Artifact).where(Artifact.monitor == monitor.name).order_by(Artifact.id.desc())
    if current:
        query = query.where(Artifact.current)
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Artifact.id < after[0])
    found, more = split((await session.scalars(query.limit(limit + 1))).all(), limit)
    return Records(
        [ArtifactRecord.model_validate(artifact) for artifact in found],
        encode_cursor((found[-1].id,)) if more else None,
    )


async def find_artifact(session: AsyncSession, artifact_id: int) -> StoredFile:
    """Find the file of an artifact.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = await session.get(Artifact, artifact_id)
    if row is None:
        raise NotFoundError(
            "unknown_artifact", f"no artifact {artifact_id}; a monitor's page lists its own"
        )
    return StoredFile(row.path, row.name, row.size, row.sha256)
