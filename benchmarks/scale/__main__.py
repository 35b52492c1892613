"""``python -m benchmarks.scale``: measurements for a cluster that has the whole archive."""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import structlog
from sqlalchemy import select

from benchmarks.load.serving import serving
from benchmarks.scale.archive import CALIBRATED, DATASETS, fill
from benchmarks.scale.cluster import SIZES, Cluster, Costs, simulate
from benchmarks.scale.jobs import measure
from benchmarks.scale.processor import Meter
from benchmarks.scale.queries import Timing, time_requests, time_services
from benchmarks.scale.rolling import Rolling
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState
from shared.database.schema import migrate
from shared.store import Store
from shared.worker.broker import make_broker


def _queries(arguments: argparse.Namespace) -> None:
    """Time queries of a database with the whole archive."""
    with tempfile.TemporaryDirectory(prefix="cosmo-scale-") as temporary:
        folder = (arguments.data or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        postgres, valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
        postgres.start()
        valkey.start()
        try:
            store = f"file://{folder / 'store'}"
            asyncio.run(_prepare(postgres.url, arguments.datasets))
            server = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
            timings = asyncio.run(
                _services(postgres.url, valkey.url, store, Meter([os.getpid()], server))
            )
            with serving(postgres.url, store) as (pid, base_url):
                timings += time_requests(base_url, Meter([pid], server))
        finally:
            valkey.stop()
            postgres.stop()
    print(f"{'ms':34s} {'first':>8s} {'best':>8s} {'processor':>10s}")
    for timing in timings:
        numbers = f"{timing.first:8.1f} {timing.best:8.1f} {timing.processor:10.1f}"
        print(f"{timing.what:34s} {numbers}")


async def _prepare(url: str, count: int) -> None:
    database = Database(url)
    await migrate(database)
    async with database.session() as session:
        known = (await session.execute(select(Dataset.id).limit(1))).first()
    if known is None:
        begin = time.monotonic()
        await fill(database, count)
        print(f"{count:,} datasets in {time.monotonic() - begin:.0f} s", flush=True)
    await database.dispose()


async def _services(url: str, broker_url: str, store: str, meter: Meter) -> list[Timing]:
    database, broker = Database(url), make_broker(broker_url)
    try:
        return await time_services(database, Store(store), broker, meter)
    finally:
        broker.close()
        await database.dispose()


def _jobs(arguments: argparse.Namespace) -> None:
    """Measure claims and whole jobs a second of 1, 8 and 32 workers."""
    with tempfile.TemporaryDirectory(prefix="cosmo-jobs-") as folder:
        for rate in measure(Path(folder), arguments.seconds):
            print(
                f"{rate.what:30s} {rate.workers:3d} workers {rate.rate:8.1f} /s "
                f"{rate.processor:8.2f} ms of the processor each, {rate.database:6.2f} of Postgres",
                flush=True,
            )


def _cluster(arguments: argparse.Namespace) -> None:
    """Simulate clusters of 1 to 1,000 calibrators."""
    costs = Costs(stored_mb=arguments.stored)
    print(f"{'calibrators':>11s} {'/s':>8s} {'days':>8s}  Postgres  store  events  limit")
    for calibrators in SIZES:
        cluster = Cluster(calibrators, arguments.cores, arguments.bandwidth)
        outcome = simulate(cluster, costs)
        days = DATASETS * CALIBRATED / outcome.rate / 86400.0
        busy = [f"{100 * part:6.0f} %" for part in outcome.busy.values()]
        print(
            f"{calibrators:11d} {outcome.rate:8.2f} {days:8.2f} {' '.join(busy)}  {outcome.limit}",
            flush=True,
        )


def _rolling(arguments: argparse.Namespace) -> None:
    """Let calibrators come, go and be killed while servers are restarted."""
    rolling = Rolling(
        arguments.datasets,
        pause=arguments.pause,
        restart_pause=arguments.restart_pause,
        limit=arguments.limit,
        seed=arguments.seed,
    )
    with tempfile.TemporaryDirectory(prefix="cosmo-rolling-") as temporary:
        folder = (arguments.data or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        report = rolling.carry_out(folder, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps(asdict(report), indent=2))
    done = report.states == {DatasetState.INGESTED.value: arguments.datasets}
    sys.exit(0 if done and not report.violations else 1)


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parts = parser.add_subparsers(required=True)
    queries = parts.add_parser("queries", help=_queries.__doc__)
    queries.add_argument("--datasets", type=int, default=DATASETS)
    queries.add_argument("--data", type=Path, help="folder that the database is kept in")
    queries.set_defaults(run=_queries)
    jobs = parts.add_parser("jobs", help=_jobs.__doc__)
    jobs.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    jobs.set_defaults(run=_jobs)
    cluster = parts.add_parser("cluster", help=_cluster.__doc__)
    cluster.add_argument("--cores", type=int, default=8, help="of Postgres")
    cluster.add_argument("--bandwidth", type=float, default=1250.0, help="of the store, MB/s")
    cluster.add_argument("--stored", type=float, default=33.0, help="MB of a dataset's products")
    cluster.set_defaults(run=_cluster)
    rolling = parts.add_parser("rolling", help=_rolling.__doc__)
    rolling.add_argument("--datasets", type=int, default=200)
    rolling.add_argument("--pause", type=float, default=5.0, help="seconds between two kills")
    rolling.add_argument(
        "--restart-pause", type=float, default=30.0, help="seconds between two restarts"
    )
    rolling.add_argument("--limit", type=float, default=7200.0, help="seconds, at most")
    rolling.add_argument("--seed", type=int, default=1)
    rolling.add_argument("--data", type=Path, help="empty folder to work in, which is kept")
    rolling.set_defaults(run=_rolling)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
