"""Commands that ask the HTTP API."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from cosmo.cli.api import connect
from cosmo.cli.documents import as_document
from cosmo.cli.options import DataDir, JobIds, Json, Rootname, Token, Url

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")


def _print(records: Iterable[BaseModel], columns: tuple[str, ...], as_json: bool) -> None:
    rows = map(as_document, records)
    if as_json:
        typer.echo(json.dumps(list(rows), indent=2))
        return
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(
            *(str(row.get(column) if row.get(column) is not None else "") for column in columns)
        )
    Console().print(table)


def status(url: Url = None, data_dir: DataDir = _DEFAULT_DIR, as_json: Json = False) -> None:
    """Show what runs, what waits and what failed."""
    with connect(url, data_dir) as client:
        report = as_document(client.status())
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    for line in report.pop("trouble"):
        typer.echo(f"UNAVAILABLE OR PAUSED: {line}")
    for heading, content in report.items():
        typer.echo(f"{heading}: {json.dumps(content)}")


def datasets(
    state: Annotated[str | None, typer.Option(help="Only datasets in this state.")] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of rows.", min=1)] = 50,
    url: Url = None,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """List datasets."""
    with connect(url, data_dir) as client:
        rows = itertools.islice(client.datasets(state=state), limit)
        _print(rows, ("rootname", "kind", "state", "reason"), as_json)


def show(
    rootname: Rootname, url: Url = None, data_dir: DataDir = _DEFAULT_DIR, as_json: Json = False
) -> None:
    """Show all that is known of a dataset, with its timeline."""
    with connect(url, data_dir) as client:
        dataset, timeline = client.dataset(rootname), client.timeline(rootname)
    if as_json:
        document = {**as_document(dataset), "timeline": [as_document(item) for item in timeline]}
        typer.echo(json.dumps(document, indent=2))
        return
    typer.echo(f"{dataset.rootname}  {dataset.kind}  {dataset.state}  {dataset.reason or ''}")
    if dataset.missing:
        typer.echo("missing: " + ", ".join(dataset.missing))
    for name, reason in dataset.left_aside.items():
        typer.echo(f"excluded: {name} ({reason})")
    for problem in dataset.problems:
        typer.echo(f"problem: {problem}")
    _print(dataset.files, ("id", "name", "size", "origin"), as_json=False)
    _print(timeline, ("at", "name"), as_json=False)


def failures(url: Url = None, data_dir: DataDir = _DEFAULT_DIR, as_json: Json = False) -> None:
    """List failed jobs with their reasons."""
    with connect(url, data_dir) as client:
        _print(client.failures(), ("id", "rootname", "stage", "error_kind", "error"), as_json)


def requeue(job_ids: JobIds, url: Url = None, data_dir: DataDir = _DEFAULT_DIR) -> None:
    """Try failed jobs again."""
    with connect(url, data_dir) as client:
        for job_id in job_ids:
            client.requeue(job_id)
    typer.echo(f"{len(job_ids)} queued again")


def drop(job_ids: JobIds, url: Url = None, data_dir: DataDir = _DEFAULT_DIR) -> None:
    """Remove failed jobs from the list of failures."""
    with connect(url, data_dir) as client:
        for job_id in job_ids:
            client.drop(job_id)
    typer.echo(f"{len(job_ids)} dropped")


def force(rootname: Rootname, url: Url = None, data_dir: DataDir = _DEFAULT_DIR) -> None:
    """Process an incomplete dataset; its run records what was missing."""
    with connect(url, data_dir) as client:
        client.force(rootname)
    typer.echo(f"{rootname} will be processed at the next scan")


def audit(
    by: Annotated[
        str | None, typer.Option(help="Only requests with the token of this name.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Maximum number of rows.", min=1)] = 50,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = _DEFAULT_DIR,
    as_json: Json = False,
) -> None:
    """List who changed what over HTTP, newest first."""
    with connect(url, data_dir, token) as client:
        rows = itertools.islice(client.audit(token=by), limit)
        _print(rows, ("at", "token", "method", "path", "subject", "status"), as_json)


COMMANDS = (status, datasets, show, failures, requeue, drop, force, audit)
