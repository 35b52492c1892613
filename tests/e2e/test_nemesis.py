"""Random faults of every process of ``cosmo up``, its servers included.

Nothing lost, nothing double.
"""

import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.nemesis.instance import Instance
from benchmarks.nemesis.outcome import find_violations
from benchmarks.nemesis.run import Run
from benchmarks.nemesis.schedule import PROCESSES, Kind, draw_faults
from cosmo.launcher import processes as children
from shared.database.engine import Database
from shared.database.models.operations import Dataset, Event
from shared.store import Store
from shared.urls import file_url

_DATA = Path(os.environ.get("COSMO_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
_SEED = 19
_SECONDS, _PAUSE, _LONGEST = 30.0, 0.8, 4.0


def test_a_seed_draws_the_same_faults_again() -> None:
    faults = draw_faults(_SEED, 600.0, 5.0, 20.0)
    assert (
        faults == draw_faults(_SEED, 600.0, 5.0, 20.0) != draw_faults(_SEED + 1, 600.0, 5.0, 20.0)
    )
    assert {fault.kind for fault in faults} == set(Kind)
    for kind in (Kind.KILL, Kind.PAUSE, Kind.RESTART):
        assert {fault.target for fault in faults if fault.kind is kind} >= set(PROCESSES)
    assert max(fault.at + fault.length for fault in faults) <= 600.0


@pytest.mark.integration
async def test_what_is_lost_or_left_undone_is_seen(database: Database, tmp_path: Path) -> None:
    async with database.transaction() as session:
        dataset = Dataset(rootname="ldfd01vlq", kind="acquisition")
        session.add(dataset)
        await session.flush()
        detail = {"origin": "raw", "rows": {"acqs": 1}}
        session.add(Event(name="dataset.ingested", dataset_id=dataset.id, detail=detail))
    found = await find_violations(
        database, Store(str(tmp_path)), {"ldfd01vlq_rawacq.fits": "00"}, {"ldzzzza1q"}
    )
    assert sorted((violation.subject, violation.message) for violation in found) == [
        ("ldfd01vlq", "discovered, not ingested"),
        ("ldfd01vlq (raw)", "{}, not {'acqs': 1}"),
        ("ldfd01vlq_rawacq.fits", "no current file is a copy of it"),
        ("ldzzzza1q", "None, not failed"),
    ]


def test_a_service_without_its_launcher_is_seen(tmp_path: Path) -> None:
    instance = Instance(tmp_path, tmp_path, tmp_path)
    environment = {**os.environ, "COSMO_STORE_URL": file_url(instance.store)}
    command = [sys.executable, "-m", "services.archive"]
    process = children.spawn(command, tmp_path / "log", environment=environment)
    try:
        assert [found.pid for found in instance.left_over()] == [process.pid]
    finally:
        children.stop(process, signal.SIGKILL, 10)
    assert instance.left_over() == []


@pytest.mark.e2e
def test_nothing_is_lost_or_double(tmp_path: Path) -> None:
    real = _DATA if _DATA.is_dir() else None
    report = Run(
        _SEED, _SECONDS, _PAUSE, _LONGEST, portions=8, patience=120.0, real=real
    ).carry_out(tmp_path)
    assert report.violations == [], report
    assert sum(report.injected.values()) > sum(report.missed.values())
    # Connections can be ended only while their server is there.
    always = set(Kind) - {Kind.DISCONNECT} - set(report.left_out)
    assert {name.split()[0] for name in report.injected} >= always
