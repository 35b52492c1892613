"""What is asked of a database that has the whole archive: how long it takes."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx
from sqlalchemy import text

from benchmarks.scale.processor import Meter
from services.calibrator.run.cpu_share import usable_processes
from services.calibrator.sweep import sweep_products
from services.monitor.framework.leftovers import sweep_artifacts
from services.monitor.framework.scheduling import Scheduler
from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.queues import Queue
from shared.settings import JobSettings, MonitorSettings
from shared.store import Store
from shared.worker.broker import Messenger
from shared.worker.presence import write_worker_alerts
from shared.worker.wakeup import WakeupBroker

__all__ = ["Timing", "time_requests", "time_services"]

_REPEATS = 15
_NEXT = re.compile(r'href="(/datasets\?[^"]*cursor=[^"]*)"')
_FORGET = text(
    "UPDATE jobs SET sent_at = now() - interval '1 hour' WHERE sent_at IS NOT NULL AND "
    "state = 'queued'"
)
_SIGN = text("UPDATE workers SET seen_at = now()")
_DEEP = 20
"""Pages to a deep one."""

_ADDRESSES: Mapping[str, str] = {
    "overview": "/",
    "datasets": "/datasets",
    "datasets of a state": "/datasets?state=failed",
    "datasets of a kind": "/datasets?kind=acquisition",
    "datasets of no such kind": "/datasets?kind=products",
    "datasets by rootname": "/datasets?rootname=l0000a",
    "a dataset": "/datasets/l0000401q",
    "monitors": "/monitors",
    "a monitor": "/monitors/stims",
    "status": "/api/v1/status",
    "metrics": "/api/v1/metrics",
    "jobs": "/api/v1/jobs",
    "jobs that failed": "/api/v1/jobs?state=failed",
    "jobs that run": "/api/v1/jobs?state=running",
    "jobs that were skipped": "/api/v1/jobs?state=skipped",
    "jobs of a queue": "/api/v1/jobs?queue=recalibrate",
    "jobs of a stage": "/api/v1/jobs?stage=monitor",
    "jobs with an error": "/api/v1/jobs?kind=memory",
    "jobs of a dataset": "/api/v1/jobs?rootname=l0000401q",
    "calibrations": "/api/v1/calibrations",
    "alerts": "/api/v1/alerts",
    "alerts of a monitor": "/api/v1/alerts?monitor=gsag&state=open",
    "alerts of a severity": "/api/v1/alerts?severity=critical",
    "runs of a monitor": "/api/v1/monitors/stims/runs",
    "values of a monitor": "/api/v1/monitors/exposure-quality/data?limit=100",
    "timeline": "/api/v1/datasets/l0000401q/timeline",
    "tables": "/api/v1/tables",
    "headers of a rootname": "/api/v1/tables/headers?rootname=l0000401q",
    "headers of a proposal": "/api/v1/tables/headers?proposid=12345&limit=100",
    "headers of a period": "/api/v1/tables/headers?expstart__gt=58000&sort=expstart&limit=100",
    "stims": "/api/v1/tables/stims?limit=100",
    "references": "/api/v1/references",
}


@dataclass(frozen=True)
class Timing:
    """How long something took, milliseconds.

    Attributes
    ----------
    what
        What.
    first, best
        By the clock the first time, and at best.
    processor
        Processor time of Postgres and of who asks, on average.
    """

    what: str
    first: float
    best: float
    processor: float


def _timing(what: str, seconds: Sequence[float], processor: float) -> Timing:
    return Timing(
        what, 1000.0 * seconds[0], 1000.0 * min(seconds), 1000.0 * processor / len(seconds)
    )


def time_requests(base_url: str, meter: Meter) -> list[Timing]:
    """Ask a web process for pages and answers of its API, each one several times.

    Parameters
    ----------
    base_url
        Its URL.
    meter
        Meter of the web process and of Postgres.

    Raises
    ------
    httpx.HTTPStatusError
        If it refuses one.
    """
    found = []
    with httpx.Client(base_url=base_url, timeout=120.0) as client:
        deep = "/datasets"
        for _ in range(_DEEP):
            if (match := _NEXT.search(client.get(deep).text)) is not None:
                deep = match[1].replace("&amp;", "&")
        for what, address in (*_ADDRESSES.items(), ("datasets, a deep page", deep)):
            seconds, used = [], meter.seconds()
            for _ in range(_REPEATS):
                begin = time.perf_counter()
                client.get(address).raise_for_status()
                seconds.append(time.perf_counter() - begin)
            found.append(_timing(what, seconds, meter.seconds() - used))
    return found


async def time_services(
    database: Database, store: Store, broker: WakeupBroker, meter: Meter
) -> list[Timing]:
    """Let the services ask what they ask again and again.

    Parameters
    ----------
    database
        Database with the archive.
    store
        Store, which may be empty.
    broker
        Broker, whose queues are emptied.
    meter
        Meter of this process and of Postgres.
    """
    settings, messenger = JobSettings(), Messenger(broker)
    dispatcher = Dispatcher(database, messenger, settings)
    scheduler = Scheduler(database, messenger, MonitorSettings(), monitors().values())

    async def feed() -> None:
        broker.flush(Queue.CALIBRATE_BULK)
        await dispatcher.feed(Queue.CALIBRATE_BULK)

    async def resend() -> None:
        broker.flush(Queue.CALIBRATE_BULK)
        async with database.transaction() as session:
            await session.execute(_FORGET)
        await dispatcher.feed(Queue.CALIBRATE_BULK)

    async def watch_workers() -> None:
        async with database.transaction() as session:
            await session.execute(_SIGN)
            await write_worker_alerts(session)

    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "feed of a queue of bulk work": feed,
        "the same, messages lost": resend,
        "feed of a queue with nothing": lambda: dispatcher.feed(Queue.INGEST),
        "leases": dispatcher.expire,
        "signs of life": watch_workers,
        "cores of a run": lambda: usable_processes(database, 4),
        "check of all monitors": scheduler.check_all,
        "sweep of products": lambda: sweep_products(database, store),
        "sweep of artifacts": lambda: sweep_artifacts(database, store),
    }
    found = []
    for what, ask in asked.items():
        seconds, used = [], meter.seconds()
        for _ in range(_REPEATS):
            begin = time.perf_counter()
            await ask()
            seconds.append(time.perf_counter() - begin)
        found.append(_timing(what, seconds, meter.seconds() - used))
    return found
