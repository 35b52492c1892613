"""dramatiq on Redis. Messages carry a job's id and nothing else: Postgres knows the rest.

Retries, time limits and dead letters belong to the jobs table, so none of dramatiq's own middleware
is installed. Every message may be lost or come twice; the claim in `shared.jobs.claims` makes both
harmless.
"""

from collections.abc import Callable
from typing import Any

import dramatiq
import redis

from shared.errors import PermanentError, TransientError
from shared.jobs.queues import Queue, is_bulk
from shared.keepalive import OPTIONS
from shared.worker.wakeup import WakeupBroker

__all__ = ["Messenger", "declare_actors", "make_broker", "open_redis", "require_broker"]

_ACTOR, _BULK_ACTOR = "run_job", "run_bulk_job"


def make_broker(url: str) -> WakeupBroker:
    """Return the broker of this process.

    Parameters
    ----------
    url
        Redis URL.

    Raises
    ------
    PermanentError
        If it is none, or has an unknown option; the message has no password.
    """
    client = open_redis(url, socket_timeout=10, socket_connect_timeout=5, health_check_interval=30)
    # maintenance_chance: a dead worker's messages come back within a heartbeat, not after minutes.
    return WakeupBroker(
        client=client,
        namespace="cosmo",
        middleware=[],
        maintenance_chance=1_000_000,
        heartbeat_timeout=60_000,
    )


def open_redis(url: str, **options: Any) -> redis.Redis:
    """Return the client of a broker, which connects when it is used.

    Parameters
    ----------
    url
        URL.
    options
        Options of its connections.

    Raises
    ------
    PermanentError
        If it is no URL of Redis, or has an unknown option; the message has no password.
    """
    scheme = url.partition("://")[0]
    if "sentinel" in scheme:
        raise PermanentError(
            f"{scheme}:// is not supported: give COSMO_REDIS_URL an address that leads to the "
            "primary (a service of Kubernetes, HAProxy); messages that a failover loses are sent "
            "again"
        )
    if scheme != "unix":
        options["socket_keepalive_options"] = OPTIONS
    try:
        client = redis.Redis.from_url(url, **options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # which alone knows the options
    except ValueError as error:  # its text may have a part of the password
        raise PermanentError("this is not a URL of Redis such as redis://host:6379/0") from error
    except TypeError as error:
        raise PermanentError(f"the URL of Redis has an unknown option: {error}") from error
    return client


def require_broker(client: redis.Redis) -> None:
    """Refuse a broker that refuses this process, however long one waits.

    Raises
    ------
    PermanentError
        If it takes no such user, password or database.
    TransientError
        If it does not answer.
    """
    try:
        client.ping()
    except (redis.AuthenticationError, redis.ResponseError) as error:
        raise PermanentError(
            f"the broker refuses COSMO_REDIS_URL: {error}; correct its user, password or database"
        ) from error
    except (redis.RedisError, OSError) as error:
        raise TransientError(f"the broker does not answer: {error}") from error


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

    def send(self, queue: str, *job_ids: int) -> None:
        """Wake workers of a queue for jobs.

        Raises
        ------
        redis.RedisError
            If the broker is away; the dispatcher sends again later.
        """
        actor = _BULK_ACTOR if is_bulk(queue) else _ACTOR
        self._broker.enqueue_all(
            [
                dramatiq.Message(
                    queue_name=queue, actor_name=actor, args=(job_id,), kwargs={}, options={}
                )
                for job_id in job_ids
            ]
        )

    def waiting(self, queue: str) -> int:
        """Return the messages of a queue that no worker has taken yet.

        Raises
        ------
        redis.RedisError
            If the broker is away.
        """
        key = f"{self._broker.namespace}:{queue}"
        with self._broker.outage.watch():
            try:
                return int(self._broker.client.llen(key))
            except redis.ResponseError:
                self._broker.repair(queue)
                return int(self._broker.client.llen(key))
