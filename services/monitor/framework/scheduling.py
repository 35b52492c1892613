"""Scheduling of monitors: after new rows, with a quiet time, and by the clock."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import cast, func, select, text
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
from shared.jobs.sequencer import PLACED, newest_place
from shared.jobs.subjects import about
from shared.logs import get_logger
from shared.settings import MonitorSettings
from shared.worker.broker import Messenger

__all__ = ["Scheduler", "request_run"]

_IDLE_SECONDS = 10.0
"""Pause between two looks while no event comes: what is left to see is that a run is long ago."""
_ROWS_CHANGED = (EventName.DATASET_INGESTED, EventName.TABLES_CHANGED, EventName.MONITOR_UPDATED)


_NEWEST_RUNS = text(
    """
    SELECT m.name, r.id, r.created_at < now() - m.cadence
    FROM unnest(CAST(:names AS text[]), CAST(:cadences AS interval[])) AS m (name, cadence)
    LEFT JOIN LATERAL (
        SELECT id, created_at FROM monitor_runs WHERE monitor = m.name ORDER BY id DESC LIMIT 1
    ) AS r ON true
    """
)


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


@dataclass(frozen=True)
class _Pending:
    """Events that brought rows and that no run reflects.

    The newest, and when the first and the last happened.
    """

    newest: int
    first_at: datetime
    last_at: datetime

    def joined(self, earlier: "_Pending | None") -> "_Pending":
        """Return these and earlier ones as one."""
        if earlier is None:
            return self
        first_at, last_at = min(self.first_at, earlier.first_at), max(self.last_at, earlier.last_at)
        return _Pending(self.newest, first_at, last_at)


@dataclass
class _News:
    """What is known of the events that a monitor waits for, so that none is read twice.

    Attributes
    ----------
    basis
        Newest run of the monitor that was looked at, and the versions that its next run will have.
    seen
        Newest event that a run of these versions reflects.
    counted
        Place in the feed up to which events were counted.
    pending
        Those that brought rows and that no run reflects, as far as they were counted.
    asked
        Occasion of the run that was asked for last.
    """

    basis: tuple[int | None, Mapping[str, Any]] = (None, {})
    seen: int = 0
    counted: int = 0
    pending: _Pending | None = None
    asked: Mapping[str, int] | None = None

    def reflect(self, basis: tuple[int | None, Mapping[str, Any]], seen: int) -> None:
        """Note what runs reflect; other events are counted again."""
        settled = self.seen <= seen and (self.pending is None or self.pending.newest <= seen)
        self.counted = max(self.counted, seen) if settled else seen
        self.basis, self.seen, self.pending, self.asked = basis, seen, None, None


@dataclass(frozen=True)
class _Look:
    """What is newest: the time, the event, and the run of each monitor, with whether it is longer
    ago than the cadence.
    """

    now: datetime
    event: int
    runs: Mapping[str, tuple[int | None, bool]]


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
        self._news: dict[str, _News] = {}

    async def run(self) -> None:
        """Lead whenever no other scheduler does, until cancelled."""
        await keep_leading(
            self._database, AdvisoryLock.SCHEDULER, self._rest, self._lead, channel=PLACED
        )

    def _rest(self) -> float:
        """Return the seconds after which to look where no event comes."""
        ripening = any(
            news.pending is not None and news.asked != {"event": news.pending.newest}
            for news in self._news.values()
        )
        return 0.0 if ripening else _IDLE_SECONDS

    async def _lead(self, turns: AsyncIterator[None]) -> None:
        self._news.clear()
        async for _ in turns:
            await self.check_all()
            await asyncio.sleep(self._settings.look_seconds)

    async def check_all(self) -> None:
        """Ask for the runs that are due.

        A monitor that cannot be checked keeps no other waiting.
        """
        look = await self._look()
        for monitor in self._monitors:
            try:
                await self._check(monitor, look)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others come next
                get_logger().warning("monitor not checked", monitor=monitor.name, error=str(error))

    async def _look(self) -> _Look:
        """See what is newest, in a time that does not depend on the history."""
        known = {
            "names": [monitor.name for monitor in self._monitors],
            "cadences": [monitor.cadence for monitor in self._monitors],
        }
        async with self._database.session() as session:
            now = (await session.execute(select(func.now()))).scalar_one()
            event = await newest_place(session)
            runs = (await session.execute(_NEWEST_RUNS, known)).all()
        return _Look(now, event, {name: (run, bool(overdue)) for name, run, overdue in runs})

    async def _check(self, monitor: Monitor, look: _Look) -> None:
        """Ask for a run of a monitor if one is due."""
        news = self._news.setdefault(monitor.name, _News())
        run, overdue = look.runs[monitor.name]
        basis = run, monitor.versions
        if basis != news.basis or look.event > news.counted:
            async with self._database.session() as session:
                if basis != news.basis:
                    news.reflect(basis, await self._seen(session, monitor))
                await self._count(session, monitor, news, look.event)
        occasion: dict[str, int] | None = None
        if news.pending is not None:
            if self._is_ripe(news.pending, look.now):
                occasion = {"event": news.pending.newest}
        elif run is not None and overdue:
            occasion = {"after run": run}
        if occasion is None or occasion == news.asked:
            return
        outbox = Outbox()
        async with self._database.transaction() as session:
            await request_run(session, monitor, outbox, occasion=occasion)
        news.asked = occasion
        await send(self._messenger, outbox)

    def _is_ripe(self, pending: _Pending, now: datetime) -> bool:
        """Return whether events have been quiet, or have waited, for long enough."""
        # Either way, since the database's clock may have been put back.
        quiet, waited = (
            abs((now - at).total_seconds()) for at in (pending.last_at, pending.first_at)
        )
        return (
            quiet >= self._settings.quiet_seconds or waited >= self._settings.longest_wait_seconds
        )

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

    async def _count(
        self, session: AsyncSession, monitor: Monitor, news: _News, newest: int
    ) -> None:
        """Add the events that brought rows, as far as they were not counted, up to the newest."""
        tables = cast(sorted(monitor.tables), ARRAY(String))
        query = select(func.max(Event.sequence), func.min(Event.at), func.max(Event.at)).where(
            Event.name.in_(_ROWS_CHANGED),
            Event.sequence > news.counted,
            Event.sequence <= newest,
            func.jsonb_exists_any(Event.detail["rows"], tables),
        )
        found, first_at, last_at = (await session.execute(query)).one()
        if found is not None:
            news.pending = _Pending(found, first_at, last_at).joined(news.pending)
        news.counted = max(news.counted, newest)
