"""Scheduling of monitors: after new rows, with a quiet time, and by the clock."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from sqlalchemy import cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

from services.monitor.framework.declaration import Monitor
from shared.database.engine import Database
from shared.database.leadership import keep_leading
from shared.database.locks import AdvisoryLock
from shared.database.models.monitoring import MonitorRun, Outcome
from shared.database.models.operations import Event, Job, JobState, Stage
from shared.events import EventName
from shared.jobs.events import Outbox, add_job, send
from shared.jobs.inputs import monitor_inputs
from shared.jobs.routing import NewJob
from shared.jobs.sequencer import newest_place
from shared.jobs.subjects import about
from shared.logs import get_logger
from shared.settings import MonitorSettings
from shared.worker.broker import Messenger

__all__ = ["Scheduler", "request_run"]

_ROWS_CHANGED = (EventName.DATASET_INGESTED, EventName.TABLES_CHANGED, EventName.MONITOR_UPDATED)


async def request_run(
    session: AsyncSession, monitor: Monitor, outbox: Outbox, *, occasion: dict[str, Any]
) -> None:
    """Write the job of a run, unless the same is there already.

    Parameters
    ----------
    session
        Session of a transaction.
    monitor
        The monitor.
    outbox
        Receives its message.
    occasion
        What makes this run another than the one before; ``forced`` makes it compute even where
        nothing is new. A run that takes the place of a forced one that has not ended is forced too.
    """
    generation = await newest_place(session)
    forced = "forced" in occasion or await _forced_waits(session, monitor)
    payload = {"generation": generation, "forced": forced}
    depends_on = monitor_inputs(monitor.versions, occasion)
    await add_job(session, monitor.name, NewJob(Stage.MONITOR, payload, depends_on), outbox)


async def _forced_waits(session: AsyncSession, monitor: Monitor) -> bool:
    """Return whether a requested run of a monitor has not ended."""
    query = select(Job.id).where(
        about(Job, monitor.name),
        Job.stage == Stage.MONITOR,
        Job.state.in_((JobState.QUEUED, JobState.RUNNING)),
        Job.payload["forced"].as_boolean(),
    )
    return (await session.execute(query.limit(1))).first() is not None


class Scheduler:
    """Asks for runs; one leads at a time.

    Parameters
    ----------
    database
        Database.
    messenger
        Sends the messages of the jobs.
    settings
        Pauses.
    monitors
        The monitors.
    """

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        settings: MonitorSettings,
        monitors: Iterable[Monitor],
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._settings = settings
        self._monitors = list(monitors)

    async def run(self) -> None:
        """Lead whenever no other scheduler does, until cancelled."""
        await keep_leading(
            self._database, AdvisoryLock.SCHEDULER, self._settings.look_seconds, self._lead
        )

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        async for _ in turns:
            await self.check_all()

    async def check_all(self) -> None:
        """Ask for the runs that are due.

        A monitor that cannot be checked keeps no other waiting.
        """
        for monitor in self._monitors:
            try:
                await self.check(monitor)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others come next
                get_logger().warning("monitor not checked", monitor=monitor.name, error=str(error))

    async def check(self, monitor: Monitor) -> None:
        """Ask for a run of a monitor if one is due."""
        outbox = Outbox()
        async with self._database.transaction() as session:
            seen = await self._seen(session, monitor)
            new = await self._news(session, monitor, seen)
            if new.count and (
                new.quiet >= self._settings.quiet_seconds
                or new.waited >= self._settings.longest_wait_seconds
            ):
                await request_run(session, monitor, outbox, occasion={"event": new.newest})
            elif not new.count and (last := await self._overdue(session, monitor)) is not None:
                await request_run(session, monitor, outbox, occasion={"after run": last})
        await send(self._messenger, outbox)

    async def _seen(self, session: AsyncSession, monitor: Monitor) -> int:
        """Return the newest event that a run of these versions reflects."""
        found = await session.execute(
            select(func.coalesce(func.max(MonitorRun.generation), 0)).where(
                MonitorRun.monitor == monitor.name,
                MonitorRun.outcome != Outcome.NO_NEW_DATA,
                MonitorRun.versions == monitor.versions,
            )
        )
        return int(found.scalar_one())

    async def _overdue(self, session: AsyncSession, monitor: Monitor) -> int | None:
        """Return the newest run, if that is longer ago than the cadence."""
        last = (
            await session.execute(
                select(MonitorRun.id, MonitorRun.created_at < func.now() - monitor.cadence)
                .where(MonitorRun.monitor == monitor.name)
                .order_by(MonitorRun.id.desc())
                .limit(1)
            )
        ).one_or_none()
        return int(last[0]) if last is not None and last[1] else None

    async def _news(self, session: AsyncSession, monitor: Monitor, seen: int) -> Any:
        """Return the count of newer events that brought rows, the newest one, and seconds since the
        last and the first.
        """
        tables = cast(sorted(monitor.tables), ARRAY(String))
        return (
            await session.execute(
                select(
                    func.count().label("count"),
                    func.max(Event.sequence).label("newest"),
                    # Either way, since the database's clock may have been put back.
                    func.abs(func.extract("epoch", func.now() - func.max(Event.at))).label("quiet"),
                    func.abs(func.extract("epoch", func.now() - func.min(Event.at))).label(
                        "waited"
                    ),
                ).where(
                    Event.name.in_(_ROWS_CHANGED),
                    Event.sequence > seen,
                    func.jsonb_exists_any(Event.detail["rows"], tables),
                )
            )
        ).one()
