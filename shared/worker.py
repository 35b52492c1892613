"""A worker process: dramatiq threads that hand job ids to the runner, the dispatcher, and a clean stop."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

import dramatiq

from shared.broker import ACTOR, Messenger, make_broker
from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.database.schema import require_current
from shared.healthcheck import serve_health
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.runner import Handler, JobRunner, worker_name
from shared.logs import configure_logging, get_logger
from shared.settings import Settings

__all__ = ["run_worker"]

_POLL_MS = 50
"""How often an idle dramatiq thread looks for a message; 50 ms keeps the median latency far below 100 ms."""

Background = Callable[[Database, Messenger], Awaitable[None]]


def run_worker(
    service: str,
    settings: Settings,
    queues: Sequence[str],
    handlers: Callable[[Database], Mapping[Stage, Handler]],
    *,
    threads: int = 1,
    background: Background | None = None,
) -> None:
    """Work on queues until SIGTERM or SIGINT.

    Parameters
    ----------
    service
        Name of the service.
    settings
        Settings in force.
    queues
        Queues to take messages from.
    handlers
        Makes the handler of each stage from the database.
    threads
        Jobs at once in this process; 1 for long ones.
    background
        Further work of the service beside its queues, cancelled at the stop.

    Raises
    ------
    PermanentError
        If the database schema is not the one this code was written for.
    """
    configure_logging(service, settings.log_level)
    asyncio.run(_work(service, settings, queues, handlers, threads, background))


async def _work(
    service: str,
    settings: Settings,
    queues: Sequence[str],
    handlers: Callable[[Database], Mapping[Stage, Handler]],
    threads: int,
    background: Background | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = Database(settings.database_url)
    await require_current(database)
    broker = make_broker(settings.redis_url)
    messenger = Messenger(broker)
    runner = JobRunner(database, messenger, settings.jobs, handlers(database), worker_name(service))

    def run_job(job_id: int) -> None:
        asyncio.run_coroutine_threadsafe(runner.run(job_id), loop).result()

    # One actor serves every queue of the process: a message names its own queue.
    dramatiq.actor(actor_name=ACTOR, queue_name=queues[0], broker=broker)(run_job)
    worker = dramatiq.Worker(broker, queues=set(queues), worker_threads=threads, worker_timeout=_POLL_MS)
    # A busy process must not hoard work that an idle one could do.
    worker.queue_prefetch = threads
    worker.start()
    serve_health(settings.health_port, lambda: not stop.is_set())
    tasks = [asyncio.ensure_future(Dispatcher(database, messenger, settings.jobs).run())]
    if background is not None:
        tasks.append(asyncio.ensure_future(background(database, messenger)))
    get_logger().info("worker ready", queues=list(queues))
    await stop.wait()
    get_logger().info("stopping")
    await runner.drain()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await asyncio.to_thread(worker.stop, 2000)
    broker.close()
    await database.dispose()
    get_logger().info("stopped")
