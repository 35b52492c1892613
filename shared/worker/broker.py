"""dramatiq on Redis. Messages carry a job's id and nothing else: Postgres knows the rest.

Retries, time limits and dead letters belong to the jobs table, so none of dramatiq's own middleware
is installed. Every message may be lost or come twice; the claim in `shared.jobs.claims` makes both
harmless.
"""

from collections.abc import Callable

import dramatiq
import redis

from shared.jobs.queues import Queue, is_bulk
from shared.worker.wakeup import WakeupBroker

__all__ = ["Messenger", "declare_actors", "make_broker"]

_ACTOR, _BULK_ACTOR = "run_job", "run_bulk_job"


def make_broker(url: str) -> WakeupBroker:
    """Return the broker of this process.

    Parameters
    ----------
    url
        Redis URL.
    """
    # maintenance_chance: a dead worker's messages come back within a heartbeat, not after minutes.
    client = redis.Redis.from_url(
        url, socket_timeout=10, socket_connect_timeout=5, health_check_interval=30
    )
    return WakeupBroker(
        client=client,
        namespace="cosmo",
        middleware=[],
        maintenance_chance=1_000_000,
        heartbeat_timeout=60_000,
    )


def declare_actors(broker: WakeupBroker, queue: str, run_job: Callable[[int], None]) -> None:
    """Say what the messages of a worker do.

    Of two that it holds, it takes the one that is not bulk work first.

    Parameters
    ----------
    broker
        Broker of the worker.
    queue
        Any of its queues: an actor serves them all, since a message names its own.
    run_job
        Runs the job whose id it is given.
    """
    for name, priority in ((_ACTOR, 0), (_BULK_ACTOR, 10)):
        dramatiq.actor(actor_name=name, queue_name=queue, priority=priority, broker=broker)(run_job)


class Messenger:
    """Sends messages for jobs and sees how many wait.

    Parameters
    ----------
    broker
        Broker to send through.
    """

    def __init__(self, broker: WakeupBroker) -> None:
        self._broker = broker
        for queue in Queue:
            broker.declare_queue(queue)

    def send(self, queue: str, job_id: int) -> None:
        """Wake a worker of a queue for one job.

        Raises
        ------
        redis.RedisError
            If the broker is away; the dispatcher sends again later.
        """
        actor = _BULK_ACTOR if is_bulk(queue) else _ACTOR
        self._broker.enqueue(
            dramatiq.Message(
                queue_name=queue, actor_name=actor, args=(job_id,), kwargs={}, options={}
            )
        )

    def waiting(self, queue: str) -> int:
        """Return the messages of a queue that no worker has taken yet.

        Raises
        ------
        redis.RedisError
            If the broker is away.
        """
        key = f"{self._broker.namespace}:{queue}"
        try:
            return int(self._broker.client.llen(key))
        except redis.ResponseError:
            self._broker.repair(queue)
            return int(self._broker.client.llen(key))
