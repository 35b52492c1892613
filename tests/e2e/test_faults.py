"""Faults of whole runs, with real processes.

Nothing lost, nothing double, and a restart within a minute.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from astropy.io import fits
from sqlalchemy import select

from cosmo.client import Client
from cosmo.launcher.address import read_address
from shared.database.models.operations import Attempt, File, Job, Stage
from shared.errors import CosmoError
from shared.store import Store, StoredEntry
from shared.worker.broker import Messenger, make_broker
from tests.e2e.exposures import put_exposure
from tests.e2e.running import Running
from tests.object_store import ObjectStore

pytestmark = pytest.mark.e2e

Start = Callable[..., Running]
MINUTE = 60.0


def _trouble(running: Running) -> list[str]:
    found: list[str] = running.client.status().trouble
    return found


def _alerts(running: Running) -> list[str]:
    """Messages of the open alerts about the system itself."""
    return [alert.message for alert in running.client.alerts(monitor="operations", state="open")]


def _ended(attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [attempt for attempt in attempts if attempt["outcome"] is not None]


def _started(attempt: dict[str, Any]) -> float:
    return float(attempt["at"].timestamp())


def _whole_store(running: Running) -> None:
    """Check that each file that the database names is in the store, once and whole."""
    root = Path(running.machine.environment["COSMO_STORE_URL"].removeprefix("file://"))
    files = running.rows(select(File.path, File.name, File.size).where(File.current))
    assert len({name for _, name, _ in files}) == len(files) > 0
    assert all((root / path / name).stat().st_size == size for path, name, size in files)


def test_two_workers_share_the_work(start: Start, data_dir: Path, tmp_path: Path) -> None:
    rootnames = ("ldfd01vnq", "ldfd01vpq")
    for rootname in rootnames:
        put_exposure(data_dir, tmp_path / "source", rootname)
    running = start(calibrators=2)
    running.scan(tmp_path / "source")
    calibrations = select(Job.id).where(Job.stage == Stage.CALIBRATE)
    running.wait(lambda: len(running.rows(calibrations)) == 2, "both to be fetched")
    # each message comes three times more
    broker = make_broker(running.machine.environment["COSMO_REDIS_URL"])
    messenger = Messenger(broker)
    for (job_id,) in running.rows(calibrations) * 3:
        messenger.send("calibrate", job_id)
    broker.close()
    for rootname in rootnames:
        running.wait_for(rootname, "ingested", "failed")
        assert running.state(rootname) == "ingested"
        assert len(running.client.dataset(rootname).runs) == 1
    tries = running.rows(
        select(Attempt.worker, Attempt.outcome, Attempt.started_at, Attempt.finished_at)
        .join(Job)
        .where(Job.stage == Stage.CALIBRATE)
        .order_by(Attempt.started_at),
    )
    assert [attempt.outcome for attempt in tries] == ["done", "done"]
    assert tries[0].worker != tries[1].worker
    assert tries[1].started_at < tries[0].finished_at
    _whole_store(running)


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[Path]:
    """Make the store a tmpfs that takes the raw files but not the products."""
    store = tmp_path / "data" / "store"
    store.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", store], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    yield store
    subprocess.run(["umount", "--lazy", store], check=True)


def test_full_store(
    small_store: Path, start: Start, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMO_JOBS__MAX_ATTEMPTS", "1")
    put_exposure(data_dir, tmp_path / "source", "ldfd01vnq")
    running = start()
    running.scan(tmp_path / "source")
    # once more than what fails is tried
    running.wait(
        lambda: len(_ended(running.attempts("ldfd01vnq", "calibrate"))) == 2, "a full store"
    )
    running.wait(
        lambda: any("calibrator-1: paused: the store" in line for line in _trouble(running)),
        "the alert",
    )
    running.wait(
        lambda: ["free space" in message for message in _alerts(running)] == [True],
        "an alert about it",
    )
    (attempt, *_) = running.attempts("ldfd01vnq", "calibrate")
    assert attempt["error_kind"] == "outage"
    assert "free space" in attempt["error"]
    assert running.state("ldfd01vnq") in ("fetched", "calibrating", "ingesting")
    dataset = running.client.dataset("ldfd01vnq")
    assert {(run.current, "free space" in (run.error or "")) for run in dataset.runs} == {
        (False, True)
    }
    assert {file.origin for file in dataset.files} == {"raw"}
    subprocess.run(["mount", "-o", "remount,size=400m", small_store], check=True)
    end = time.time()

    running.wait_for("ldfd01vnq", "ingested", "failed")
    assert running.state("ldfd01vnq") == "ingested"
    attempts = running.attempts("ldfd01vnq", "calibrate")
    *given_back, done = attempts
    assert {attempt["outcome"] for attempt in given_back} == {"given back"}
    assert done["outcome"] == "done"
    assert _started(done) - end < MINUTE
    runs = running.client.dataset("ldfd01vnq").runs
    assert [run.error for run in runs if run.current] == [None]
    assert len(runs) == len(attempts)
    assert "job.retried" not in running.events("ldfd01vnq")
    assert list(running.client.failures()) == []
    _whole_store(running)
    running.wait(lambda: _trouble(running) == [] == _alerts(running), "the end of the alert")


class _Up:
    """`cosmo up` on a folder, as a shell starts it."""

    def __init__(self, data_dir: Path, source: Path, references: Path) -> None:
        self._data_dir = data_dir
        self._log = source.parent / "up.log"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cosmo", "up", "--port", "0"),
                *(
                    "--data-dir",
                    str(data_dir),
                    "--source",
                    str(source),
                    "--references",
                    str(references),
                ),
            ],
            # The plain CalCOS runs long enough to be met at work.
            env={
                **os.environ,
                "COSMO_ARCHIVE__SCAN_SECONDS": "1",
                "COSMO_CALIBRATOR__ACCELERATION": "off",
            },
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def tree(self) -> list[psutil.Process]:
        """List every process of it: servers, services, templates, CalCOS."""
        up = psutil.Process(self._process.pid)
        return [up, *up.children(recursive=True)]

    def calcos(self) -> bool:
        """Return whether CalCOS is at work."""
        worker = next(
            process for process in self.tree() if process.cmdline()[-1:] == ["services.calibrator"]
        )
        below = (process for template in worker.children() for process in template.children())
        return any(sum(process.cpu_times()[:2]) > 1.0 for process in below)

    def kill(self, processes: list[psutil.Process]) -> None:
        """Send SIGKILL, which leaves no time for anything."""
        for process in processes:
            process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def wait(self, condition: Callable[[Client], Any], what: str, seconds: float = 150.0) -> None:
        """Wait for something that its API tells."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"cosmo up ended: {self._log.read_text()}"
            try:
                address = read_address(self._data_dir)
                with Client(address.url, address.token) as client:
                    if condition(client):
                        return
            except (CosmoError, psutil.Error):
                pass
            time.sleep(0.2)
        pytest.fail(f"waited {seconds:.0f} s for {what}")

    def client(self) -> Client:
        """Return the client of its API."""
        return Client(data_dir=self._data_dir)


def _calibrations(client: Client, rootname: str) -> list[dict[str, Any]]:
    attempts = [
        {"at": item.at, **item.detail}
        for item in client.timeline(rootname)
        if item.name == "attempt.started"
    ]
    return [attempt for attempt in attempts if attempt["stage"] == "calibrate"]


def test_up_killed_whole(data_dir: Path, tmp_path: Path) -> None:
    """Also: an incomplete association is let through by the command line, and its run says what was
    missing.
    """
    folder, source, root = tmp_path / "data", tmp_path / "source", "ldfd01010"
    put_exposure(data_dir, source, "ldfd01vnq", association=True)
    with fits.open(data_dir / root / "raw" / f"{root}_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 1, 4]].copy()
        hdus.writeto(source / f"{root}_asn.fits")
    missing = ["ldfd01vpq_raw*", "ldfd01vpq_spt"]

    up = _Up(folder, source, data_dir / "references")
    try:
        up.wait(
            lambda client: client.dataset(root).missing == missing, "the incomplete association"
        )
        assert up.client().dataset(root).state == "discovered"
        command = [sys.executable, "-m", "cosmo", "force", root, "--data-dir", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

        up.wait(lambda _client: up.calcos(), "CalCOS to run")
        everything = up.tree()
        assert {"postgres", "valkey-server"} <= {process.name() for process in everything}
        up.kill(everything)

        end = time.time()
        up = _Up(folder, source, data_dir / "references")
        up.wait(lambda client: len(_calibrations(client, root)) == 2, "a second attempt")
        assert _started(_calibrations(up.client(), root)[1]) - end < MINUTE

        # now the supervisor alone, whose servers need a moment to end: the next start has to wait
        # for them
        up.wait(lambda _client: up.calcos(), "CalCOS to run again")
        up.kill(up.tree()[:1])
        end = time.time()
        up = _Up(folder, source, data_dir / "references")
        up.wait(lambda client: client.dataset(root).state in ("ingested", "failed"), "the end")
        client = up.client()
        dataset = client.dataset(root)
        assert dataset.state == "ingested"
        tries = _calibrations(client, root)
        assert _started(tries[-1]) - end < MINUTE
        assert [attempt["outcome"] for attempt in tries].count("done") == 1
        (run,) = [run for run in dataset.runs if run.current]
        assert run.accepted_missing == missing
        assert sorted(run.inputs) == [
            "ldfd01010_asn.fits",
            "ldfd01vnq_rawtag_a.fits",
            "ldfd01vnq_spt.fits.gz",
        ]
        names = [item.name for item in client.timeline(root)]
        events = ("dataset.forced", "dataset.fetched", "dataset.calibrated", "dataset.ingested")
        assert [names.count(event) for event in events] == [1, 1, 1, 2]
        assert len(list(client.rows("spt", generation="all"))) == 1
    finally:
        up.stop()


def test_object_store_killed_in_the_middle_of_each_stage(
    start: Start,
    data_dir: Path,
    tmp_path: Path,
    object_store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COSMO_STORE_URL", f"{object_store.url}/cosmo")
    running = start()
    put_exposure(data_dir, tmp_path / "source", "ldfd01vnq")
    rootname = "ldfd01vnq"

    def bring_back(stage: str) -> None:
        object_store.wait_until_killed()
        running.wait(
            lambda: (
                {one["error_kind"] for one in _ended(running.attempts(rootname, stage))}
                == {"outage"}
            ),
            "the job to be given back",
        )
        object_store.start()

    object_store.kill_at(r"PUT .*/raw/.*_spt")
    running.scan(tmp_path / "source")
    bring_back("fetch")
    object_store.kill_at(r"GET .*/raw/.*_spt")
    bring_back("calibrate")
    object_store.kill_at(r"PUT .*/products/.*_corrtag")
    object_store.wait_until_killed()
    log = tmp_path / "data" / "logs" / "calibrator-1.log"
    running.wait(lambda: "not stored" in log.read_text(), "a failed upload")
    object_store.start()
    object_store.kill_at(r"GET .*/products/.*_corrtag")
    bring_back("ingest-products")
    running.wait_for(rootname, "ingested", "failed")
    assert running.state(rootname) == "ingested"

    files = running.rows(select(File.path, File.name, File.size).where(File.current))
    store = Store(f"{object_store.url}/cosmo")
    assert {"ldfd01vnq_spt.fits.gz", "ldfd01vnq_corrtag_a.fits.gz"} <= {row[1] for row in files}
    for path, name, size in files:
        assert StoredEntry(name, size) in store.files(path)
    # What CalCOS made before the server was killed is kept.
    assert len(running.client.dataset(rootname).runs) == 1
    # Runs of monitors may still wait.
    of_dataset = Job.dataset_id.is_not(None)
    outcomes = running.rows(select(Job.stage, Job.state, Job.attempts).where(of_dataset))
    assert all((state, attempts) == ("done", 1) for _, state, attempts in outcomes), outcomes
