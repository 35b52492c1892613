"""Alerts: pages of them, and those that stand."""

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.monitors import find_monitor
from services.monitor.queries.pages import Records, decode_cursor, encode_cursor, split
from services.monitor.response_models.alerts import AlertRecord
from shared.alerts import OPERATIONS
from shared.database.models.monitoring import Alert, AlertState, Severity

__all__ = ["AlertFilter", "StandingAlerts", "alert_subject", "list_alerts", "list_standing_alerts"]

_FIRST, _MOST = 8, 100
"""Standing alerts that are shown at first, and of all."""


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts are listed; None for any.

    Attributes
    ----------
    state
        Their state.
    monitor
        Name of the monitor, or ``operations``.
    severity
        This severity or a more severe one.
    rootname
        Rootname that they are about.
    """

    state: AlertState | None = None
    monitor: str | None = None
    severity: Severity | None = None
    rootname: str | None = None


@dataclass(frozen=True)
class StandingAlerts:
    """Unresolved alerts.

    Attributes
    ----------
    first
        The few that matter most.
    others
        Those after them.
    left_out
        Number of those that are in neither.
    """

    first: list[AlertRecord]
    others: list[AlertRecord]
    left_out: int


def alert_subject(name: str) -> str:
    """Check the name of a monitor, or that of the system itself.

    Raises
    ------
    NotFoundError
        If there is no such monitor.
    """
    return name if name == OPERATIONS else find_monitor(name).name


async def list_alerts(
    session: AsyncSession, wanted: AlertFilter, limit: int, cursor: str | None
) -> Records[AlertRecord]:
    """List alerts, newest first."""
    query = select(Alert).order_by(Alert.id.desc())
    if wanted.state is not None:
        query = query.where(Alert.state == wanted.state)
    if wanted.monitor is not None:
        query = query.where(Alert.monitor == alert_subject(wanted.monitor))
    if wanted.severity is not None:
        levels = list(Severity)
        query = query.where(Alert.severity.in_(levels[levels.index(wanted.severity) :]))
    if wanted.rootname is not None:
        query = query.where(Alert.rootname == wanted.rootname.lower())
    if (after := decode_cursor(cursor, int)) is not None:
        query = query.where(Alert.id < after[0])
    found, more = split((await session.scalars(query.limit(limit + 1))).all(), limit)
    return Records(
        [AlertRecord.model_validate(alert) for alert in found],
        encode_cursor((found[-1].id,)) if more else None,
    )


async def list_standing_alerts(session: AsyncSession, monitor: str | None = None) -> StandingAlerts:
    """List unresolved alerts of a monitor, or of all.

    Those that nobody acknowledged come first, of these the most severe, then the newest.
    """
    severity = case({name: number for number, name in enumerate(Severity)}, value=Alert.severity)
    query = select(Alert, func.count().over()).where(Alert.state != AlertState.RESOLVED)
    if monitor is not None:
        query = query.where(Alert.monitor == monitor)
    query = query.order_by(Alert.state != AlertState.OPEN, severity.desc(), Alert.id.desc())
    rows = (await session.execute(query.limit(_MOST))).all()
    found = [AlertRecord.model_validate(alert) for alert, _ in rows]
    left_out = rows[0][1] - len(rows) if rows else 0
    return StandingAlerts(found[:_FIRST], found[_FIRST:], left_out)
