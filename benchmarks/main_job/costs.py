"""A bare CalCOS run and the same run through the four services, measured alike."""

import asyncio
import gzip
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from services.archive.scan import scan
from services.archive.sources import open_source
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.jobs.events import Outbox, send
from shared.worker.broker import Messenger, make_broker

__all__ = ["ASSOCIATION", "Cost", "ServicesCost", "run_bare", "run_services", "unpack"]

ASSOCIATION = "ldfd01010"
_DATASETS = (ASSOCIATION, "ldfd01vlq")
_LONGEST_SECONDS = 900.0
_COMMAND = "import sys, calcos; sys.exit(calcos.main())"
"""What the command ``calcos`` is."""


@dataclass(frozen=True)
class Cost:
    """Wall-clock and processor seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class ServicesCost(Cost):
    """Cost of the four services from the scan of the source to the last row, and what of it was
    CalCOS itself.
    """

    calcos: Cost


def unpack(source: Path, target: Path) -> None:
    """Copy FITS files, gzipped ones unpacked as CalCOS wants them."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.fits*")):
        content = path.read_bytes()
        (target / path.name.removesuffix(".gz")).write_bytes(
            gzip.decompress(content) if path.suffix == ".gz" else content
        )


def run_bare(raw: Path, references: Path, outdir: Path) -> Cost:
    """Run plain ``calcos`` in a cold process.

    Parameters
    ----------
    raw
        Folder of the unpacked raw files.
    references
        Folder of the unpacked reference files.
    outdir
        Folder that is made for the products.

    Raises
    ------
    RuntimeError
        If CalCOS fails.
    """
    outdir.mkdir()
    started = time.monotonic()
    with (outdir / "calcos.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "-o", f"{outdir}/", f"{raw}/{ASSOCIATION}_asn.fits"],
            env={**os.environ, "lref": f"{references}/"},
            stdout=log,
            stderr=log,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime)
    if process.returncode != 0 or not (outdir / f"{ASSOCIATION}_x1dsum.fits").exists():
        raise RuntimeError(f"the bare run failed, see {outdir / 'calcos.log'}")
    return cost


def run_services(source: Path, references: Path, folder: Path) -> ServicesCost:
    """Run the main job through the four services, started and warm, on empty tables.

    Parameters
    ----------
    source
        Folder of the raw files as the archive hands them out.
    references
        Folder of the unpacked reference files.
    folder
        Folder that is made for the servers and the store.

    Raises
    ------
    RuntimeError
        If the datasets do not get through.
    """
    with LocalStack(folder, references=references) as machine:
        machine.start_servers()
        asyncio.run(_migrate(machine))
        machine.start_services()
        _wait_until_warm(folder / "logs")
        before = _cpu_of_tree()
        started = time.time()
        asyncio.run(_scan(machine, source))
        with Client(machine.url) as client:
            _wait_for_end(client)
            ended = max(item.at.timestamp() for name in _DATASETS for item in client.timeline(name))
            cpu = _cpu_of_tree() - before
            (run,) = client.dataset(ASSOCIATION).runs
    return ServicesCost(ended - started, cpu, Cost(run.wall_seconds, run.cpu_seconds))


async def _migrate(machine: LocalStack) -> None:
    database = Database(machine.environment["COSMO_DATABASE_URL"])
    await migrate(database)
    await database.dispose()


async def _scan(machine: LocalStack, source: Path) -> None:
    """Look at the source as the archive service does."""
    database = Database(machine.environment["COSMO_DATABASE_URL"])
    broker = make_broker(machine.environment["COSMO_REDIS_URL"])
    outbox = Outbox()
    await scan(database, open_source(str(source)), outbox)
    await send(Messenger(broker), outbox)
    broker.close()
    await database.dispose()


def _wait_until_warm(logs: Path) -> None:
    """Wait until every worker takes jobs; the calibrator's template has CalCOS imported by then."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    workers = ("archive", "calibrator-1", "ingestor")
    while not all("worker ready" in (logs / f"{name}.log").read_text() for name in workers):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the services did not get ready, see {logs}")
        time.sleep(0.1)
    time.sleep(1.0)


def _wait_for_end(client: Client) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while states := {name: client.dataset(name).state for name in _DATASETS}:
        if all(state == "ingested" for state in states.values()):
            return
        if "failed" in states.values() or time.monotonic() > deadline:
            raise RuntimeError(f"the main job did not get through: {states}")
        time.sleep(0.5)


def _cpu_of_tree() -> float:
    """Return the processor seconds of this process and every one below it, those that have ended
    included.
    """
    this = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in (this, *this.children(recursive=True)))
