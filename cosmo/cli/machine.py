"""Commands that start COSMO on this machine."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cosmo.cli.options import DataDir, Json, References
from cosmo.client import Client
from cosmo.launcher.machine import Machine
from services.archive.scan import ScanResult, scan
from services.archive.sources import open_source
from shared.broker import Messenger, make_broker
from shared.database.engine import Database
from shared.database.schema import migrate
from shared.errors import PermanentError, TransientError
from shared.jobs.events import Outbox, send

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")
_CONSOLE = Console(stderr=True)
_POLL_SECONDS = 0.3

Calibrators = Annotated[int, typer.Option(help="Calibrator processes.", min=1)]
Port = Annotated[int, typer.Option(help="Port of the HTTP API and its pages; 0 takes a free one.")]


def _prepare(machine: Machine) -> None:
    machine.start_servers()

    async def run() -> None:
        database = Database(machine.environment["COSMO_DATABASE_URL"])
        try:
            await migrate(database)
        finally:
            await database.dispose()

    asyncio.run(run())


def _wait_for_stop(machine: Machine) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0):
        machine.check()
    _CONSOLE.print("stopping ...")


def up(
    source: Annotated[str | None, typer.Option(help="Source to scan: a folder or any fsspec URL.")] = None,
    references: References = None,
    calibrators: Calibrators = 1,
    port: Port = 8080,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Start the servers and the four services, and run until Ctrl-C."""
    with Machine(data_dir, source=source, references=references, calibrators=calibrators, port=port) as machine:
        _prepare(machine)
        machine.start_services()
        for name, state in machine.check().items():
            _CONSOLE.print(f"{name:14s} {state}")
        _CONSOLE.print(f"COSMO runs at {machine.url} with its data in {data_dir}; Ctrl-C stops it")
        _wait_for_stop(machine)


def run(
    source: str,
    references: References = None,
    serve: Annotated[bool, typer.Option(help="Keep the pages open at the end.")] = False,
    calibrators: Calibrators = 1,
    port: Port = 0,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Process everything in a source once; status 1 if anything failed, is incomplete or cannot be read."""
    with Machine(data_dir, references=references, calibrators=calibrators, port=port) as machine:
        _prepare(machine)
        machine.start_services()
        _CONSOLE.print(f"pages and API: {machine.url}")
        seen = asyncio.run(_scan_once(machine.environment, source))
        _CONSOLE.print(f"{seen.files} files, {seen.changed} new or changed, {seen.datasets} datasets")
        for url, reason in seen.unreadable.items():
            _CONSOLE.print(f"cannot be read: {url} ({reason})")
        with Client(machine.url, machine.token) as client:
            rows = _follow(client, machine.check)
        if as_json:
            typer.echo(json.dumps({"datasets": rows}, indent=2))
        else:
            Console().print(_table(rows))
        wrong = [row for row in rows if row["state"] not in ("ingested", "skipped")]
        if serve:
            _CONSOLE.print(f"look at {machine.url}; Ctrl-C stops it")
            _wait_for_stop(machine)
    if wrong:
        raise PermanentError(f"{len(wrong)} of {len(rows)} datasets did not get through: see their reasons above")
    if seen.unreadable:
        raise TransientError(f"not everything in the source could be read: {', '.join(seen.unreadable)}; run it again")


def demo(
    source: str,
    references: References = None,
    data_dir: DataDir = _DEFAULT_DIR,
    serve: Annotated[bool, typer.Option(help="Keep the pages open at the end.")] = True,
) -> None:
    """Run the main job on a folder of data and leave the pages open."""
    run(source, references=references, serve=serve, calibrators=max(1, (os.cpu_count() or 2) // 2), data_dir=data_dir)


async def _scan_once(environment: dict[str, str], source: str) -> ScanResult:
    database = Database(environment["COSMO_DATABASE_URL"])
    broker = make_broker(environment["COSMO_REDIS_URL"])
    outbox = Outbox()
    try:
        references = environment.get("COSMO_CALIBRATOR__REFERENCES")
        seen = await scan(database, open_source(source), outbox, Path(references) if references else None)
        await send(Messenger(broker), outbox)
        return seen
    finally:
        broker.close()
        await database.dispose()


def _follow(client: Client, check: Callable[[], object]) -> list[dict[str, Any]]:
    """Show the datasets until no job waits or runs."""
    with Live(console=_CONSOLE, refresh_per_second=4) as live:
        while True:
            rows = list(client.datasets())
            live.update(_table(rows))
            busy = client.status()["jobs"]
            if not any(busy.get(state) for state in ("queued", "running")):
                return rows
            check()
            time.sleep(_POLL_SECONDS)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("dataset", "kind", "state", "reason", box=None)
    for row in rows:
        reason = row.get("reason") or ("missing: " + ", ".join(row["missing"]) if row.get("missing") else "")
        table.add_row(row["rootname"], row["kind"], row["state"], reason.splitlines()[0] if reason else "")
    return table


COMMANDS = (up, run, demo)
