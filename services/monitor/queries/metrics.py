"""Prometheus metrics that there are once for a database.

The process that leads the schedulers serves them, no other: sums over all processes count nothing
twice. They are computed when they are asked for, at most every few seconds.
"""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import nan
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.queries.status import read_status
from services.monitor.response_models.status import QueueStatus, SystemStatus
from shared.alerts import OPERATIONS
from shared.database.engine import DATABASE_ERRORS, Database
from shared.database.leadership import leads
from shared.database.locks import AdvisoryLock
from shared.database.models.monitoring import Alert, AlertState, Delivery, Severity, Subscription
from shared.database.models.operations import DatasetState, JobState, Stage
from shared.jobs.queues import Queue
from shared.logs import get_logger
from shared.worker.presence import STATES

__all__ = ["OF_DATABASE", "DatabaseMetrics"]

_KEPT_SECONDS = 10.0
"""For which what was computed is served again."""
_ANSWER_SECONDS = 5.0
"""Longest computation; Prometheus waits 10 s for all of an answer."""
_EMPTY = QueueStatus(waiting=0, oldest_seconds=0.0, workers=0)

OF_DATABASE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "cosmo_datasets": ("Datasets by state", ("state",)),
    "cosmo_jobs": ("Jobs by stage and state", ("stage", "state")),
    "cosmo_queue_waiting": ("Jobs that wait, by queue", ("queue",)),
    "cosmo_queue_oldest_seconds": ("Age of the oldest waiting job", ("queue",)),
    "cosmo_queue_workers": ("Worker processes that work on a queue", ("queue",)),
    "cosmo_oldest_running_seconds": ("Age of the oldest running attempt; 0: none", ()),
    "cosmo_workers": ("Worker processes by state", ("state",)),
    "cosmo_newest_event_age_seconds": ("Age of the newest event", ()),
    "cosmo_newest_exposure_age_seconds": ("Age of the newest exposure ingested", ()),
    "cosmo_last_scan_age_seconds": ("Age of the end of the last complete scan", ()),
    "cosmo_last_scan_files": (
        "Files of the last complete scan: all (seen), those that were new or changed, and those "
        "in no dataset (left_aside)",
        ("kind",),
    ),
    "cosmo_last_scan_datasets": ("Datasets of the last complete scan", ()),
    "cosmo_catalogue_answers": (
        "1 where a remote archive answered when it was last asked, else 0",
        ("catalogue",),
    ),
    "cosmo_catalogue_listing_age_seconds": (
        "Age of the last listing of a remote archive that is believed, full or short",
        ("catalogue", "kind"),
    ),
    "cosmo_alerts_open": ("Open alerts by monitor and severity", ("monitor", "severity")),
    "cosmo_deliveries_waiting": ("Messages that wait for delivery to subscribers", ()),
    "cosmo_deliveries_oldest_seconds": ("Time since the first of them was due; 0: none", ()),
    "cosmo_subscriptions": ("Subscriptions, enabled and disabled", ("state",)),
}
"""Help and labels of each gauge."""

_Values = Iterable[tuple[tuple[str, ...], float]]


class DatabaseMetrics(Collector):
    """Collector of the metrics of a database.

    Parameters
    ----------
    database
        Database.
    loop
        Event loop of its connections.
    monitors
        Names of the monitors, which are exported without alerts too.
    """

    def __init__(
        self, database: Database, loop: asyncio.AbstractEventLoop, monitors: Iterable[str]
    ) -> None:
        self._database, self._loop = database, loop
        self._monitors = [*monitors, OPERATIONS]
        self._lock = threading.Lock()
        self._kept: list[GaugeMetricFamily] = []
        self._until = 0.0

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metrics."""
        for name, (text, labels) in OF_DATABASE.items():
            yield GaugeMetricFamily(name, text, labels=labels)

    def collect(self) -> list[GaugeMetricFamily]:
        """Return the metrics where this process serves them and Postgres answers, else none.

        Called by threads that answer scrapes.
        """
        with self._lock:
            if not leads(AdvisoryLock.SCHEDULER):
                self._kept, self._until = [], 0.0
            elif time.monotonic() >= self._until:
                self._kept = self._compute()
                self._until = time.monotonic() + _KEPT_SECONDS
            return self._kept

    def _compute(self) -> list[GaugeMetricFamily]:
        asked = asyncio.run_coroutine_threadsafe(self._read(), self._loop)
        try:
            return asked.result(_ANSWER_SECONDS)
        except (*DATABASE_ERRORS, TimeoutError) as error:
            asked.cancel()
            reason = str(error) or f"no answer within {_ANSWER_SECONDS:.0f} s"
            get_logger().warning("no metrics of the database", error=reason)
            return []

    async def _read(self) -> list[GaugeMetricFamily]:
        async with self._database.session() as session:
            status = await read_status(session)
            values = {
                **_of_status(status),
                "cosmo_alerts_open": await self._alerts(session),
                **await _deliveries(session),
            }
        families = list(self.describe())
        for family in families:
            for labels, value in values[family.name]:
                family.add_metric(labels, value)
        return families

    async def _alerts(self, session: AsyncSession) -> _Values:
        key = (Alert.monitor, Alert.severity)
        query = select(*key, func.count()).where(Alert.state == AlertState.OPEN).group_by(*key)
        found = {(monitor, severity): n for monitor, severity, n in await session.execute(query)}
        # Zeros too: a series that vanishes when all is well ends no alert.
        known = {(monitor, severity): 0 for monitor in self._monitors for severity in Severity}
        return [((name, grade.value), float(n)) for (name, grade), n in (known | found).items()]


def _of_status(status: SystemStatus) -> dict[str, _Values]:
    scan = status.last_scan
    aside = 0 if scan is None else sum(_number(files) for files in scan.left_aside.values())
    queues = {queue: status.queues.get(queue, _EMPTY) for queue in Queue}
    return {
        "cosmo_datasets": [((state,), status.datasets.get(state, 0)) for state in DatasetState],
        "cosmo_jobs": [
            ((stage, state), status.stages.get(stage, {}).get(state, 0))
            for stage in Stage
            for state in JobState
        ],
        "cosmo_queue_waiting": [((queue,), found.waiting) for queue, found in queues.items()],
        "cosmo_queue_oldest_seconds": [
            ((queue,), found.oldest_seconds) for queue, found in queues.items()
        ],
        "cosmo_queue_workers": [((queue,), found.workers) for queue, found in queues.items()],
        "cosmo_oldest_running_seconds": [((), status.oldest_running_seconds or 0.0)],
        "cosmo_workers": [
            ((state,), sum(worker.state == state for worker in status.workers)) for state in STATES
        ],
        "cosmo_newest_event_age_seconds": [((), _age(status.newest_event))],
        "cosmo_newest_exposure_age_seconds": [((), _age(status.newest_exposure))],
        "cosmo_last_scan_age_seconds": [((), nan if scan is None else _age(scan.finished_at))],
        "cosmo_last_scan_files": [
            (("seen",), nan if scan is None else scan.files),
            (("changed",), nan if scan is None else scan.changed),
            (("left_aside",), nan if scan is None else aside),
        ],
        "cosmo_last_scan_datasets": [((), nan if scan is None else scan.datasets)],
        "cosmo_catalogue_answers": [
            ((found.catalogue,), found.failing_since is None) for found in status.catalogues
        ],
        "cosmo_catalogue_listing_age_seconds": [
            ((found.catalogue, listing.kind), _age(listing.finished_at))
            for found in status.catalogues
            for listing in (found.last_full, found.last_short)
            if listing is not None
        ],
    }


def _number(files: Any) -> int:
    """Count the files that a scan left aside for one reason."""
    return int(files.get("count", 0)) if isinstance(files, Mapping) else 0


async def _deliveries(session: AsyncSession) -> dict[str, _Values]:
    age = func.extract("epoch", func.now() - func.min(Delivery.not_before))
    waiting = select(func.count(), age).where(Delivery.state == "waiting")
    count, oldest = (await session.execute(waiting)).one()
    disabled = func.count(Subscription.disabled_at)
    ended, all_of_them = (await session.execute(select(disabled, func.count()))).one()
    return {
        "cosmo_deliveries_waiting": [((), count)],
        "cosmo_deliveries_oldest_seconds": [((), max(0.0, float(oldest or 0.0)))],
        "cosmo_subscriptions": [
            (("enabled",), all_of_them - ended),
            (("disabled",), ended),
        ],
    }


def _age(moment: datetime | None) -> float:
    return nan if moment is None else (datetime.now(UTC) - moment).total_seconds()
