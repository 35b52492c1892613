"""The command line."""

import sys

from pydantic import ValidationError
from rich.console import Console

from cosmo.cli.app import app
from shared.errors import CosmoError

__all__ = ["main"]


def main() -> None:
    """Run the command line; an error that COSMO raises on purpose ends it with its message and status 1."""
    try:
        app()
    except CosmoError as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False)
        sys.exit(1)
    except ValidationError as error:
        Console(stderr=True).print(f"[red]wrong setting:[/red] {error}", highlight=False)
        sys.exit(1)
