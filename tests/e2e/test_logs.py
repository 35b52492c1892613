"""Every line that a service writes is JSON, whoever in it writes the line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cosmo.launcher import processes as children
from cosmo.launcher.embedded import EmbeddedPostgres, EmbeddedValkey
from shared.database.engine import Database

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SERVICES = {
    "archive": "services.archive",
    "calibrator": "services.calibrator",
    "ingestor": "services.ingestor",
    "monitor": "services.monitor",
    "monitor-worker": "services.monitor.worker",
}
NOISES = ("printed", "warned", "uncaught", "of a library")
SECONDS = 180.0
"""In which a service starts however busy the machine is."""

NOISE = """
import logging, sys, threading, time, warnings

def make_noise():
    while sys.stderr is sys.__stderr__:
        time.sleep(0.05)
    program = " ".join(sys.orig_argv)
    print("printed by", program)
    warnings.warn(f"warned by {program}")
    logging.getLogger("library").warning("of a library in %s", program)
    raise RuntimeError(f"uncaught in {program}")

threading.Thread(target=make_noise, daemon=True).start()
"""
"""What a process does as soon as its logs are set up; the interpreter reads it at its start."""


def _environment(
    folder: Path, postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> dict[str, str]:
    (folder / "sitecustomize.py").write_text(NOISE)
    (folder / "source").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "PYTHONWARNINGS": "default",
        "COSMO_DATABASE_URL": postgres.url,
        "COSMO_REDIS_URL": valkey.url,
        "COSMO_STORE_URL": f"file://{folder / 'store'}",
        "COSMO_ARCHIVE__SOURCES": str(folder / "source"),
        "COSMO_REFERENCES__FOLDER": str(folder / "source"),
        "COSMO_REFERENCES__CACHE": str(folder / "references"),
        "COSMO_CALIBRATOR__SCRATCH": str(folder / "scratch"),
        "COSMO_API__PORT": str(port),
        "COSMO_LOG_LEVEL": "DEBUG",
    }


def _wait(log: Path, process: "subprocess.Popen[bytes]", *texts: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not all(text in log.read_text() for text in texts):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def test_every_line_of_every_service_is_json(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, database: Database, tmp_path: Path
) -> None:
    environment = _environment(tmp_path, postgres, valkey)
    logs = {name: tmp_path / f"{name}.log" for name in SERVICES}
    running = {
        name: children.spawn([sys.executable, "-m", module], logs[name], environment=environment)
        for name, module in SERVICES.items()
    }
    try:
        for name, process in running.items():
            ready = "Uvicorn running" if name == "monitor" else "worker ready"
            _wait(logs[name], process, ready, *(f"{noise}" for noise in NOISES))
    finally:
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        for process in running.values():
            children.stop(process, signal.SIGTERM, 60)
    migrated = subprocess.run(
        [sys.executable, "-m", "shared.database"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    found = {name: log.read_text() for name, log in logs.items()} | {"migrate": migrated.stdout}
    loggers: dict[str, set[str]] = {}
    for name, text in found.items():
        for line in text.splitlines():
            entry = json.loads(line)
            assert entry["service"] == name
            assert {"event", "level", "timestamp"} <= set(entry)
            loggers.setdefault(name, set()).add(str(entry.get("logger")).partition(".")[0])
    assert "uvicorn" in loggers["monitor"]
    assert "alembic" in loggers["migrate"]
    assert all("dramatiq" in loggers[name] for name in SERVICES if name != "monitor")
    template = [line for line in found["calibrator"].splitlines() if "forkserver" in line]
    assert all(any(noise in line for line in template) for noise in NOISES)
