"""Handlers of the HTTP API; each module is one resource, found by being here."""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi import APIRouter

__all__ = ["routers"]

_FIRST = ("monitors", "alerts", "datasets", "calibrations")
"""Modules whose routes are asked for most. Routes are tried in turn, theirs first."""


def routers() -> Iterator[APIRouter]:
    """Return the routers of every module of this package."""
    others = sorted({module.name for module in pkgutil.iter_modules(__path__)} - {*_FIRST})
    for name in (*_FIRST, *others):
        module = importlib.import_module(f"{__name__}.{name}")
        yield from (value for value in vars(module).values() if isinstance(value, APIRouter))
