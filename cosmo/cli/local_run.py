"""Common parts of the commands that start COSMO on this machine."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from cosmo.launcher.reaching import require_named_servers
from cosmo.launcher.stack import LocalStack
from services.archive.scan import ScanResult, scan
from services.archive.sources import open_source
from services.ingestor.manual import add_file
from services.monitor.response_models.datasets import DatasetRecord
from shared.database.engine import Database
from shared.database.leadership import require_sessions
from shared.database.models.operations import File
from shared.database.schema import migrate
from shared.jobs.events import Outbox, send
from shared.remote_references import check_references, open_references
from shared.settings import ReferenceSettings, get_settings
from shared.store import Store
from shared.worker.broker import Messenger, make_broker

__all__ = [
    "CONSOLE",
    "DONE",
    "add_reports",
    "prepare",
    "raw_files",
    "report",
    "scan_once",
    "tabulate",
    "wait_for_stop",
]

CONSOLE = Console(stderr=True)

DONE = ("ingested", "skipped")
"""States of datasets that got through."""


def prepare(machine: LocalStack) -> None:
    """Start the servers, or see that those that the environment names answer.

    Bring the schema up to date.

    Raises
    ------
    CosmoError
        If one does not answer, or cannot work as it is set, like the store and the references.
    """
    Store(machine.environment["COSMO_STORE_URL"]).require()
    check_references(_references(machine.environment))
    require_named_servers()
    machine.start_servers()

    async def run() -> None:
        database = Database(_session_url(machine.environment))
        try:
            await require_sessions(database)
            await migrate(database)
        finally:
            await database.dispose()

    asyncio.run(run())


def _session_url(environment: dict[str, str]) -> str:
    """Return the URL of the Postgres that is named, or of the one that was started here."""
    named = "COSMO_DATABASE_URL" in os.environ
    return get_settings().session_url if named else environment["COSMO_DATABASE_URL"]


def report(machine: LocalStack) -> None:
    """Keep up what ended by itself, and say so."""
    for line in machine.check():
        CONSOLE.print(line, markup=False)


def wait_for_stop(machine: LocalStack) -> None:
    """Keep the services up until a signal asks to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0):
        report(machine)
    CONSOLE.print("stopping ...")


def _references(environment: dict[str, str]) -> ReferenceSettings:
    """Return where the services find the reference files."""
    folder, cache = (environment.get(f"COSMO_REFERENCES__{name}") for name in ("FOLDER", "CACHE"))
    return ReferenceSettings.model_validate({"folder": folder or None, "cache": cache})


async def scan_once(environment: dict[str, str], source: str) -> ScanResult:
    """Scan a source now, with the settings of the services."""
    database = Database(_session_url(environment))
    broker = make_broker(environment["COSMO_REDIS_URL"])
    outbox = Outbox()
    try:
        references = open_references(_references(environment))
        bulk_above = get_settings().archive.bulk_above
        seen = await scan(
            database,
            open_source(source),
            outbox,
            references,
            bulk_above,
        )
        await send(Messenger(broker), outbox)
        return seen
    finally:
        broker.close()
        await database.dispose()


async def add_reports(environment: dict[str, str], paths: Iterable[Path]) -> None:
    """Add schedule reports, as ``cosmo ingest add`` does."""
    database = Database(_session_url(environment))
    try:
        for path in paths:
            await add_file(database, Store(environment["COSMO_STORE_URL"]), path)
    finally:
        await database.dispose()


async def raw_files(environment: dict[str, str]) -> set[str]:
    """Return the names of the raw files that have been fetched."""
    database = Database(_session_url(environment))
    try:
        async with database.session() as session:
            query = select(File.name).where(File.origin == "raw")
            return set((await session.execute(query)).scalars())
    finally:
        await database.dispose()


def tabulate(datasets: Iterable[DatasetRecord]) -> Table:
    """Tabulate datasets with their state and what holds them up."""
    table = Table("dataset", "kind", "state", "reason", box=None)
    for dataset in datasets:
        missing = "missing: " + ", ".join(dataset.missing) if dataset.missing else ""
        reason = dataset.reason or missing
        table.add_row(
            dataset.rootname, dataset.kind, dataset.state, reason.splitlines()[0] if reason else ""
        )
    return table
