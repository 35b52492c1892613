"""``python -m benchmarks.scale.idle``: what COSMO costs while there is nothing to do.

Starts the stack with its embedded servers, waits until it is at rest, and then measures for a while
the CPU seconds of its processes, the commands of the broker and the transactions and rows of
Postgres: on an empty database, and with a history of events and files. At last the broker is
killed, and what the services log is counted.
"""

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from cosmo.launcher.stack import LocalStack
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.worker.broker import open_redis

_OWN = frozenset({"info", "config|resetstat"})
"""Commands of this benchmark."""

_HISTORY = (
    """
    INSERT INTO datasets (rootname, kind, state, members, companions, missing, left_aside, forced)
    SELECT 'l' || lpad(to_hex(n), 8, '0'), 'exposure', 'ingested', '[]', '[]', '[]', '{}', false
    FROM generate_series(1, :events / 4) AS n
    """,
    """
    INSERT INTO jobs (stage, dataset_id, fingerprint, queue, trace, payload, state, attempts)
    SELECT 'ingest-raw', id, 'seed', 'ingest', '', '{}', 'done', 1 FROM datasets
    """,
    """
    INSERT INTO events (name, dataset_id, detail, at)
    SELECT name, id, CASE name WHEN 'dataset.ingested' THEN
        '{"rows": {"headers": 2, "darks": 20, "stims": 10, "gain": 100}}' ELSE '{}' END::jsonb,
        now() - interval '1 day'
    FROM datasets, unnest(ARRAY['dataset.discovered', 'dataset.fetched', 'dataset.calibrated',
        'dataset.ingested']) AS name
    """,
    """
    INSERT INTO files (dataset_id, origin, path, name, rootname, suffix, size, sha256, current,
        shown, problems)
    SELECT 1 + n % (:events / 4), 'raw', 'raw/' || n, 'f' || n || '.fits', NULL, 'rawtag', 1, '',
        true, false, '[]'
    FROM generate_series(1, :files) AS n
    """,
)


async def _prepare(url: str, events: int, files: int) -> None:
    database = Database(url)
    await migrate(database)
    if events:
        async with database.transaction() as session:
            for statement in _HISTORY:
                used = {
                    name: value
                    for name, value in (("events", events), ("files", files))
                    if f":{name}" in statement
                }
                await session.execute(text(statement), used)
        async with database.engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM (ANALYZE)"))
    await database.dispose()


async def _counters(url: str) -> dict[str, float]:
    database = Database(url)
    query = text(
        "SELECT xact_commit + xact_rollback AS transactions, tup_returned AS rows_read "
        "FROM pg_stat_database WHERE datname = current_database()"
    )
    async with database.session() as session:
        found = dict((await session.execute(query)).one()._mapping)
    await database.dispose()
    return {name: float(value) for name, value in found.items()}


def _processor_seconds(pids: dict[str, int]) -> dict[str, float]:
    """Return the CPU seconds of each process with all below it."""
    found = {}
    for name, pid in pids.items():
        root, seconds = psutil.Process(pid), 0.0
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            # Of children that have ended too: Postgres makes one for each connection.
            seconds += times.user + times.system
            if process is root:
                seconds += times.children_user + times.children_system
        found[name] = seconds
    return found


def _logged(folder: Path) -> dict[str, int]:
    """Return the bytes that each service has logged."""
    servers = ("postgres", "valkey")
    logs = (folder / "logs").glob("*.log")
    return {log.stem: log.stat().st_size for log in logs if log.stem not in servers}


def measure(folder: Path, events: int, files: int, settle: float, seconds: float) -> dict[str, Any]:
    """Measure a stack at rest.

    Parameters
    ----------
    folder
        Its data folder.
    events, files
        How many there are.
    settle
        Pause before, s.
    seconds
        How long to measure, s.
    """
    with LocalStack(folder) as stack:
        stack.start_servers()
        url = stack.environment["COSMO_DATABASE_URL"]
        asyncio.run(_prepare(url, events, files))
        stack.start_services()
        time.sleep(settle)
        client = open_redis(stack.environment["COSMO_REDIS_URL"])
        client.config_resetstat()
        counters, pids = asyncio.run(_counters(url)), stack.pids()
        busy, started = _processor_seconds(pids), time.monotonic()
        time.sleep(seconds)
        wall = time.monotonic() - started
        busy_after = _processor_seconds(pids)
        commands = {
            name.removeprefix("cmdstat_"): int(values["calls"])
            for name, values in client.info("commandstats").items()
        }
        after = asyncio.run(_counters(url))
        client.close()
        logged = _logged(folder)
        os.kill(pids["valkey"], signal.SIGKILL)
        time.sleep(seconds)
        logged = {name: size - logged[name] for name, size in _logged(folder).items()}
    spent = {name: (busy_after[name] - busy[name]) * 60 / wall for name in pids}
    called = {name: count / wall for name, count in commands.items() if name not in _OWN}
    return {
        "events": events,
        "files": files,
        "cpu_seconds_per_minute": round(sum(spent.values()), 2),
        "redis_commands_per_second": round(sum(called.values()), 1),
        "transactions_per_second": round(
            (after["transactions"] - counters["transactions"]) / wall, 1
        ),
        "rows_read_per_second": round((after["rows_read"] - counters["rows_read"]) / wall),
        "kilobytes_logged_per_minute_without_broker": {
            name: round(size * 60 / seconds / 1000, 1) for name, size in sorted(logged.items())
        },
        "cpu_of": {name: round(value, 2) for name, value in spent.items()},
        "redis_of": {name: round(value, 2) for name, value in sorted(called.items())},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="events of the history")
    parser.add_argument("--files", type=int, default=200_000, help="files of the history")
    parser.add_argument("--settle", type=float, default=60.0, help="pause before measuring, s")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to measure, s")
    chosen = parser.parse_args()
    for events, files in ((0, 0), (chosen.events, chosen.files)):
        with tempfile.TemporaryDirectory(prefix="cosmo-idle-") as folder:
            found = measure(Path(folder), events, files, chosen.settle, chosen.seconds)
        print(json.dumps(found, indent=2), flush=True)


if __name__ == "__main__":
    main()
