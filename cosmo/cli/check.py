"""The command that checks the invariants."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cosmo.cli.api import database_and_store, with_database
from cosmo.cli.options import DataDir, Json
from shared.errors import PermanentError
from shared.invariants import check as check_invariants
from shared.store import Store

__all__ = ["COMMANDS"]

_DEFAULT_DIR = Path("cosmo-data")


def check(
    data_dir: DataDir = _DEFAULT_DIR,
    sample: Annotated[
        int, typer.Option(help="Number of stored files to read completely.", min=0)
    ] = 200,
    every: Annotated[bool, typer.Option("--all", help="Read all stored files.")] = False,
    as_json: Json = False,
) -> None:
    """Check that nothing is lost, duplicated or damaged in the database and the store.

    The exit status is 1 if something is.
    """
    database_url, store_url = database_and_store(data_dir)

    work = partial(check_invariants, store=Store(store_url), sample=None if every else sample)
    violations = with_database(database_url, work).violations
    if as_json:
        typer.echo(
            json.dumps({"violations": [asdict(violation) for violation in violations]}, indent=2)
        )
    elif violations:
        table = Table("invariant", "subject", "problem", box=None)
        for violation in violations:
            table.add_row(violation.invariant, violation.subject, violation.message)
        Console().print(table)
    else:
        typer.echo("no violations found")
    if violations:
        raise PermanentError(f"{len(violations)} violations found; see the list above")


COMMANDS = (check,)
