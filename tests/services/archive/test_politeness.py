"""Rates and pauses."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.archive.politeness import Pace, pause_after


def test_threads_share_a_rate() -> None:
    pace = Pace(100.0)
    started = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: pace.wait(), range(11)))
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize(("failures", "longest"), [(1, 2.0), (2, 4.0), (3, 8.0), (9, 30.0)])
def test_pauses_grow_to_a_limit(failures: int, longest: float) -> None:
    pauses = [pause_after(failures, 2.0) for _ in range(20)]
    assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert len(set(pauses)) > 1
