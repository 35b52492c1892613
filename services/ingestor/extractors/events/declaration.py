"""Declaration of a reduction of events: its table, and the exposures that it is for."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from services.ingestor.extractors.events.exposure import Exposure
from services.ingestor.extractors.rows import Rows, Source
from shared.database.models.science import ScienceRow
from shared.fits import Columns, Header

__all__ = ["Accumulator", "Reduction"]


class Accumulator(Protocol):
    """What is made of events while they pass by, of the columns that it names."""

    COLUMNS: ClassVar[frozenset[str]]

    def __init__(self, source: Source, exposure: Exposure, /) -> None: ...

    def add(self, events: Columns) -> None:
        """Take in a part of the events."""

    def rows(self) -> Rows:
        """Return the rows of all events."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Declaration of a reduction.

    Attributes
    ----------
    table
        Model of the table, of `shared.database.models.science`.
    accumulator
        Makes its rows.
    only
        Value by keyword of the primary header that an exposure must have; CalCOS makes up the
        events of ACCUM exposures of their images.
    """

    table: type[ScienceRow]
    accumulator: type[Accumulator]
    only: dict[str, str]

    def applies(self, primary: Header) -> bool:
        """Return whether the primary header is one of an exposure that it is for."""
        return all(
            str(primary.get(keyword) or "").strip() == value for keyword, value in self.only.items()
        )
