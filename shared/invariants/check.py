"""All invariants at once, by a command or every night, with an alert for each that does not
hold.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from shared.alerts import OPERATIONS, open_alert, resolve_alerts
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.monitoring import Severity
from shared.database.models.operations import Event
from shared.events import EventName
from shared.invariants.database import check_database
from shared.invariants.stored_files import check_content, check_orphans, check_presence
from shared.invariants.violation import Violation
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.logs import get_logger
from shared.settings import CheckSettings
from shared.store import Store

__all__ = ["CheckResult", "check", "keep_checking", "report"]

_ALERT = "invariants"
_DONE = EventName.INVARIANTS_CHECKED
_LOOK_SECONDS = 600.0
_NAMED = 3
"""Cases that an alert names."""


@dataclass(frozen=True)
class CheckResult:
    """What was found."""

    violations: Sequence[Violation]

    @property
    def by_invariant(self) -> dict[str, list[Violation]]:
        """Violations by the invariant that does not hold."""
        found: dict[str, list[Violation]] = defaultdict(list)
        for violation in self.violations:
            found[violation.invariant].append(violation)
        return dict(found)


async def check(
    database: Database, store: Store, *, sample: int | None = 200, orphan_seconds: float = 3600.0
) -> CheckResult:
    """Check all invariants.

    Parameters
    ----------
    database
        Database.
    store
        Store of the files.
    sample
        How many files are read whole, those that were not read for longest first; None for all.
    orphan_seconds
        Age from which a file that no table names is an orphan.

    Raises
    ------
    TransientError
        If the database or the store cannot be read.
    """
    async with database.session() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        found = await check_database(session)
    found += await check_presence(database, store)
    found += await check_content(database, store, sample)
    found += await check_orphans(database, store, orphan_seconds)
    return CheckResult(found)


async def report(database: Database, result: CheckResult) -> None:
    """Record the check; open an alert if something does not hold, and resolve it if all does.

    Parameters
    ----------
    database
        Database.
    result
        What was found.
    """
    found = result.by_invariant
    async with database.transaction() as session:
        if found:
            rule = "an invariant does not hold"
            await open_alert(session, _ALERT, Severity.CRITICAL, _message(found), rule=rule)
        else:
            await resolve_alerts(session, _ALERT)
        detail = {"violations": {name: len(cases) for name, cases in found.items()}}
        await record_event(session, OPERATIONS, NewEvent(_DONE, detail), Outbox())


def _message(found: Mapping[str, Sequence[Violation]]) -> str:
    parts = []
    for name, cases in sorted(found.items()):
        named = "; ".join(f"{case.subject}: {case.message}" for case in cases[:_NAMED])
        parts.append(f"violated {len(cases)} times: {name} ({named})")
    return ", and ".join(parts) + "; `cosmo check` lists all"


async def keep_checking(database: Database, store: Store, settings: CheckSettings) -> None:
    """Check in intervals, as the one that leads, until cancelled.

    Parameters
    ----------
    database
        Database.
    store
        Store of the files.
    settings
        The interval, and how much is read.
    """
    pause = min(_LOOK_SECONDS, settings.interval_seconds)

    async def lead(turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            if await _is_due(database, settings.interval_seconds):
                result = await check(database, store, sample=settings.sample)
                await report(database, result)
                get_logger().info("invariants checked", violations=len(result.violations))

    await asyncio.sleep(pause)  # what a start has to do comes first
    await keep_leading(database, AdvisoryLock.CHECK, pause, lead)


async def _is_due(database: Database, interval: float) -> bool:
    """Return whether the last check is longer ago than the interval."""
    recent = select(Event.id).where(
        Event.name == _DONE, Event.at > func.now() - timedelta(seconds=interval)
    )
    async with database.session() as session:
        return (await session.execute(recent.limit(1))).first() is None
