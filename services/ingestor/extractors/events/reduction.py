"""One pass over the events of a file for every table that is made of them."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from services.ingestor.extractors.events.dark_counts import DarkCountMap
from services.ingestor.extractors.events.darks import DarkRates
from services.ingestor.extractors.events.exposure import Exposure, read_exposure
from services.ingestor.extractors.events.gains import GainMap
from services.ingestor.extractors.events.pulse_heights import PulseHeightHistogram
from services.ingestor.extractors.events.rates import PeakRates
from services.ingestor.extractors.events.stims import StimPositions
from services.ingestor.extractors.reading import Rows, Source
from shared.database.models.science import PULSE_HEIGHTS
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["EVENT_TABLES", "extract_events"]

EVENT_TABLES = ("darks", "dark_counts", "stims", "phd", "gain", "event_rates")
"""Tables that are made of events."""


class _Reduction(Protocol):
    """What is made of events while they pass by."""

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""

    def rows(self) -> Rows:
        """Rows of all events."""


_COLUMNS = ("TIME", "RAWX", "RAWY", "XCORR", "YCORR", "DQ", "PHA")

_ANY: Mapping[str, Callable[[Source, Exposure], _Reduction]] = {"event_rates": PeakRates}
_DARK: Mapping[str, Callable[[Source, Exposure], _Reduction]] = {"darks": DarkRates, "dark_counts": DarkCountMap}
_FUV: Mapping[str, Callable[[Source, Exposure], _Reduction]] = {
    "stims": StimPositions,
    "phd": PulseHeightHistogram,
    "gain": GainMap,
}


def extract_events(source: Source, tables: Collection[str]) -> list[Rows]:
    """Rows of the tables of events (`EVENT_TABLES`) of a corrtag file.

    Dark rates and counts are made of dark exposures only; stims, pulse heights and gain of the FUV detector only. Of
    an ACCUM exposure, whose events CalCOS makes up of its image, there are peak rates only.

    Raises
    ------
    PermanentError
        If a keyword, an extension or a column is missing or wrong.
    """
    primary = source.file.headers[0]
    mode, detector, kind = (str(primary.get(keyword) or "").strip() for keyword in ("OBSMODE", "DETECTOR", "EXPTYPE"))
    makers = dict(_ANY)
    if mode == "TIME-TAG" and detector == "FUV":
        makers |= _FUV
    if mode == "TIME-TAG" and kind == "DARK":
        makers |= _DARK
    wanted = [maker for table, maker in makers.items() if table in tables]
    if not wanted:
        return []
    exposure = read_exposure(source)
    reductions = [maker(source, exposure) for maker in wanted]
    for events in source.file.chunks(source.file.find("EVENTS"), _COLUMNS):
        if events["PHA"].max(initial=0) >= PULSE_HEIGHTS:
            raise PermanentError(f"{source.name}: PHA of EVENTS has {events['PHA'].max()}, more than 5 bits hold")
        for reduction in reductions:
            reduction.add(events)
    return [reduction.rows() for reduction in reductions]
