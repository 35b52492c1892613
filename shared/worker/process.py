"""A worker process: dramatiq threads that hand job ids to the runner, the dispatcher, and a clean
stop.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial

import dramatiq
import redis

from shared.database.engine import Database
from shared.database.models.operations import Stage
from shared.database.start import wait_until_usable
from shared.errors import CosmoError, TransientError
from shared.jobs.dispatcher import Dispatcher
from shared.jobs.queues import Queue, queues_of
from shared.jobs.runner import Handler, JobRunner, worker_name
from shared.jobs.sequencer import keep_sequencing
from shared.logs import get_logger
from shared.settings import Settings
from shared.tasks import end_task
from shared.worker.broker import Messenger, declare_actors, make_broker, require_broker
from shared.worker.exports import export_process
from shared.worker.health import asked_of, serve_health
from shared.worker.heartbeat import Heartbeat
from shared.worker.presence import keep_signing, sign_off
from shared.worker.readiness import READY, Readiness
from shared.worker.wakeup import WakeupBroker

__all__ = ["run_worker"]

_WAIT_MS = 1000
"""How often an idle thread of dramatiq sees whether it is to end."""

_RESTART_SECONDS = 5.0

_STOP_MS = 2000
"""How long dramatiq's threads are waited for once no job runs any more."""

_UNPOLLED_SECONDS = 120.0
"""Silence after which the consumer of a queue counts as hung: many times what a broker that does
not answer makes it wait."""

Check = Callable[[], object]
Prepare = Callable[[Database], Coroutine[None, None, None]]
Background = Callable[[Database, Messenger], Coroutine[None, None, None]]


def run_worker(
    service: str,
    settings: Settings,
    handlers: Callable[[Database], Mapping[Stage, Handler]],
    *,
    threads: int = 1,
    checks: Sequence[Check] = (),
    prepare: Prepare | None = None,
    background: Background | None = None,
    connections: int = 1,
    queues: Collection[str] | None = None,
) -> None:
    """Work on queues until SIGTERM or SIGINT.

    Postgres and the broker may be away at the start as at any time.

    Parameters
    ----------
    service
        Name of the service.
    settings
        Settings in force.
    handlers
        Makes the handler of each stage from the database.
    threads
        Jobs at once in this process; 1 for long ones.
    checks
        Each raises PermanentError where something beside Postgres and the broker (the store) cannot
        work as it is set, and TransientError where it is only away.
    prepare
        Work that comes before the first job; it waits for a Postgres that is away.
    background
        Further work of the service beside its queues, started again when it fails, cancelled at the
        stop.
    connections
        Most connections to the database beside the two of each thread, for its work and its lease.
    queues
        Names of the queues to work on; all those of the stages if left out.

    Raises
    ------
    SystemExit
        If a URL or the database cannot be used by this code, or a check fails for good; the log
        says why.
    """
    try:
        database = Database(
            settings.database_url,
            direct_url=settings.database_direct_url,
            pool_size=2 * threads + connections,
            max_overflow=0,
        )
        asyncio.run(
            _work(
                service, settings, database, handlers, threads, checks, prepare, background, queues
            )
        )
    except CosmoError as error:
        get_logger().error("the service ends", error=str(error))
        raise SystemExit(1) from error


async def _work(
    service: str,
    settings: Settings,
    database: Database,
    handlers: Callable[[Database], Mapping[Stage, Handler]],
    threads: int,
    checks: Sequence[Check],
    prepare: Prepare | None,
    background: Background | None,
    wanted: Collection[str] | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = make_broker(settings.redis_url)
    readiness = Readiness(database, broker)
    heartbeat = Heartbeat()
    export_process(service, settings, database)
    serve_health(settings.health_port, heartbeat.fault, asked_of(loop, readiness.fault))
    beating = asyncio.ensure_future(heartbeat.keep_beating())
    try:
        if await _unless(stop, _get_ready(broker, database, checks, prepare)):
            messenger = Messenger(broker)
            made = handlers(database)
            queues = [queue for queue in queues_of(made) if wanted is None or queue in wanted]
            runner = JobRunner(database, messenger, settings.jobs, made, worker_name(service))
            name = settings.instance or f"{service}@{socket.gethostname()}"

            async def trouble() -> dict[str, str | None]:
                return {"paused": runner.trouble, "fault": await readiness.fault()}

            tasks = [
                Dispatcher(database, messenger, settings.jobs).run(),
                keep_sequencing(database),
                keep_signing(database, name, service, trouble, readiness.note_written, queues),
            ]
            if background is not None:
                tasks.append(_keep_up(background, database, messenger))
            await _serve(broker, runner, queues, threads, tasks, readiness, heartbeat, stop)
            await sign_off(database, name)
    finally:
        beating.cancel()
        broker.close()
        await database.dispose()
        get_logger().info("stopped")


async def _get_ready(
    broker: WakeupBroker, database: Database, checks: Sequence[Check], prepare: Prepare | None
) -> None:
    of_broker: Check = partial(require_broker, broker.client)
    for check in (of_broker, *checks):
        try:
            await asyncio.to_thread(check)
        except TransientError as error:
            get_logger().warning("not there yet; jobs wait for it", error=str(error))
    await wait_until_usable(database)
    if prepare is not None:
        await prepare(database)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do some work unless asked to stop first; return whether it was done."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task.done()
    finally:
        await end_task(task)
        stopped.cancel()


async def _serve(
    broker: WakeupBroker,
    runner: JobRunner,
    queues: Sequence[Queue],
    threads: int,
    tasks: Sequence[Coroutine[None, None, None]],
    readiness: Readiness,
    heartbeat: Heartbeat,
    stop: asyncio.Event,
) -> None:
    """Take jobs until asked to stop, then finish or give back what runs."""
    loop = asyncio.get_running_loop()

    def run_job(job_id: int) -> None:
        asyncio.run_coroutine_threadsafe(runner.run(job_id), loop).result()

    broker.polled = lambda name: heartbeat.beat(_consumer(name), _UNPOLLED_SECONDS)
    declare_actors(broker, queues[0], run_job)
    worker = dramatiq.Worker(
        broker, queues=set(queues), worker_threads=threads, worker_timeout=_WAIT_MS
    )
    # A busy process must not hoard work that an idle one could do.
    worker.queue_prefetch = threads
    worker.start()
    heartbeat.watch(
        [
            *((_consumer(name), thread) for name, thread in worker.consumers.items()),
            *((f"worker thread {n}", thread) for n, thread in enumerate(worker.workers, 1)),
        ]
    )
    running = [asyncio.ensure_future(task) for task in tasks]
    readiness.stage = READY
    get_logger().info("worker ready", queues=list(queues))
    await stop.wait()
    readiness.stage = "stopping"
    get_logger().info("stopping")
    await runner.drain()
    for task in running:
        await end_task(task)
    heartbeat.forget()
    try:
        await asyncio.to_thread(worker.stop, _STOP_MS)
    except redis.RedisError as error:
        # What it could not hand back, the dispatcher sends again.
        get_logger().warning("the broker does not answer at the stop", error=str(error))


def _consumer(queue_name: str) -> str:
    """Name of the thread that consumes a queue."""
    return f"the consumer of {queue_name}"


async def _keep_up(background: Background, database: Database, messenger: Messenger) -> None:
    while True:
        try:
            await background(database, messenger)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service must not go on without this part
            get_logger().error("background work failed and starts again", error=repr(error))
        else:
            return
        await asyncio.sleep(_RESTART_SECONDS)
