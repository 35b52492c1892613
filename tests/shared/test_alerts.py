"""Alerts about the system itself.

One for each trouble, opened once, and told to subscribers by events.
"""

import pytest
from sqlalchemy import select

from shared.alerts import OPERATIONS, open_alert, resolve_alerts
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, AlertState, Severity
from shared.database.models.operations import Event

pytestmark = pytest.mark.integration


async def _raise(database: Database, severity: Severity, message: str) -> bool:
    async with database.transaction() as session:
        return await open_alert(session, "disk", severity, message, rule="a disk is full")


async def test_the_same_trouble_is_one_alert(database: Database) -> None:
    assert await _raise(database, Severity.WARN, "2 GB are free")
    assert not await _raise(database, Severity.WARN, "1 GB is free")
    assert await _raise(database, Severity.ALERT, "nothing is free")
    async with database.transaction() as session:
        assert await resolve_alerts(session, "disk")
        assert not await resolve_alerts(session, "disk")
        assert not await resolve_alerts(session, "other")
    assert await _raise(database, Severity.WARN, "2 GB are free")
    async with database.session() as session:
        alerts = (await session.execute(select(Alert).order_by(Alert.id))).scalars().all()
        events = (await session.execute(select(Event).order_by(Event.id))).scalars().all()
    assert [(alert.monitor, alert.state, alert.message) for alert in alerts] == [
        (OPERATIONS, AlertState.RESOLVED, "nothing is free"),
        (OPERATIONS, AlertState.OPEN, "2 GB are free"),
    ]
    assert [(event.monitor, event.name, event.detail["severity"]) for event in events] == [
        (OPERATIONS, "alert.opened", "warn"),
        (OPERATIONS, "alert.opened", "alert"),
        (OPERATIONS, "alert.resolved", "alert"),
        (OPERATIONS, "alert.opened", "warn"),
    ]
