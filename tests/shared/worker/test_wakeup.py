"""Idle workers wake when a message arrives, and find by polling what no wake-up announced."""

import threading
import time
from collections.abc import Callable, Iterator

import dramatiq
import pytest

from cosmo.launcher.embedded import EmbeddedValkey
from shared.worker.broker import Messenger, declare_actors, make_broker
from shared.worker.wakeup import WakeupBroker

pytestmark = pytest.mark.integration

Work = Callable[..., list[int]]


@pytest.fixture
def broker(valkey: EmbeddedValkey) -> Iterator[WakeupBroker]:
    broker = make_broker(valkey.url)
    broker.client.flushall()
    yield broker
    broker.close()


@pytest.fixture
def work(broker: WakeupBroker) -> Iterator[Work]:
    """Start a worker of one thread; returns the list of the jobs that it has done."""
    workers = []

    def start(*, look_seconds: float) -> list[int]:
        done: list[int] = []
        declare_actors(broker, "fetch", done.append)
        broker.poll_seconds = look_seconds
        worker = dramatiq.Worker(broker, queues={"fetch"}, worker_threads=1, worker_timeout=50)
        worker.queue_prefetch = 1
        worker.start()
        workers.append(worker)
        return done

    yield start
    for worker in workers:
        worker.stop(100)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _ears(broker: WakeupBroker) -> int:
    """Return how many processes listen for wake-ups."""
    return int(broker.client.pubsub_numsub("cosmo:wakeup")[0][1])


def _published(broker: WakeupBroker) -> int:
    """Return how many wake-ups were sent so far."""
    return int(broker.client.info("commandstats").get("cmdstat_publish", {}).get("calls", 0))


def test_a_message_wakes_an_idle_worker_and_the_end_of_a_job_makes_it_poll(
    broker: WakeupBroker, work: Work
) -> None:
    done = work(look_seconds=60)
    _wait(lambda: _ears(broker) == 1)
    before = _published(broker)
    Messenger(broker).send("fetch", 1, 2, 3)
    _wait(lambda: done == [1, 2, 3])
    assert _published(broker) == before + 1


def test_a_message_without_a_wakeup_is_found(broker: WakeupBroker, work: Work) -> None:
    done = work(look_seconds=0.2)
    quiet = dramatiq.Message[None](
        queue_name="fetch", actor_name="run_job", args=(7,), kwargs={}, options={}
    )
    super(WakeupBroker, broker).enqueue(quiet)
    _wait(lambda: done == [7])


def test_wakeups_arrive_again_after_their_connection_broke(
    broker: WakeupBroker, work: Work
) -> None:
    done = work(look_seconds=60)
    _wait(lambda: _ears(broker) == 1)
    ear = broker.client.client_list(_type="pubsub")[0]["id"]
    broker.client.client_kill_filter(_id=ear)
    _wait(lambda: any(one["id"] != ear for one in broker.client.client_list(_type="pubsub")))
    _wait(lambda: _ears(broker) == 1)
    Messenger(broker).send("fetch", 5)
    _wait(lambda: done == [5])


def test_only_wakeups_of_its_own_queue_wake_a_consumer(broker: WakeupBroker) -> None:
    consumer = broker.consume("fetch", timeout=60_000)
    woken, over = threading.Event(), threading.Event()

    def look() -> None:
        while not over.is_set():
            next(consumer)
            woken.set()

    thread = threading.Thread(target=look)
    thread.start()
    _wait(lambda: _ears(broker) == 1)
    while woken.wait(0.3):  # as listening begins, all consumers look
        woken.clear()
    messenger = Messenger(broker)
    messenger.send("ingest", 1)
    assert not woken.wait(0.3)
    over.set()
    messenger.send("fetch", 2)
    assert woken.wait(10)
    thread.join()


def test_noise_on_the_channel_is_not_heard(broker: WakeupBroker, work: Work) -> None:
    done = work(look_seconds=60)
    _wait(lambda: _ears(broker) == 1)
    for noise in (b"\xff\xfe", b"no-such-queue", b""):
        broker.client.publish("cosmo:wakeup", noise)
    Messenger(broker).send("fetch", 5)
    _wait(lambda: done == [5])


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("cosmo:fetch", "text"),
        ("cosmo:fetch.msgs", "list"),
        ("cosmo:__heartbeats__", "text"),
        ("cosmo:fetch", "hash"),
    ],
)
def test_a_key_of_a_wrong_type_is_removed(
    broker: WakeupBroker, work: Work, key: str, kind: str
) -> None:
    done = work(look_seconds=0.1)
    broker.client.delete(key)
    match kind:
        case "text":
            broker.client.set(key, "noise")
        case "list":
            broker.client.rpush(key, "noise")
        case _:
            broker.client.hset(key, "noise", "noise")
    if key != "cosmo:fetch.msgs":  # which a consumer with nothing to fetch does not meet
        _wait(lambda: broker.client.type(key) in (b"none", b"zset"))
    messenger = Messenger(broker)
    assert messenger.waiting("fetch") == 0
    messenger.send("fetch", 6)
    _wait(lambda: done == [6])


def test_a_message_that_cannot_be_read_is_left_out(broker: WakeupBroker, work: Work) -> None:
    done = work(look_seconds=0.1)
    broker.client.hset("cosmo:fetch.msgs", "1", b"\xff{")
    broker.client.rpush("cosmo:fetch", "1")
    Messenger(broker).send("fetch", 8)
    _wait(lambda: done == [8])


def test_an_idle_worker_leaves_the_broker_alone(broker: WakeupBroker, work: Work) -> None:
    def looks() -> int:
        return int(broker.client.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))

    work(look_seconds=60)
    assert broker.get_declared_delay_queues() == set()
    _wait(lambda: _ears(broker) == 1)
    time.sleep(0.3)  # listening has begun, after which it polls once
    before = looks()
    time.sleep(0.5)
    assert looks() == before


def test_what_came_while_nobody_listened_is_found_at_once(broker: WakeupBroker, work: Work) -> None:
    done = work(look_seconds=60)
    _wait(lambda: _ears(broker) == 1)
    time.sleep(0.3)
    quiet = dramatiq.Message[None](
        queue_name="fetch", actor_name="run_job", args=(7,), kwargs={}, options={}
    )
    super(WakeupBroker, broker).enqueue(quiet)
    ear = broker.client.client_list(_type="pubsub")[0]["id"]
    broker.client.client_kill_filter(_id=ear)
    _wait(lambda: done == [7])
