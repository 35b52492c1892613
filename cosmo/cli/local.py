"""Commands that start COSMO on this machine."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from cosmo.cli.documents import as_document
from cosmo.cli.local_run import CONSOLE, DONE, prepare, report, scan_once, tabulate, wait_for_stop
from cosmo.cli.options import Calibrators, DataDir, Json, Port, References
from cosmo.client import Client
from cosmo.launcher.stack import LocalStack
from services.archive.scan import ScanResult
from services.monitor.response_models.datasets import DatasetRecord
from shared.errors import PermanentError, TransientError

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")
_POLL_SECONDS = 0.3
_PATIENCE = 200
"""Polls in a row that may stay without an answer, while what ended starts again."""


def up(
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Source to scan: a folder, any fsspec URL, or a remote archive (mast, s3, cadc). "
            "Several are asked in their order."
        ),
    ] = None,
    references: References = None,
    calibrators: Calibrators = 1,
    port: Port = 8080,
    data_dir: DataDir = _DEFAULT_DIR,
) -> None:
    """Start the servers and the four services, and run until Ctrl-C."""
    with LocalStack(
        data_dir, sources=source or (), references=references, calibrators=calibrators, port=port
    ) as machine:
        prepare(machine)
        machine.start_services()
        for name, pid in machine.pids().items():
            CONSOLE.print(f"{name:14s} process {pid}")
        CONSOLE.print(f"COSMO runs at {machine.url} with its data in {data_dir}; Ctrl-C stops it")
        wait_for_stop(machine)


def run(
    source: Annotated[str, typer.Argument(help="A folder or any fsspec URL.")],
    references: References = None,
    force: Annotated[
        bool,
        typer.Option(help="Process incomplete datasets too; their runs warn of what is missing."),
    ] = False,
    serve: Annotated[bool, typer.Option(help="Keep the pages open at the end.")] = False,
    calibrators: Calibrators = 1,
    port: Port = 0,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """Process everything in a source once.

    Status 1 if anything fails or is missing, or nothing is found.
    """
    with LocalStack(data_dir, references=references, calibrators=calibrators, port=port) as machine:
        prepare(machine)
        machine.start_services()
        CONSOLE.print(f"pages and API: {machine.url}")
        seen = asyncio.run(scan_once(machine.environment, source))
        for line in _described(seen):
            CONSOLE.print(line, markup=False, soft_wrap=True)
        with Client(machine.url, machine.token) as client:
            if force and (waiting := [row.rootname for row in client.datasets() if row.missing]):
                for rootname in waiting:
                    client.force(rootname)
                asyncio.run(scan_once(machine.environment, source))
            rows = _follow(client, lambda: report(machine))
        if as_json:
            typer.echo(
                json.dumps(
                    {"datasets": [as_document(row) for row in rows], "left_aside": seen.left_aside},
                    indent=2,
                )
            )
        else:
            Console().print(tabulate(rows))
        if serve:
            CONSOLE.print(f"pages and API: {machine.url}; Ctrl-C stops COSMO")
            wait_for_stop(machine)
    _judge(source, seen, rows)


def _described(seen: ScanResult) -> Iterator[str]:
    """Say what a scan saw, a line for each reason to leave files aside."""
    yield f"{seen.files} files, {seen.changed} new or changed, {seen.datasets} datasets"
    for url, reason in seen.unreadable.items():
        yield f"cannot be read: {url} ({reason})"
    for reason, found in seen.left_aside.items():
        more = ", ..." if found["count"] > len(found["names"]) else ""
        yield f"excluded: {found['count']} {reason}: {', '.join(found['names'])}{more}"


def _judge(source: str, seen: ScanResult, rows: Sequence[DatasetRecord]) -> None:
    """Fail where not everything got through.

    Raises
    ------
    PermanentError
        If a dataset did not, or there is none.
    TransientError
        If something could not be read.
    """
    wrong = [row for row in rows if row.state not in DONE]
    if wrong:
        incomplete = any(row.missing and not row.forced for row in wrong)
        hint = "; --force processes incomplete ones too" if incomplete else ""
        raise PermanentError(
            f"{len(wrong)} of {len(rows)} datasets were not processed: see the reasons above{hint}"
        )
    if seen.unreadable:
        raise TransientError(
            f"not everything in the source could be read: {', '.join(seen.unreadable)}; run it "
            "again"
        )
    if seen.failed:
        named = "; ".join(f"{name} ({reason})" for name, reason in seen.failed.items())
        raise PermanentError(f"not every dataset could be written: {named}; report this defect")
    if not seen.datasets:
        raise PermanentError(f"no COS data found in {source}; give a folder with raw COS files")


def _follow(client: Client, check: Callable[[], object]) -> list[DatasetRecord]:
    """Show the datasets until no job waits or runs."""
    silent = 0
    with Live(console=CONSOLE, refresh_per_second=4) as live:
        while True:
            try:
                # In this order: what is read after the last job has ended is how it ended.
                jobs = client.status().jobs
                rows = list(client.datasets())
            except TransientError:
                silent += 1
                if silent > _PATIENCE:
                    raise
            else:
                silent = 0
                live.update(tabulate(rows))
                if not any(jobs.get(state) for state in ("queued", "running")):
                    return rows
            check()
            time.sleep(_POLL_SECONDS)


COMMANDS = (up, run)
