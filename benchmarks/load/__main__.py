"""``python -m benchmarks.load``: every endpoint of the monitors under concurrent readers, with a
full mission behind.

A database of its own is filled, the monitors run once, and the real web process is started. Printed
are the 50th and 99th percentile of each kind of request and the time of a run of each monitor after
one new dataset. ``--data`` keeps the filled database for the next time.
"""

import argparse
import asyncio
import logging
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import structlog
from sqlalchemy import func, select, text

from benchmarks.load.exposures import add_exposure
from benchmarks.load.filling import add_dark, fill
from benchmarks.load.reading import Timing, ask_once, endpoints_of, read
from benchmarks.load.serving import serving
from cosmo.launcher.embedded import EmbeddedPostgres
from services.monitor.framework.runs import MonitorService
from services.monitor.monitors import monitors
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.database.models.science import SCIENCE_TABLES, Dark, Gain, Stim
from shared.database.schema import migrate
from shared.events import EventName
from shared.jobs.claims import ClaimedJob, claim
from shared.jobs.events import NewEvent, Outbox, add_job, record_event
from shared.jobs.routing import NewJob
from shared.jobs.sequencer import newest_place
from shared.settings import JobSettings
from shared.store import Store

_LAST = 61001.0
"""Time of what is new, MJD: after all else."""


async def _run(database: Database, store: Store, name: str) -> tuple[float, float]:
    """Run a monitor as its worker does; seconds in all, and of its computation."""
    service = MonitorService(database, store, monitors())
    begin = time.monotonic()
    async with database.transaction() as session:
        payload = {"generation": await newest_place(session), "forced": True}
        job_id = await add_job(
            session, name, NewJob(Stage.MONITOR, payload, {"at": time.time()}), Outbox()
        )
        assert job_id is not None
        job = await claim(session, job_id, "benchmark", JobSettings())
        assert isinstance(job, ClaimedJob)
    completion = await service.run(job)
    computed = time.monotonic() - begin
    async with database.transaction() as session:
        await completion.apply(session)
        await record_event(session, name, completion.event, Outbox())
    return time.monotonic() - begin, computed


async def _unfinished(database: Database, name: str) -> bool:
    """Return whether a monitor has asked for another run, which is then taken over."""
    query = text(
        "UPDATE jobs SET state = 'dropped' WHERE monitor = :name AND payload->>'forced' = 'true' "
        "AND state = 'queued' RETURNING id"
    )
    async with database.transaction() as session:
        return (await session.execute(query, {"name": name})).first() is not None


async def _prepare(database: Database, store: Store, gain: int, darks: int) -> None:
    await migrate(database)
    async with database.session() as session:
        known = (await session.execute(select(func.count()).select_from(Dark))).scalar_one()
    if not known:
        begin = time.monotonic()
        await fill(database, gain, darks)
        print(f"filled in {time.monotonic() - begin:.0f} s", flush=True)
        for name in monitors():
            begin = time.monotonic()
            await _run(database, store, name)
            while await _unfinished(database, name):
                await _run(database, store, name)
            print(f"{name}: first runs {time.monotonic() - begin:.1f} s", flush=True)
        async with database.engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM (ANALYZE)"))
    async with database.session() as session:
        counts = [
            (await session.execute(select(func.count()).select_from(model))).scalar_one()
            for model in (Gain, Dark, Stim)
        ]
    print(f"{counts[0]:,} rows of gain, {counts[1]:,} of darks, {counts[2]:,} of stims", flush=True)


async def _updates(database: Database, store: Store) -> None:
    """Time the runs after one new dataset, in a process that has run before, as a worker has."""
    await _run(database, store, "gsag")
    async with database.transaction() as session:
        await add_dark(session)
        for detector in ("FUV", "NUV"):
            await add_exposure(session, detector, _LAST)
        changed = NewEvent(EventName.TABLES_CHANGED, {"rows": dict.fromkeys(SCIENCE_TABLES, 1)})
        await record_event(session, None, changed, Outbox())
    print("\nupdate after one dataset (s), of which reading, computing and drawing")
    for name in monitors():
        whole, computed = await _run(database, store, name)
        print(f"{name:24s} {whole:7.2f} {computed:7.2f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gain", type=int, default=5_000_000, help="rows of gain")
    parser.add_argument("--darks", type=int, default=2_000_000, help="rows of darks")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--data", type=Path, help="folder that the database is kept in")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="cosmo-load-") as temporary:
        folder = (arguments.data or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        server = EmbeddedPostgres(folder / "postgres")
        server.start()
        try:
            _measure(server.url, folder / "store", arguments)
        finally:
            server.stop()


def _processor_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _measure(url: str, store: Path, arguments: argparse.Namespace) -> None:
    async def prepare() -> None:
        database = Database(url)
        await _prepare(database, Store(f"file://{store}"), arguments.gain, arguments.darks)
        await database.dispose()

    async def update() -> None:
        database = Database(url)
        await _updates(database, Store(f"file://{store}"))
        await database.dispose()

    asyncio.run(prepare())
    with serving(url, f"file://{store}") as (pid, base_url):
        with httpx.Client(base_url=base_url, timeout=120.0) as client:
            addresses = endpoints_of(client, tuple(monitors()))
        first = asyncio.run(ask_once(base_url, addresses))
        begin, load, busy = time.monotonic(), psutil.getloadavg()[0], _processor_seconds(pid)
        timings = asyncio.run(
            read(base_url, addresses, arguments.readers, arguments.seconds, first)
        )
        seconds, busy = time.monotonic() - begin, _processor_seconds(pid) - busy
    count = sum(timing.count for timing in timings)
    print(
        f"\n{arguments.readers} readers, {count / seconds:.0f} requests/s; load of the machine "
        f"before it {load:.1f}"
    )
    print(f"{1000 * busy / count:.2f} ms of processor time of the web process a request")
    print(Timing.heading)
    for timing in timings:
        print(timing.line())
    asyncio.run(update())


if __name__ == "__main__":
    main()
