"""Alerts that no monitor's rule raises.

About subscriptions, stages that wait, stored files, failed runs.
"""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.monitoring import Alert, AlertState, Severity
from shared.events import EventName
from shared.jobs.events import NewEvent, Outbox, record_event

__all__ = ["OPERATIONS", "open_alert", "record_alert", "resolve_alerts"]

OPERATIONS = "operations"
"""What alerts about the system itself are of, where others name a monitor."""


async def open_alert(
    session: AsyncSession,
    key: str,
    severity: Severity,
    message: str,
    *,
    rule: str,
    source: str = "",
    subject: str = OPERATIONS,
    rootname: str | None = None,
) -> bool:
    """Open an alert, or bring the open one of the same key up to date.

    Returns whether it was opened.

    Parameters
    ----------
    session
        Session of a transaction.
    key
        What it is about: the same trouble is one alert.
    severity
        How severe it is.
    message
        What is wrong, and what to do.
    rule
        When there is such an alert, in words.
    source
        Where the rule is from.
    subject
        Monitor that it is about; of the system itself if left out.
    rootname
        Exposure or dataset that it is about, if any.
    """
    known = await _unresolved(session, subject, key)
    order = list(Severity)
    new = known is None or order.index(severity) > order.index(known.severity)
    alert = known or Alert(monitor=subject, key=key, rule=rule, source=source, rootname=rootname)
    alert.severity, alert.message = severity, message
    if new:
        alert.state = AlertState.OPEN
    session.add(alert)
    await session.flush()
    if new:
        await record_alert(session, EventName.ALERT_OPENED, alert)
    return new


async def resolve_alerts(session: AsyncSession, key: str, *, subject: str = OPERATIONS) -> bool:
    """Resolve the alert of a key. Returns whether there was one that was not resolved.

    Parameters
    ----------
    session
        Session of a transaction.
    key
        What it is about.
    subject
        Monitor that it is about; of the system itself if left out.
    """
    alert = await _unresolved(session, subject, key)
    if alert is None:
        return False
    alert.state, alert.resolved_at = AlertState.RESOLVED, func.now()
    await session.flush()
    await record_alert(session, EventName.ALERT_RESOLVED, alert)
    return True


async def record_alert(session: AsyncSession, name: EventName, alert: Alert) -> None:
    """Write the event that says what became of an alert.

    Parameters
    ----------
    session
        Session of the transaction that changed it.
    name
        Name of the event.
    alert
        The alert.
    """
    detail = {
        "alert": alert.id,
        "severity": alert.severity.value,
        "message": alert.message,
        "value": alert.value,
        "threshold": alert.threshold,
        "rootname": alert.rootname,
    }
    # An event about a monitor causes no jobs, so nothing is left to send.
    await record_event(session, alert.monitor, NewEvent(name, detail), Outbox())


async def _unresolved(session: AsyncSession, subject: str, key: str) -> Alert | None:
    found = await session.execute(
        select(Alert)
        .where(Alert.monitor == subject, Alert.key == key, Alert.state != AlertState.RESOLVED)
        .with_for_update()
    )
    return found.scalar_one_or_none()
