"""The command line."""

import sys

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from cosmo.cli.app import app
from shared.errors import CosmoError
from shared.settings import described

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    An error that COSMO raises on purpose ends it with its message and status 1.
    """
    try:
        app()
    except CosmoError as error:
        _print_error("error", error)
        sys.exit(1)
    except ValidationError as error:
        _print_error("invalid setting", described(error))
        sys.exit(1)


def _print_error(what: str, error: object) -> None:
    """Print an error, each of its lines as one, whatever brackets are in it."""
    Console(stderr=True).print(
        f"[red]{what}:[/red] {escape(str(error))}", highlight=False, soft_wrap=True
    )
