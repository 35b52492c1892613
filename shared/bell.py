"""A broker that wakes who waits for a message, so that idle workers need not ask for one many times a second."""

import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import dramatiq
import redis
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker

from shared.logs import get_logger

__all__ = ["BellBroker"]

_LISTEN_SECONDS = 1.0
_RETRY_SECONDS = 1.0


class BellBroker(RedisBroker):
    """dramatiq on Redis, where every message that is sent rings a bell: a channel that idle consumers listen to.

    Who misses the bell, as while Redis is away, looks by itself after the timeout of its worker.
    """

    @cached_property
    def _bell(self) -> "_Bell":
        return _Bell(self.client, f"{self.namespace}:bell")

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Send a message and ring the bell.

        Raises
        ------
        redis.RedisError
            If Redis is away.
        """
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
        return _BellConsumer(inner, self._bell.listen(queue_name), timeout / 1000)

    def close(self) -> None:
        """Stop to listen, and close the connections."""
        self._bell.close()
        super().close()


class _BellConsumer(Consumer):
    """Consumer that asks for messages when its bell has rung, or one of its own is done with."""

    def __init__(self, inner: Consumer, rung: threading.Event, seconds: float) -> None:
        self._inner, self._rung, self._seconds = inner, rung, seconds

    def __next__(self) -> MessageProxy | None:
        self._rung.clear()  # before the look, so that no bell is missed between it and the wait
        message = next(self._inner)
        if message is None:
            self._rung.wait(self._seconds)
        return message

    def ack(self, message: MessageProxy) -> None:
        self._inner.ack(message)
        self._rung.set()

    def nack(self, message: MessageProxy) -> None:
        self._inner.nack(message)
        self._rung.set()

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
        """Event that is set whenever the bell of a queue rings."""
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
                        if message is not None:
                            self.listen(message["data"].decode()).set()
            except redis.RedisError as error:
                get_logger().warning("the bell of the queues is not heard", error=str(error))
                self._closed.wait(_RETRY_SECONDS)
