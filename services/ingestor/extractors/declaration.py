"""Declaration of an extractor: the table that it fills, and the files that it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.ingestor.extractors.rows import Rows, Source
from shared.database.models.science import ScienceRow

__all__ = ["Extractor"]


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """Declaration of an extractor.

    Attributes
    ----------
    table
        Model of the table, of `shared.database.models.science`.
    suffixes
        Kinds of file that it reads. Of a table with preferred rows (`PreferredRow`) the best kind
        comes first: readers see the row of the first that there is. None for every FITS file.
    extract
        Pure function from a file to its rows of the table.
    fits
        Whether such files are FITS files.
    """

    table: type[ScienceRow]
    suffixes: Sequence[str] | None
    extract: Callable[[Source], Rows]
    fits: bool = True
