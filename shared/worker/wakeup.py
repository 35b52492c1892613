"""A broker that wakes who waits for a message, so that idle workers need not ask for one many times
a second.
"""

import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import dramatiq
import redis
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DecodeError

from shared.logs import get_logger

__all__ = ["WakeupBroker"]

_LISTEN_SECONDS = 1.0
_RETRY_SECONDS = 1.0


class WakeupBroker(RedisBroker):
    """dramatiq on Redis, where every message that is sent rings a bell.

    A channel that idle consumers listen to.

    Who misses the bell, as while Redis is away, looks by itself after the timeout of its worker.
    """

    refusal: str | None = None
    """What Redis last answered in place of a message, such as that its disk is full.

    None since it gave one or none.
    """

    @cached_property
    def _bell(self) -> "_Bell":
        return _Bell(self.client, f"{self.namespace}:bell")

    def enqueue(
        self, message: dramatiq.Message[Any], *, delay: int | None = None
    ) -> dramatiq.Message[Any]:
        """Send a message and ring the bell.

        Raises
        ------
        redis.RedisError
            If Redis is away.
        """
        try:
            sent = super().enqueue(message, delay=delay)
        except redis.ResponseError:
            self.repair(message.queue_name)
            sent = super().enqueue(message, delay=delay)
        self._bell.ring(sent.queue_name)
        return sent

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Take messages from a queue.

        Parameters
        ----------
        queue_name
            The queue.
        prefetch
            How many messages are held at most.
        timeout
            After how many milliseconds without a bell to look.
        """
        inner = super().consume(queue_name, prefetch, timeout=0)
        return _BellConsumer(self, inner, self._bell.listen(queue_name), timeout / 1000)

    def refused(self, queue_name: str, error: redis.ResponseError) -> None:
        """Note what Redis refused, and repair what may be the reason."""
        if self.refusal is None:
            get_logger().error("the broker refuses", queue=queue_name, error=str(error))
        self.refusal = str(error)
        self.repair(queue_name)

    def repair(self, queue_name: str) -> None:
        """Remove keys of a queue that are not of the type that dramatiq makes them.

        A broker that is away is left.
        """
        acks = f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}"
        queue, heartbeats = f"{self.namespace}:{queue_name}", f"{self.namespace}:__heartbeats__"
        types = {queue: "list", f"{queue}.msgs": "hash", acks: "set", heartbeats: "zset"}
        types |= {f"{queue}.XQ": "zset", f"{queue}.XQ.msgs": "hash"}
        try:
            for key, wanted in types.items():
                found = self.client.type(key)
                if found not in (wanted.encode(), b"none"):
                    get_logger().error("a key of a wrong type is removed", key=key, found=found)
                    self.client.delete(key)
        except redis.RedisError as error:
            get_logger().warning("the queue is not repaired", queue=queue_name, error=str(error))

    def close(self) -> None:
        """Stop to listen, and close the connections."""
        self._bell.close()
        super().close()


class _BellConsumer(Consumer):
    """Consumer that asks for messages when its bell has rung, or one of its own is done with.

    Whatever lies in Redis, it goes on: a message is lost at worst, and the dispatcher sends that
    again.

    Parameters
    ----------
    broker
        Its broker.
    inner
        Takes the messages.
    rung
        Is set when there may be some.
    seconds
        How long it is waited for.
    """

    def __init__(
        self, broker: WakeupBroker, inner: Any, rung: threading.Event, seconds: float
    ) -> None:
        self._broker, self._inner, self._rung, self._seconds = broker, inner, rung, seconds

    def __next__(self) -> MessageProxy | None:
        self._rung.clear()  # before the look, so that no bell is missed between it and the wait
        message = None
        try:
            message = next(self._inner)
            self._broker.refusal = None
        except redis.ResponseError as error:
            self._refused(error)
        except DecodeError as error:
            get_logger().error("a message that cannot be read is left out", error=repr(error))
            self._rung.set()
        if message is None:
            self._rung.wait(self._seconds)
        return message

    def ack(self, message: MessageProxy) -> None:
        try:
            self._inner.ack(message)
        except redis.ResponseError as error:
            self._refused(error)
        self._rung.set()

    def nack(self, message: MessageProxy) -> None:
        try:
            self._inner.nack(message)
        except redis.ResponseError as error:
            self._refused(error)
        self._rung.set()

    def _refused(self, error: redis.ResponseError) -> None:
        self._broker.refused(self._inner.queue_name, error)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._inner.requeue(messages)

    def close(self) -> None:
        self._inner.close()


class _Bell:
    """Channel of Redis, and the thread of this process that listens to it."""

    def __init__(self, client: redis.Redis, channel: str) -> None:
        self._client, self._channel = client, channel
        self._rung: dict[str, threading.Event] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def ring(self, queue: str) -> None:
        """Wake the consumers of a queue in all processes."""
        self._client.publish(self._channel, queue)

    def listen(self, queue: str) -> threading.Event:
        """Return the event that is set whenever the bell of a queue rings."""
        with self._lock:
            if not self._rung:
                threading.Thread(target=self._run, name="bell", daemon=True).start()
            return self._rung.setdefault(queue, threading.Event())

    def close(self) -> None:
        """Stop to listen."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(self._channel)
                    while not self._closed.is_set():
                        message = channel.get_message(timeout=_LISTEN_SECONDS)
                        # Whatever else is said on the channel is none of our queues.
                        if message is not None and (
                            rung := self._rung.get(message["data"].decode(errors="replace"))
                        ):
                            rung.set()
            except redis.RedisError as error:
                get_logger().warning("the bell of the queues is not heard", error=str(error))
                self._closed.wait(_RETRY_SECONDS)
