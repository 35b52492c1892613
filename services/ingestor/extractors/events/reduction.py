"""One pass over the events of a file for every table that is made of them."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.events.dark_counts import DarkCountMap
from services.ingestor.extractors.events.darks import DarkRateAccumulator
from services.ingestor.extractors.events.exposure import Exposure, read_exposure
from services.ingestor.extractors.events.gains import GainAccumulator
from services.ingestor.extractors.events.pulse_heights import PulseHeightHistogram
from services.ingestor.extractors.events.rates import PeakRates
from services.ingestor.extractors.events.stims import StimPositions
from services.ingestor.extractors.rows import Contained, Rows, Source
from services.ingestor.extractors.tables import as_floats
from shared.database.models.science import PULSE_HEIGHTS
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["EVENT_TABLES", "extract_events"]

EVENT_TABLES = ("darks", "dark_counts", "stims", "phd", "gain", "event_rates")
"""Tables that are made of events."""


class _Reduction(Protocol):
    """What is made of events while they pass by, of the columns that it names."""

    COLUMNS: ClassVar[frozenset[str]]

    def __init__(self, source: Source, exposure: Exposure, /) -> None: ...

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""

    def rows(self) -> Rows:
        """Return the rows of all events."""


_WHOLE = ("DQ", "PHA")
"""Columns that are whole numbers, whatever they are written as."""

_ANY: Mapping[str, type[_Reduction]] = {"event_rates": PeakRates}
_DARK: Mapping[str, type[_Reduction]] = {"darks": DarkRateAccumulator, "dark_counts": DarkCountMap}
_FUV: Mapping[str, type[_Reduction]] = {
    "stims": StimPositions,
    "phd": PulseHeightHistogram,
    "gain": GainAccumulator,
}


def extract_events(source: Source, tables: Collection[str]) -> list[Rows]:
    """Return the rows of the tables of events (`EVENT_TABLES`) of a corrtag file.

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
    mode, detector, kind = (
        str(primary.get(keyword) or "").strip() for keyword in ("OBSMODE", "DETECTOR", "EXPTYPE")
    )
    makers = dict(_ANY)
    if mode == "TIME-TAG" and detector == "FUV":
        makers |= _FUV
    if mode == "TIME-TAG" and kind == "DARK":
        makers |= _DARK
    makers = {table: maker for table, maker in makers.items() if table in tables}
    if not makers:
        return []
    exposure = read_exposure(source)
    hdu = source.file.find("EVENTS")
    names, faults = source.file.layout(hdu).readable(
        sorted(frozenset.union(*(each.COLUMNS for each in makers.values())))
    )
    for fault in faults:
        source.note(fault)
    reductions: dict[str, _Reduction] = {}
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
    source: Source, reductions: Mapping[str, _Reduction], events: Columns
) -> dict[str, _Reduction]:
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
