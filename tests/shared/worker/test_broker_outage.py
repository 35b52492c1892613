"""A broker that is away: what it costs in lines of the log, and that work goes on after it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq
import pytest
import redis
from structlog.testing import capture_logs

from cosmo.launcher.embedded import EmbeddedValkey
from shared.jobs.queues import Queue
from shared.worker import broker_outage
from shared.worker.broker import Messenger, declare_actors, make_broker
from shared.worker.broker_outage import BrokerOutage

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """Broker that may be stopped."""
    server = EmbeddedValkey(tmp_path)
    server.start()
    yield server
    server.stop()


def _wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_broker_that_is_away_for_a_while_takes_two_lines(
    server: EmbeddedValkey, caplog: pytest.LogCaptureFixture
) -> None:
    broker, done = make_broker(server.url), list[int]()
    messenger = Messenger(broker)
    declare_actors(broker, Queue.FETCH, done.append)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=100)
    worker.start()
    messenger.send(Queue.FETCH, 1)
    _wait(lambda: done == [1])
    with capture_logs() as lines:
        server.stop()
        _wait(lambda: bool(lines))
        for _ in range(5):
            with pytest.raises(redis.RedisError):
                messenger.send(Queue.INGEST, 2)
        time.sleep(1.0)
        server.start()
        _wait(lambda: len(lines) > 1)
        messenger.send(Queue.INGEST, 3)
        _wait(lambda: done == [1, 3])
    worker.stop(1000)
    broker.close()
    assert [line["event"] for line in lines] == [
        "the broker is away; jobs wait in Postgres",
        "the broker is back",
    ]
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == []


def test_an_outage_is_reported_again_once_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    outage, error = BrokerOutage(), redis.ConnectionError("refused")
    with capture_logs() as lines:
        for _ in range(3):
            outage.begin(error)
        monkeypatch.setattr(broker_outage, "_REMIND_SECONDS", 0.0)
        outage.begin(error)
        outage.end()
        outage.end()
    assert [line["log_level"] for line in lines] == ["warning", "warning", "info"]
