"""The extractors: found by being here, and which of them read a file."""

import importlib
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.events import EVENT_SUFFIXES, event_tables
from shared.database.models.science import SCIENCE_TABLES

__all__ = ["check_declaration", "extractors_of", "has_rows", "preferred_kinds"]

_PACKAGE = __name__.rpartition(".")[0]


@cache
def _extractors() -> tuple[Extractor, ...]:
    """Find every extractor: the ``EXTRACTORS`` of each module of this package.

    Raises
    ------
    TypeError
        If a declaration is no extractor, if its table is none that files fill, or if two of them
        fill one table from one kind of file.
    """
    found: dict[tuple[str, str], str] = {}
    every: list[Extractor] = []
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{_PACKAGE}."):
        for one in getattr(importlib.import_module(module.name), "EXTRACTORS", ()):
            check_declaration(module.name, one, found)
            every.append(one)
    return tuple(every)


def check_declaration(module: str, one: object, found: dict[tuple[str, str], str]) -> None:
    """Refuse a declaration that cannot work.

    Parameters
    ----------
    module
        Module that declares it.
    one
        The declaration.
    found
        Modules of earlier declarations by table and kind of file; this one is added.

    Raises
    ------
    TypeError
        As `_extractors`.
    """
    if not isinstance(one, Extractor):
        raise TypeError(f"EXTRACTORS of {module} holds {one!r}, which is no Extractor")
    table = one.table.__tablename__
    if SCIENCE_TABLES.get(table) is not one.table:
        raise TypeError(
            f"EXTRACTORS of {module}: {table} is no science table; derive its model from "
            "ScienceRow in a module of shared/database/models/science"
        )
    for suffix in one.suffixes or ("every FITS file",):
        other = found.setdefault((table, suffix), module)
        if other != module:
            raise TypeError(f"both {other} and {module} make rows of {table} of {suffix}")


@cache
def _not_fits() -> frozenset[str]:
    return frozenset(
        suffix for one in _extractors() if not one.fits for suffix in one.suffixes or ()
    )


@cache
def extractors_of(suffix: str) -> tuple[Extractor, ...]:
    """Return the extractors that read files of a kind, without those of events."""

    def reads(one: Extractor) -> bool:
        return suffix not in _not_fits() if one.suffixes is None else suffix in one.suffixes

    return tuple(one for one in _extractors() if reads(one))


def has_rows(suffix: str, tables: Collection[str]) -> bool:
    """Return whether files of a kind may have rows of any of these tables."""
    return any(table in tables for table in _tables_of(suffix))


def _tables_of(suffix: str) -> Iterator[str]:
    for one in extractors_of(suffix):
        yield one.table.__tablename__
    if suffix in EVENT_SUFFIXES:
        yield from event_tables()


@cache
def preferred_kinds() -> Mapping[str, tuple[str, ...]]:
    """Return the kinds of file by table, best first, of the tables of which a rootname has one
    preferred row, or one for each segment.
    """
    return {
        one.table.__tablename__: tuple(one.suffixes)
        for one in _extractors()
        if one.suffixes is not None and one.table.preferred_by == "rootname"
    }
