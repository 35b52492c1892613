"""Discrete-event simulation of a cluster that calibrates the whole archive.

Calibrators claim, read, run, store and finish; each step that they share takes its turn at a
resource: the processors of Postgres, the sequencer of events, the bandwidth of the store. What
each costs was measured (`Costs`). The leader fills the queue as it does: a window, looked at four
times a second.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared.settings import JobSettings

__all__ = ["SIZES", "Cluster", "Costs", "Outcome", "simulate"]

SIZES = (1, 2, 8, 32, 100, 200, 500, 1000)
"""Calibrators."""

_FOLLOW_SECONDS = 0.25
_FEED_SECONDS = 4e-5
"""Time of Postgres for each message of the feed: 9 ms for 200."""
_SIGN_SECONDS, _RENEWALS = 5.0, 3
"""Pause between signs of life, and renewals of a lease within its length."""
_BUSY = 0.9
"""Part of the time in use from which on a resource limits the others."""


@dataclass(frozen=True)
class Costs:
    """What one dataset costs.

    Attributes
    ----------
    run_seconds, run_spread
        Median time of a calibration on one core, and standard deviation of its logarithm: of 26
        kinds of datasets (`acceleration.csv`), from 0.4 to 23 s.
    read_mb, stored_mb
        Files that a calibration reads and stores.
    claim_ms, finish_ms
        Processor time of Postgres for a claim, and for the end of a job with its event.
    small_ms
        Processor time of Postgres for a sign of life or the renewal of a lease.
    jobs
        Jobs of a dataset, of which one is the calibration.
    events
        Events of a dataset.
    """

    run_seconds: float = 4.0
    run_spread: float = 1.1
    read_mb: float = 40.0
    stored_mb: float = 33.0
    claim_ms: float = 2.5
    finish_ms: float = 4.5
    small_ms: float = 0.5
    jobs: int = 4
    events: int = 5


@dataclass(frozen=True)
class Cluster:
    """What there is.

    Attributes
    ----------
    calibrators
        Calibrators, each on a core of its own.
    database_cores
        Cores of Postgres.
    store_mb
        Bandwidth of the store, MB a second.
    events
        Events a second that the sequencer places.
    """

    calibrators: int
    database_cores: int = 8
    store_mb: float = 1250.0
    events: float = 2000.0


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes
    ----------
    calibrators
        How many there were.
    rate
        Calibrations a second.
    busy
        Part of the time that each resource was in use.
    """

    calibrators: int
    rate: float
    busy: dict[str, float]

    @property
    def limit(self) -> str:
        """Resource that limits the others."""
        name = max(self.busy, key=lambda one: self.busy[one])
        return name if self.busy[name] >= _BUSY else "calibrators"


@dataclass
class _Resource:
    """Servers that take one after the other, first come, first served."""

    servers: int
    free: list[float] = field(default_factory=list)
    used: float = 0.0

    def __post_init__(self) -> None:
        self.free = [0.0] * self.servers

    def take(self, now: float, seconds: float) -> float:
        """Use a server for so long as soon as one is free; returns when that is over."""
        end = max(now, heapq.heappop(self.free)) + seconds
        heapq.heappush(self.free, end)
        self.used += seconds
        return end


class _Simulation:
    """One run.

    Parameters
    ----------
    cluster
        What there is.
    costs
        What a dataset costs.
    durations
        Length of each run, second.
    """

    def __init__(self, cluster: Cluster, costs: Costs, durations: Iterator[float]) -> None:
        self._cluster, self._costs, self._durations = cluster, costs, durations
        self.database = _Resource(cluster.database_cores)
        self.store, self.sequencer = _Resource(1), _Resource(1)
        self._window = JobSettings().window
        self._waiting = 0
        self._left = math.inf
        self._idle: deque[int] = deque(range(cluster.calibrators))
        self._agenda: list[tuple[float, int, Iterator[float] | None]] = []
        self._count = 0
        self.done: list[float] = []

    def run(self, number: int) -> None:
        """Calibrate so many datasets."""
        self._left = number
        self._plan(0.0, None)
        for second in range(self._cluster.calibrators):  # signs of life, spread evenly
            self._plan(_SIGN_SECONDS * second / self._cluster.calibrators, self._signs())
        while len(self.done) < number:
            now, _, steps = heapq.heappop(self._agenda)
            self._now = now
            if steps is None:
                self._feed()
            elif (until := next(steps, None)) is not None:
                self._plan(until, steps)

    def _plan(self, at: float, steps: Iterator[float] | None) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, steps))

    def _feed(self) -> None:
        """Fill the queue where it is half empty."""
        if self._waiting <= self._window // 2 and self._left > 0:
            sent = int(min(self._window - self._waiting, self._left))
            self._left -= sent
            self._waiting += sent
            self.database.take(self._now, _FEED_SECONDS * sent)
            while self._idle and self._waiting:
                self._idle.popleft()
                self._plan(self._now, self._work())
        self._plan(self._now + _FOLLOW_SECONDS, None)

    def _signs(self) -> Iterator[float]:
        lease = JobSettings().lease_seconds / _RENEWALS
        seconds = self._costs.small_ms / 1000 * (1.0 + _SIGN_SECONDS / lease)
        while True:
            self.database.take(self._now, seconds)
            yield self._now + _SIGN_SECONDS

    def _work(self) -> Iterator[float]:
        """Work as long as messages wait; each value is when the next step begins."""
        costs, cluster = self._costs, self._cluster
        while self._waiting:
            self._waiting -= 1
            yield self.database.take(self._now, costs.claim_ms / 1000)
            yield self.store.take(self._now, costs.read_mb / cluster.store_mb)
            yield self._now + next(self._durations)
            yield self.store.take(self._now, costs.stored_mb / cluster.store_mb)
            # The other jobs of the dataset, done elsewhere, ask the same of Postgres and the store.
            others = (costs.claim_ms + costs.finish_ms) * (costs.jobs - 1) + costs.finish_ms
            self.store.take(self._now, (costs.read_mb + costs.stored_mb) / cluster.store_mb)
            self.sequencer.take(self._now, costs.events / cluster.events)
            yield self.database.take(self._now, others / 1000)
            self.done.append(self._now)
        self._idle.append(0)


def simulate(
    cluster: Cluster,
    costs: Costs | None = None,
    *,
    number: int | None = None,
    durations: Sequence[float] | None = None,
    seed: int = 1,
) -> Outcome:
    """Simulate a cluster at work.

    Parameters
    ----------
    cluster
        What there is.
    costs
        What a dataset costs; as measured if left out.
    number
        Datasets; as many as make the beginning and the end unimportant if left out.
    durations
        Length of each run, second; drawn if left out.
    seed
        Of what is drawn.
    """
    costs = costs or Costs()
    draw = random.Random(seed)

    def drawn() -> Iterator[float]:
        while True:
            yield draw.lognormvariate(math.log(costs.run_seconds), costs.run_spread)

    simulation = _Simulation(cluster, costs, iter(durations) if durations else drawn())
    number = number or 60 * cluster.calibrators + 1000
    simulation.run(number)
    # Between the beginning, in which all claim at once, and the end, in which few have work.
    first, last = (number // 5, number - number // 5) if durations is None else (0, number)
    begin = simulation.done[first - 1] if first else 0.0
    rate = (last - first) / (simulation.done[last - 1] - begin)
    resources = {
        "Postgres": simulation.database,
        "store": simulation.store,
        "events": simulation.sequencer,
    }
    busy = {name: rate * one.used / one.servers / number for name, one in resources.items()}
    return Outcome(cluster.calibrators, rate, busy)
