"""dramatiq on Redis. Messages carry a job's id and nothing else: Postgres knows the rest.

Retries, time limits and dead letters belong to the jobs table, so none of dramatiq's own middleware is installed. Every
message may be lost or come twice; the claim in `shared.jobs.claims` makes both harmless.
"""

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

__all__ = ["ACTOR", "JOB_QUEUES", "Messenger", "make_broker"]

ACTOR = "run_job"
"""Name of the one actor: it runs the job whose id it is given."""

JOB_QUEUES = ("fetch", "recalibrate", "calibrate", "calibrate-bulk", "ingest", "ingest-bulk", "monitor")
"""Queues of the jobs; the ``-bulk`` ones are fed in windows by the dispatcher."""


def make_broker(url: str) -> RedisBroker:
    """Broker of this process.

    Parameters
    ----------
    url
        Redis URL.
    """
    # maintenance_chance: a dead worker's messages come back within a heartbeat, not after minutes.
    client = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5, health_check_interval=30)
    return RedisBroker(
        client=client, namespace="cosmo", middleware=[], maintenance_chance=1_000_000, heartbeat_timeout=60_000
    )


class Messenger:
    """Sends messages for jobs and sees how many wait.

    Parameters
    ----------
    broker
        Broker to send through.
    """

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker
        for queue in JOB_QUEUES:
            broker.declare_queue(queue)

    def send(self, queue: str, job_id: int) -> None:
        """Wake a worker of a queue for one job.

        Raises
        ------
        redis.RedisError
            If the broker is away; the dispatcher sends again later.
        """
        self._broker.enqueue(
            dramatiq.Message(queue_name=queue, actor_name=ACTOR, args=(job_id,), kwargs={}, options={})
        )

    def waiting(self, queue: str) -> int:
        """Messages of a queue that no worker has taken yet."""
        return int(self._broker.client.llen(f"{self._broker.namespace}:{queue}"))
