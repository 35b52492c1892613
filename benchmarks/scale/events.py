"""``python -m benchmarks.scale.events``: events a second, and how soon readers see them.

Many writers commit small transactions with an event each, in processes of their own, while another
process places the events and this one follows the feed. The same is done as it was before: with
events in the order of their ids, for which each transaction holds a lock from its event to the end
of its commit, and notifies. Then events come one at a time, and at last the process that places
them is killed.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import asyncpg

from cosmo.launcher.embedded import EmbeddedPostgres
from shared.database.after_commit import AfterCommit
from shared.database.engine import Database
from shared.database.locks import AdvisoryLock
from shared.database.schema import migrate
from shared.jobs.sequencer import PLACED, WRITTEN, keep_sequencing

_PROCESSES = multiprocessing.get_context("spawn")
_INSERT = "INSERT INTO events (name, detail) VALUES ('benchmark', $1::jsonb)"
_TRIALS = 5
_PAUSE_SECONDS = 0.05
_BATCH = 500

Times = dict[str, float]
"""Moment by event, seconds."""


async def _connect(url: str) -> Any:
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def _write(url: str, names: list[str], writers: int, *, locked: bool) -> Times:
    """Commit an event of each name; returns when they were committed."""
    database, waiting, times = Database(url), iter(names), Times()
    after_commit = AfterCommit(database.engine)

    async def write() -> None:
        connection = await _connect(url)
        for name in waiting:
            async with connection.transaction():
                if locked:
                    await connection.execute(f"SELECT pg_advisory_xact_lock({AdvisoryLock.EVENTS})")
                await connection.execute(_INSERT, json.dumps(name))
                if locked:
                    await connection.execute("SELECT pg_notify($1, '')", PLACED)
            times[name] = time.time()
            if not locked:
                after_commit.send({WRITTEN})
        await connection.close()

    await asyncio.gather(*(write() for _ in range(writers)))
    await after_commit.finish()
    await database.dispose()
    return times


def _writing(
    url: str,
    names: list[str],
    writers: int,
    locked: bool,
    together: Barrier,
    answers: "Queue[Times]",
) -> None:
    together.wait()
    answers.put(asyncio.run(_write(url, names, writers, locked=locked)))


def _sequencing(url: str) -> None:
    asyncio.run(keep_sequencing(Database(url)))


@contextlib.contextmanager
def _process(work: Callable[..., None], *arguments: Any) -> Iterator[BaseProcess]:
    process = _PROCESSES.Process(target=work, args=arguments, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


async def _follow(url: str, names: list[str], key: str, seen: Times) -> None:
    """Follow the feed until all events of these names have come, and note when each was seen."""
    left = set(names)
    connection, news = await _connect(url), asyncio.Event()
    await connection.add_listener(PLACED, lambda *_: news.set())
    after = await connection.fetchval(f"SELECT coalesce(max({key}), 0) FROM events")
    query = f"SELECT {key}, detail FROM events WHERE {key} > $1 ORDER BY 1 LIMIT {_BATCH}"
    while left:
        news.clear()
        found = await connection.fetch(query, after)
        for place, detail in found:
            after, seen[json.loads(detail)] = place, time.time()
            left.discard(json.loads(detail))
        if len(found) < _BATCH and left:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), 5.0)
    await connection.close()


def _delays(committed: Times, seen: Times) -> dict[str, float]:
    delays = sorted(1e3 * (seen[name] - moment) for name, moment in committed.items())
    return {
        "median_ms": round(statistics.median(delays), 1),
        "p99_ms": round(delays[round(0.99 * (len(delays) - 1))], 1),
    }


async def _crowd(
    url: str, count: int, writers: int, processes: int, *, locked: bool
) -> dict[str, Any]:
    """Let many writers write at once; events a second until the last one was seen."""
    kind, answers = "locked" if locked else "placed", _PROCESSES.Queue()
    together = _PROCESSES.Barrier(processes)
    names = [f"{kind} {number}" for number in range(count)]
    seen = Times()
    following = asyncio.ensure_future(_follow(url, names, "id" if locked else "sequence", seen))
    committed = Times()
    with contextlib.ExitStack() as stack:
        for part in range(processes):
            share = names[part::processes], writers // processes, locked, together, answers
            stack.enter_context(_process(_writing, url, *share))
        for _ in range(processes):
            committed |= await asyncio.to_thread(answers.get)
        await following
    rate = count / (max(seen[name] for name in names) - min(committed.values()))
    return {"events_per_second": round(rate), **_delays(committed, seen)}


async def _singly(url: str, count: int) -> dict[str, float]:
    """Commit one event at a time, with pauses."""
    names, seen, committed = [f"single {number}" for number in range(count)], Times(), Times()
    following = asyncio.ensure_future(_follow(url, names, "sequence", seen))
    await asyncio.sleep(0.5)
    database, connection = Database(url), await _connect(url)
    after_commit = AfterCommit(database.engine)
    for name in names:
        await connection.execute(_INSERT, json.dumps(name))
        committed[name] = time.time()
        after_commit.send({WRITTEN})
        await asyncio.sleep(_PAUSE_SECONDS)
    await following
    await connection.close()
    await database.dispose()
    return _delays(committed, seen)


async def _killed(url: str) -> float:
    """Kill the process that places events; longest time until the next one has placed one, s."""
    with contextlib.ExitStack() as stack:
        leader, waited = stack.enter_context(_process(_sequencing, url)), []
        for trial in range(_TRIALS):
            await _seen_after(url, f"before {trial}")
            rival = stack.enter_context(_process(_sequencing, url))
            await asyncio.sleep(8.0 + trial * 0.8)
            leader.kill()
            waited.append(await _seen_after(url, f"after {trial}"))
            leader = rival
    return round(max(waited), 2)


async def _seen_after(url: str, name: str) -> float:
    """Commit an event, and return the seconds until it is seen."""
    seen = Times()
    following = asyncio.ensure_future(_follow(url, [name], "sequence", seen))
    await asyncio.sleep(0.2)
    committed = await _write(url, [name], 1, locked=False)
    await following
    return seen[name] - committed[name]


async def _measure(url: str, chosen: argparse.Namespace) -> dict[str, Any]:
    database = Database(url)
    await migrate(database)
    await database.dispose()
    size = chosen.events, chosen.writers, chosen.processes
    before = [await _crowd(url, *size, locked=True) for _ in range(chosen.repeats)]
    with _process(_sequencing, url):
        after = [await _crowd(url, *size, locked=False) for _ in range(chosen.repeats)]
        singly = await _singly(url, 200)
    best = {
        name: max(run["events_per_second"] for run in runs)
        for name, runs in (("before", before), ("after", after))
    }
    return {
        "with a lock to the end of each commit": before,
        "placed afterwards": after,
        "ratio": round(best["after"] / best["before"], 2),
        "one at a time": singly,
        "seconds after a kill": await _killed(url),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="events of a run")
    parser.add_argument("--writers", type=int, default=32, help="writers at once")
    parser.add_argument("--processes", type=int, default=4, help="processes that they are in")
    parser.add_argument("--repeats", type=int, default=2, help="runs each way")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cosmo-events-") as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            print(json.dumps(asyncio.run(_measure(server.url, chosen)), indent=2))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
