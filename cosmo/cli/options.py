"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CalibrationId",
    "Calibrators",
    "DataDir",
    "JobIds",
    "Json",
    "Port",
    "References",
    "Rootname",
    "Seed",
    "Token",
    "Url",
]

Rootname = Annotated[
    str, typer.Argument(help="Name of an association or an exposure, e.g. ld1c01010.")
]
CalibrationId = Annotated[int, typer.Argument(help="Number of the recalibration.")]
JobIds = Annotated[
    list[int], typer.Argument(help="Numbers of the jobs, which `cosmo failures` lists.")
]
DataDir = Annotated[
    Path, typer.Option("--data-dir", help="Folder of the embedded servers, the store and the logs.")
]
References = Annotated[
    Path | None,
    typer.Option(
        "--references", help="Folder with the reference files (plain or gzipped).", file_okay=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="COSMO_URL",
        help="Address of the HTTP API; default: the one started from this data folder.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="COSMO_TOKEN",
        help="Token of that API; default: that of the API started from this data folder.",
    ),
]
Calibrators = Annotated[int, typer.Option(help="Calibrator processes.", min=1)]
Port = Annotated[
    int, typer.Option(help="Port of the HTTP API and its pages; 0 chooses a free one.")
]
Seed = Annotated[int, typer.Option(help="Random seed.", min=0)]
