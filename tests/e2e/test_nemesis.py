"""Random faults of every process of ``cosmo up``, its servers included: nothing lost, nothing double."""

import os
from pathlib import Path

import pytest

from benchmarks.nemesis.run import Run
from benchmarks.nemesis.schedule import PROCESSES, Kind, draw_faults

_DATA = Path(os.environ.get("COSMO_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
_SEED = 19
_SECONDS, _PAUSE, _LONGEST = 30.0, 0.8, 4.0


def test_a_seed_draws_the_same_faults_again() -> None:
    faults = draw_faults(_SEED, 600.0, 5.0, 20.0)
    assert faults == draw_faults(_SEED, 600.0, 5.0, 20.0) != draw_faults(_SEED + 1, 600.0, 5.0, 20.0)
    assert {fault.kind for fault in faults} == set(Kind)
    for kind in (Kind.KILL, Kind.PAUSE, Kind.RESTART):
        assert {fault.target for fault in faults if fault.kind is kind} >= set(PROCESSES)
    assert max(fault.at + fault.length for fault in faults) <= 600.0


@pytest.mark.e2e
def test_nothing_is_lost_or_double(tmp_path: Path) -> None:
    real = _DATA if _DATA.is_dir() else None
    report = Run(_SEED, _SECONDS, _PAUSE, _LONGEST, portions=8, patience=120.0, real=real).carry_out(tmp_path)
    assert report.violations == [], report
    assert sum(report.injected.values()) > sum(report.missed.values())
    assert {kind.split()[0] for kind in report.injected} | set(report.left_out) == set(Kind)
