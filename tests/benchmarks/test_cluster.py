"""The simulation of a cluster gives what was measured in the small, and finds what limits."""

import pytest

from benchmarks.scale.cluster import Cluster, Costs, simulate

_QUEUE = (
    *(1.4, 5.5, 4.8, 0.8, 15.8, 2.2, 4.6, 1.3, 8.0, 12.3, 1.2, 7.4, 2.1, 1.7, 11.2, 2.4, 1.9, 2.2),
    *(0.5, 23.4),
)
"""Lengths of 20 runs of all kinds, second."""


def test_two_workers_take_half_of_the_time_and_the_end_of_the_queue() -> None:
    """Measured: 1.97 times less; the last run is long here, where the other waits for its end."""
    one, two = (
        simulate(Cluster(number, store_mb=1e6), number=len(_QUEUE), durations=_QUEUE).rate
        for number in (1, 2)
    )
    assert one == pytest.approx(len(_QUEUE) / sum(_QUEUE), rel=0.01)
    assert 1.6 < two / one < 2.0


@pytest.mark.parametrize(
    ("cluster", "limit"),
    [
        (Cluster(4), "calibrators"),
        (Cluster(100, store_mb=100.0), "store"),
        (Cluster(100, database_cores=1, store_mb=1e6), "calibrators"),
        (Cluster(100, events=10.0, store_mb=1e6), "events"),
    ],
)
def test_what_limits(cluster: Cluster, limit: str) -> None:
    assert simulate(cluster, number=2000).limit == limit


def test_the_store_gives_what_it_has() -> None:
    costs = Costs(read_mb=50.0, stored_mb=50.0)
    outcome = simulate(Cluster(200, store_mb=1000.0), costs, number=4000)
    assert outcome.rate == pytest.approx(1000.0 / 200.0, rel=0.02)
