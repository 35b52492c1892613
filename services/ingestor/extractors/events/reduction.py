"""One pass over the events of a file for every table that is made of them."""

import importlib
import pkgutil
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.declaration import Accumulator, Reduction
from services.ingestor.extractors.events.exposure import read_exposure
from services.ingestor.extractors.rows import Contained, Rows, Source
from services.ingestor.extractors.tables import as_floats
from shared.database.models.science import PULSE_HEIGHTS
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["EVENT_SUFFIXES", "event_tables", "extract_events"]

EVENT_SUFFIXES = frozenset({"corrtag", "corrtag_a", "corrtag_b"})
"""Kinds of file that have events."""

_PACKAGE = __name__.rpartition(".")[0]

_WHOLE = ("DQ", "PHA")
"""Columns that are whole numbers, whatever they are written as."""


@cache
def _reductions() -> Mapping[str, Reduction]:
    """Find every reduction, by its table: the ``REDUCTION`` of each module of this package.

    Raises
    ------
    TypeError
        If a declaration is no reduction, or its table has one already.
    """
    found: dict[str, Reduction] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{_PACKAGE}."):
        declared = getattr(importlib.import_module(module.name), "REDUCTION", None)
        if declared is None:
            continue
        if not isinstance(declared, Reduction) or declared.table.__tablename__ in found:
            raise TypeError(f"REDUCTION of {module.name} is no Reduction, or its table has one")
        found[declared.table.__tablename__] = declared
    return found


def event_tables() -> Collection[str]:
    """Return the tables that are made of events."""
    return _reductions().keys()


def extract_events(source: Source, tables: Collection[str]) -> list[Rows]:
    """Return the rows of the tables of events (`event_tables`) of a corrtag file.

    Dark rates and counts are made of dark exposures only; stims, pulse heights and gain of the FUV
    detector only. Of an ACCUM exposure, whose events CalCOS makes up of its image, there are peak
    rates only.

    What is wrong with a column costs the tables that are made of it, and is noted.

    Raises
    ------
    PermanentError
        If a keyword or an extension is missing or wrong.
    """
    primary = source.file.headers[0]
    makers = {
        table: reduction.accumulator
        for table, reduction in _reductions().items()
        if table in tables and reduction.applies(primary)
    }
    if not makers:
        return []
    exposure = read_exposure(source)
    hdu = source.file.find("EVENTS")
    names, faults = source.file.layout(hdu).readable(
        sorted(frozenset.union(*(each.COLUMNS for each in makers.values())))
    )
    for fault in faults:
        source.note(fault)
    reductions: dict[str, Accumulator] = {}
    for table, maker in makers.items():
        if set(names) >= maker.COLUMNS:
            with Contained(source, table):
                reductions[table] = maker(source, exposure)
    if reductions:
        for events in source.file.chunks(hdu, names):
            reductions = _reduce(source, reductions, events)
    found = []
    for table, reduction in reductions.items():
        with Contained(source, table):
            found.append(reduction.rows())
    return found


def _reduce(
    source: Source, reductions: Mapping[str, Accumulator], events: Columns
) -> dict[str, Accumulator]:
    """Return the reductions that could take in a part of the events."""
    values = {}
    for name in events:
        with Contained(source, f"EVENTS: column {name}"):
            values[name] = _numbers(source, name, events[name])
    kept = {}
    for table, reduction in reductions.items():
        if values.keys() >= reduction.COLUMNS:
            with Contained(source, table):
                reduction.add(values)
                kept[table] = reduction
    return kept


def _numbers(source: Source, name: str, values: "NDArray[Any]") -> "NDArray[Any]":
    """Return the values of a column as numbers, whole ones where they must be.

    Raises
    ------
    PermanentError
        If they are none, several in a cell, or more than their bits hold.
    """
    where = f"{source.name}: column {name} of EVENTS"
    if values.ndim > 1:
        raise PermanentError(f"{where} has several values in a cell")
    if values.dtype.kind == "U":
        values = as_floats(values)
    if name in _WHOLE and values.dtype.kind == "f":
        if not (np.abs(values) <= np.iinfo(np.int16).max).all():
            raise PermanentError(f"{where} holds what is no whole number")
        values = np.rint(values).astype(np.int16)
    if name == "PHA" and not 0 <= values.min(initial=0) <= values.max(initial=0) < PULSE_HEIGHTS:
        raise PermanentError(f"{where} has {values.min()} to {values.max()}, more than 5 bits hold")
    return values
