"""Alerts: what rules find opens them, what they no longer find resolves them."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.framework.declaration import Finding
from shared.alerts import record_alert
from shared.database.models.monitoring import Alert, AlertState
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event

__all__ = ["acknowledge", "write_alerts"]


async def write_alerts(
    session: AsyncSession, monitor: str, run_id: int, findings: Sequence[Finding]
) -> dict[str, int]:
    """Open, confirm and resolve the alerts of a monitor.

    An alert that somebody acknowledged stays so for as long as it is found; one that became more
    severe opens again.

    Parameters
    ----------
    session
        Session of the transaction that writes the run.
    monitor
        Name of the monitor.
    run_id
        Its run.
    findings
        All that its rules found.

    Returns
    -------
    dict of str to int
        How many were opened and resolved.
    """
    unresolved = {
        alert.key: alert
        for alert in (
            # Locked before the first event: who acknowledges takes the alert and the lock of the
            # events in this order.
            await session.execute(
                select(Alert)
                .where(Alert.monitor == monitor, Alert.state != AlertState.RESOLVED)
                .with_for_update()
            )
        ).scalars()
    }
    found = {finding.key: finding for finding in findings}
    opened = 0
    for key, finding in found.items():
        known = unresolved.get(key)
        if known is None or _more_severe(finding, known):
            opened += 1
            await _open(session, monitor, run_id, finding, known)
        else:
            known.run_id, known.value, known.message = run_id, finding.value, finding.message
            known.severity = finding.severity
    gone = [alert for key, alert in unresolved.items() if key not in found]
    for alert in gone:
        alert.state = AlertState.RESOLVED
        alert.resolved_at = func.now()
        await record_alert(session, EventName.ALERT_RESOLVED, alert)
    await session.flush()
    return {"opened": opened, "resolved": len(gone)}


def _more_severe(finding: Finding, known: Alert) -> bool:
    order = list(type(finding.severity))
    return order.index(finding.severity) > order.index(known.severity)


async def _open(
    session: AsyncSession, monitor: str, run_id: int, finding: Finding, known: Alert | None
) -> None:
    alert = known or Alert(monitor=monitor, key=finding.key, rule=finding.text)
    alert.run_id, alert.severity, alert.message = run_id, finding.severity, finding.message
    alert.value, alert.threshold, alert.source = finding.value, finding.threshold, finding.source
    alert.rootname, alert.state = finding.rootname, AlertState.OPEN
    session.add(alert)
    await session.flush()
    await record_alert(session, EventName.ALERT_OPENED, alert)


async def acknowledge(session: AsyncSession, alert_id: int, name: str) -> bool:
    """Acknowledge an open alert. False where there is none.

    Parameters
    ----------
    session
        Session of a transaction.
    alert_id
        The alert.
    name
        Who says so.
    """
    found = await session.execute(
        update(Alert)
        .where(Alert.id == alert_id, Alert.state == AlertState.OPEN)
        .values(state=AlertState.ACKNOWLEDGED, acknowledged_at=func.now(), acknowledged_by=name)
        .returning(Alert.monitor)
    )
    monitor = found.scalar_one_or_none()
    if monitor is None:
        return False
    await record_event(
        session,
        monitor,
        NewEvent(EventName.ALERT_ACKNOWLEDGED, {"alert": alert_id, "by": name}),
        Outbox(),
    )
    return True
