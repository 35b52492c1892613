"""Faults of a running instance: how each begins and ends."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import psutil
import redis
from sqlalchemy import text

from benchmarks.nemesis.instance import Instance
from benchmarks.nemesis.schedule import Fault, Kind
from shared.database.engine import DATABASE_ERRORS, Database

__all__ = ["begin"]

_ASK_SECONDS = 2.0
"""How long a server that may be paused is waited for."""


def begin(instance: Instance, fault: Fault) -> Callable[[], None] | None:
    """Let a fault begin.

    Parameters
    ----------
    instance
        What it happens to.
    fault
        The fault.

    Returns
    -------
    callable or None
        Ends it; None where there is nothing that it could happen to.
    """
    match fault.kind:
        case Kind.FULL:
            instance.fill(fault.target)
            return partial(instance.free, fault.target)
        case Kind.CLOCK:
            instance.set_clock(fault.target)
            return partial(instance.set_clock, "+0")
        case Kind.DISCONNECT:
            end = _end_backends if fault.target == "postgres" else _end_clients
            return _nothing if end(instance) else None
    process = instance.find(fault.target, fault.draw)
    if process is None:
        return None
    with suppress(psutil.NoSuchProcess):
        if fault.kind is Kind.KILL:
            process.kill()
        elif fault.kind is Kind.RESTART:
            process.send_signal(
                signal.SIGINT if fault.target in ("up", "postgres") else signal.SIGTERM
            )
        else:
            stopped = [process, *process.children(recursive=True)]
            _signal(stopped, signal.SIGSTOP)
            return partial(_signal, stopped, signal.SIGCONT)
    return _nothing


def _nothing() -> None:
    return None


def _signal(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _end_backends(instance: Instance) -> bool:
    others = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )

    async def run() -> bool:
        database = Database(instance.database_url)
        try:
            async with asyncio.timeout(_ASK_SECONDS), database.session() as session:
                return bool((await session.execute(others)).scalar())
        except DATABASE_ERRORS:
            return False
        finally:
            await database.dispose()

    return asyncio.run(run())


def _end_clients(instance: Instance) -> bool:
    try:
        with redis.Redis.from_url(
            instance.broker_url, socket_timeout=_ASK_SECONDS, socket_connect_timeout=_ASK_SECONDS
        ) as client:
            ended = [
                client.client_kill_filter(_type=kind, skipme=True) for kind in ("normal", "pubsub")
            ]
            return any(ended)
    except (redis.RedisError, OSError):
        return False
