"""Processes killed while they work, and bad input, one after another on one COSMO.

Nothing lost, nothing double, and a restart within a minute.
"""

import shutil
import signal
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
import redis
from astropy.io import fits
from sqlalchemy import select, text

from shared.database.models.operations import File
from tests.e2e.exposures import put_exposure
from tests.e2e.running import Running
from tests.services.ingestor.bench import extract_file

pytestmark = pytest.mark.e2e

MINUTE = 60.0


def test_ingestor_killed_in_its_transaction(
    running: Running, data_dir: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    names = ("ldfd01vlq_rawacq.fits.gz", "ldfd01vlq_spt.fits.gz")
    for name in names:
        shutil.copyfile(data_dir / "ldfd01010" / "raw" / name, source / name)

    with running.connected() as (runner, connection):
        # Tables are written by name: the acquisition's comes before the support file's, which waits
        # for this lock.
        runner.run(connection.execute(text("LOCK TABLE spt IN ACCESS EXCLUSIVE MODE")))
        running.scan(source)
        writer = (
            "SELECT count(*) FROM pg_locks wanted JOIN pg_locks held USING (pid) WHERE NOT "
            "wanted.granted "
            "AND wanted.relation = 'spt'::regclass AND held.granted AND held.relation = "
            "'acqs'::regclass "
            "AND held.mode = 'RowExclusiveLock'"
        )
        running.wait(
            lambda: runner.run(connection.execute(text(writer))).scalar() == 1,
            "the transaction to be midway",
        )
        ingestor = psutil.Process(running.machine.pids()["ingestor"])
        ingestor.kill()
        ingestor.wait()
        assert runner.run(connection.execute(text("SELECT count(*) FROM acqs"))).scalar() == 0
        assert running.state("ldfd01vlq") == "ingesting"
        runner.run(connection.rollback())
        end = time.time()

    running.wait_for("ldfd01vlq", "ingested", "failed")
    assert running.state("ldfd01vlq") == "ingested"
    attempts = running.attempts("ldfd01vlq", "ingest-raw")
    assert [attempt["outcome"] for attempt in attempts] == ["failed", "done"]
    assert "stopped renewing its lease" in attempts[0]["error"]
    assert attempts[1]["at"].timestamp() - end < MINUTE
    assert running.events("ldfd01vlq").count("dataset.ingested") == 1
    for name in names:
        for expected in extract_file(
            source / name, data_dir / "references", *(source / other for other in names)
        ):
            if expected.model.__tablename__ == "keywords":  # JSON, which a test of its own compares
                continue
            dicts = expected.dicts()
            wanted = sorted({column for row in dicts for column in row})
            columns = [getattr(expected.model, column) for column in wanted]
            rows = running.rows(
                select(*columns).join(File).where(File.name == name).order_by(expected.model.id),
            )
            assert [tuple(row) for row in rows] == [
                tuple(row.get(column) for column in wanted) for row in dicts
            ]


def _runs_again(running: Running, name: str, killed: int) -> bool:
    return running.machine.pids()[name] != killed


def _scanned(running: Running, source: Path) -> bool:
    running.scan(source)
    return True


def test_every_process_killed_in_turn(running: Running, data_dir: Path, tmp_path: Path) -> None:
    names = {
        "postgres",
        "valkey",
        "archive",
        "calibrator-1",
        "ingestor",
        "monitor-worker",
        "monitor",
    }
    assert set(running.machine.pids()) == names
    for number, name in enumerate(running.machine.pids()):
        killed = running.machine.pids()[name]
        running.kill(name)
        running.wait(partial(_runs_again, running, name, killed), f"{name} again")
        rootname, source = f"ldfd1{number}vlq", tmp_path / name
        source.mkdir()
        for suffix in ("rawacq", "spt"):
            raw = data_dir / "ldfd01010" / "raw" / f"ldfd01vlq_{suffix}.fits.gz"
            shutil.copyfile(raw, source / f"{rootname}_{suffix}.fits.gz")
        end = time.monotonic()
        running.wait(partial(_scanned, running, source), "a scan")
        running.wait_for(rootname, "ingested", "failed")
        assert running.state(rootname) == "ingested"
        assert time.monotonic() - end < MINUTE
        assert running.events(rootname).count("dataset.ingested") == 1
    running.wait(lambda: running.client.ready().status == "ok", "everything to be there")


def test_faults_in_the_middle_of_a_run(running: Running, data_dir: Path, tmp_path: Path) -> None:
    put_exposure(data_dir, tmp_path / "source", "ldfd01vtq", light=False)
    running.scan(tmp_path / "source")

    # the child is killed: a failed attempt, tried again
    running.wait_for_calcos().kill()
    running.wait(lambda: len(running.attempts("ldfd01vtq", "calibrate")) == 2, "a second attempt")
    assert "killed" in running.attempts("ldfd01vtq", "calibrate")[0]["error"]

    # SIGTERM: given back within the grace period, the attempt does not count. CalCOS stands still,
    # as on a fast machine it would be done within that period.
    running.wait_for_calcos().suspend()
    running.kill("calibrator-1", signal.SIGTERM)
    running.wait(lambda: len(running.attempts("ldfd01vtq", "calibrate")) == 3, "a third attempt")
    assert running.attempts("ldfd01vtq", "calibrate")[1]["outcome"] == "given back"

    # the broker loses everything and is killed, and so is Postgres; both are started again
    running.wait_for_calcos()
    redis.Redis.from_url(running.machine.environment["COSMO_REDIS_URL"]).flushall()
    for server in ("valkey", "postgres"):
        running.kill(server)
    running.wait_for("ldfd01vtq", "ingested", "failed")
    assert running.state("ldfd01vtq") == "ingested"
    assert [item["outcome"] for item in running.attempts("ldfd01vtq", "calibrate")] == [
        "failed",
        "given back",
        "done",
    ]
    dataset = running.client.dataset("ldfd01vtq")
    runs = [(run.attempt, run.signal, run.current) for run in reversed(dataset.runs)]
    assert runs == [(1, "SIGKILL", False), (2, "SIGKILL", False), (2, None, True)]
    assert all(run.wall_seconds > 0 and run.cpu_seconds > 0 for run in dataset.runs)
    names = [file.name for file in dataset.files if file.current]
    assert "ldfd01vtq_corrtag_a.fits" in {name.removesuffix(".gz") for name in names}
    assert len(set(names)) == len(names)
    assert len(list(running.client.rows("spt", rootname="ldfd01vtq"))) == 1


def test_killed_worker(running: Running, data_dir: Path, tmp_path: Path) -> None:
    put_exposure(data_dir, tmp_path / "source", "ldfd01vpq", light=False)
    running.scan(tmp_path / "source")
    calcos = running.wait_for_calcos()
    family = psutil.Process(running.machine.pids()["calibrator-1"]).children(recursive=True)
    assert calcos in family
    running.kill("calibrator-1")
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    running.wait_for("ldfd01vpq", "ingested", "failed")
    outcomes = [item["outcome"] for item in running.attempts("ldfd01vpq", "calibrate")]
    assert outcomes == ["failed", "done"]
    (run,) = running.client.dataset("ldfd01vpq").runs
    assert run.current


@pytest.fixture
def small(data_dir: Path, tmp_path: Path) -> Path:
    """Folder of the real association cut down to its first exposure, which CalCOS does in some 12
    s.
    """
    folder = tmp_path / "small"
    folder.mkdir()
    raw = data_dir / "ldfd01010" / "raw"
    for name in ("ldfd01vnq_rawtag_a.fits.gz", "ldfd01vnq_spt.fits.gz"):
        shutil.copyfile(raw / name, folder / name)
    with fits.open(raw / "ldfd01010_asn.fits.gz") as hdus:
        hdus["ASN"].data = hdus["ASN"].data[[0, 4]]
        hdus.writeto(folder / "ldfd01010_asn.fits")
    return folder


def test_bad_input(running: Running, small: Path, data_dir: Path) -> None:
    spt = small / "ldfd01vnq_spt.fits.gz"
    support = spt.read_bytes()
    spt.unlink()
    running.scan(small)
    dataset = running.client.dataset("ldfd01010")
    assert (dataset.state, dataset.missing) == ("discovered", ["ldfd01vnq_spt"])

    for content in (support[:5000], b"", b"garbage"):
        spt.write_bytes(content)
        running.scan(small)
        running.wait_for("ldfd01010", "failed")
        (failure,) = running.client.failures()
        assert failure.stage == "fetch"
        assert failure.error_kind == "permanent"
        assert "ldfd01vnq_spt" in (failure.error or "")
    running.client.drop(failure.id)
    assert list(running.client.failures()) == []

    raw = small / "ldfd01vnq_rawtag_a.fits.gz"
    events = raw.read_bytes()
    raw.unlink()
    plain = raw.with_suffix("")
    shutil.copyfile(data_dir / "ldfd01010" / "raw" / raw.name, raw)
    with fits.open(raw) as hdus:
        hdus[0].header["FLATFILE"] = "lref$nowhere_flat.fits"
        hdus.writeto(plain)
    raw.unlink()
    spt.write_bytes(support)
    running.scan(small)
    running.wait_for("ldfd01010", "failed")
    (failure,) = running.client.failures()
    assert "FLATFILE" in (failure.error or "")
    assert "nowhere_flat.fits" in (failure.error or "")

    plain.unlink()
    raw.write_bytes(events)
    running.scan(small)
    running.wait_for("ldfd01010", "ingested")
    assert list(running.client.failures()) == []
