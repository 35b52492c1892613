"""``python -m benchmarks.scale``: measurements for a cluster that has the whole archive."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from benchmarks.load.serving import serving
from benchmarks.scale.archive import DATASETS, fill
from benchmarks.scale.queries import Timing, time_requests, time_services
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database
from shared.database.models.operations import Dataset
from shared.database.schema import migrate
from shared.logs import configure_logging
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
            timings = asyncio.run(_services(postgres.url, valkey.url, store))
            with serving(postgres.url, store) as (_, base_url):
                timings += time_requests(base_url)
        finally:
            valkey.stop()
            postgres.stop()
    print(f"{'ms':34s} {'first':>8s} {'median':>8s}")
    for timing in timings:
        print(f"{timing.what:34s} {timing.first:8.1f} {timing.median:8.1f}")


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


async def _services(url: str, broker_url: str, store: str) -> list[Timing]:
    database, broker = Database(url), make_broker(broker_url)
    try:
        return await time_services(database, Store(store), broker)
    finally:
        broker.close()
        await database.dispose()


def main() -> None:
    """Measure and print."""
    configure_logging("benchmark", "WARNING")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parts = parser.add_subparsers(required=True)
    queries = parts.add_parser("queries", help=_queries.__doc__)
    queries.add_argument("--datasets", type=int, default=DATASETS)
    queries.add_argument("--data", type=Path, help="folder that the database is kept in")
    queries.set_defaults(run=_queries)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
