"""Broker that wakes idle workers when a message arrives, so that they need not poll for one."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import dramatiq
import redis
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DecodeError

from shared.logs import get_logger
from shared.worker.broker_outage import AWAY, BrokerOutage

__all__ = ["WakeupBroker"]

_LISTEN_SECONDS = 1.0
_RETRY_SECONDS = 2.0


class WakeupBroker(RedisBroker):
    """dramatiq on Redis, where sending a message wakes the idle consumers of its queue.

    Wake-ups go through a channel of Redis. While they may have been lost, that is whenever
    listening begins again, all consumers poll, and now and then in any case. No message is ever
    delayed, so queues have no delay queues.
    """

    polled: Callable[[str], None] = staticmethod(lambda _queue_name: None)
    """Called by the thread that consumes a queue whenever it sees whether to look into it."""

    poll_seconds = 15.0
    """Time without a wake-up after which a consumer polls; a quarter of that after which a worker
    whose consumers are silent counts as dead."""

    refusal: str | None = None
    """What Redis last answered in place of a message, such as that its disk is full.

    None since it gave one or none.
    """

    @cached_property
    def outage(self) -> BrokerOutage:
        """Whether Redis is away."""
        return BrokerOutage()

    @cached_property
    def _wakeups(self) -> "_Wakeups":
        return _Wakeups(self.client, f"{self.namespace}:wakeup", self.outage)

    def get_declared_delay_queues(self) -> set[str]:
        """Return none, so that no worker consumes any."""
        return set()

    def enqueue(
        self, message: dramatiq.Message[Any], *, delay: int | None = None
    ) -> dramatiq.Message[Any]:
        """Send a message and wake the consumers of its queue.

        Raises
        ------
        redis.RedisError
            If Redis is away.
        """
        with self.outage.watch():
            sent = self._put(message, delay)
            self._wakeups.send(sent.queue_name)
        return sent

    def enqueue_all(self, messages: Sequence[dramatiq.Message[Any]]) -> None:
        """Send messages of one queue, and wake its consumers once.

        Raises
        ------
        redis.RedisError
            If Redis is away.
        """
        with self.outage.watch():
            for message in messages:
                self._put(message)
            if messages:
                self._wakeups.send(messages[0].queue_name)

    def _put(
        self, message: dramatiq.Message[Any], delay: int | None = None
    ) -> dramatiq.Message[Any]:
        try:
            return super().enqueue(message, delay=delay)
        except redis.ResponseError:
            self.repair(message.queue_name)
            return super().enqueue(message, delay=delay)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Take messages from a queue.

        Parameters
        ----------
        queue_name
            The queue.
        prefetch
            How many messages are held at most.
        timeout
            Milliseconds after which to see whether to end.
        """
        inner = super().consume(queue_name, prefetch, timeout=0)
        return _WakeupConsumer(self, inner, self._wakeups.listen(queue_name), timeout / 1000)

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
        """Stop listening, and close the connections."""
        self._wakeups.close()
        super().close()


class _WakeupConsumer(Consumer):
    """Consumer that asks for messages after a wake-up, or when one of its own is done.

    Whatever lies in Redis, it goes on: a message is lost at worst, and the dispatcher sends that
    again.

    Parameters
    ----------
    broker
        Its broker.
    inner
        Takes the messages.
    woken
        Set when there may be some.
    seconds
        How long to wait for it at once.
    """

    def __init__(
        self, broker: WakeupBroker, inner: Any, woken: threading.Event, seconds: float
    ) -> None:
        self._broker, self._inner, self._woken, self._seconds = broker, inner, woken, seconds
        self._due = 0.0

    def __next__(self) -> MessageProxy | None:
        self._broker.polled(self._inner.queue_name)
        message = None
        if self._woken.is_set() or time.monotonic() >= self._due:
            self._woken.clear()  # before polling, so that no wake-up is missed before the wait
            message = self._poll()
            polled_again = 0.0 if message is not None else self._broker.poll_seconds
            self._due = time.monotonic() + polled_again
        if message is None:
            self._woken.wait(min(self._seconds, max(0.0, self._due - time.monotonic())))
        return message

    def _poll(self) -> MessageProxy | None:
        message = None
        try:
            with self._broker.outage.watch():
                message = next(self._inner)
            self._broker.refusal = None
        except AWAY:
            self._woken.wait(self._broker.outage.pause())
            self._woken.set()
        except redis.ResponseError as error:
            self._refused(error)
        except DecodeError as error:
            get_logger().error("a message that cannot be read is left out", error=repr(error))
            self._woken.set()
        return message

    def ack(self, message: MessageProxy) -> None:
        self._settle(self._inner.ack, message)

    def nack(self, message: MessageProxy) -> None:
        self._settle(self._inner.nack, message)

    def _settle(self, settle: Callable[[MessageProxy], None], message: MessageProxy) -> None:
        """Say what became of a message, once the broker is there."""
        while True:
            try:
                with self._broker.outage.watch():
                    settle(message)
            except AWAY:
                time.sleep(self._broker.outage.pause())
                continue
            except redis.ResponseError as error:
                self._refused(error)
            break
        self._woken.set()

    def _refused(self, error: redis.ResponseError) -> None:
        self._broker.refused(self._inner.queue_name, error)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        self._inner.requeue(messages)

    def close(self) -> None:
        self._inner.close()


class _Wakeups:
    """Channel of Redis, and the thread of this process that listens to it."""

    def __init__(self, client: redis.Redis, channel: str, outage: BrokerOutage) -> None:
        self._client, self._channel, self._outage = client, channel, outage
        self._events: dict[str, threading.Event] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def send(self, queue: str) -> None:
        """Wake the consumers of a queue in all processes."""
        self._client.publish(self._channel, queue)

    def listen(self, queue: str) -> threading.Event:
        """Return the event that is set at every wake-up of a queue."""
        with self._lock:
            if not self._events:
                threading.Thread(target=self._run, name="wakeup", daemon=True).start()
            return self._events.setdefault(queue, threading.Event())

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._outage.watch(), self._client.pubsub() as channel:
                    channel.subscribe(self._channel)
                    while not self._closed.is_set():
                        message = channel.get_message(timeout=_LISTEN_SECONDS)
                        if message is not None:
                            self._wake(message)
            except AWAY:
                self._closed.wait(self._outage.pause())
            except redis.RedisError as error:
                get_logger().warning("wake-ups of the queues are not received", error=str(error))
                self._closed.wait(_RETRY_SECONDS)

    def _wake(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":  # also when the connection was made again
            self._outage.end()
            for woken in list(self._events.values()):
                woken.set()
        elif message["type"] == "message":
            # Anything else on the channel is not the name of a queue.
            known = self._events.get(message["data"].decode(errors="replace"))
            if known is not None:
                known.set()
