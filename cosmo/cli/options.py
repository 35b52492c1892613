"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DataDir", "Json", "References", "Url"]

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder of the embedded servers, the store and the logs.")]
References = Annotated[
    Path | None,
    typer.Option("--references", help="Folder with the reference files (plain or gzipped).", file_okay=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="COSMO_URL", help="Address of the HTTP API; default: the one started here."),
]
