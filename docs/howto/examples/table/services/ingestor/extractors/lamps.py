"""Lamps of exposures."""

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source, keywords, root_of
from shared.database.models.science.lamps import LampUse

__all__ = ["EXTRACTORS", "extract_lamp"]


def extract_lamp(source: Source) -> Rows:
    """Return the row of ``lamp_use``; none where no lamp was lit."""
    row = keywords(LampUse, source)
    if row["lamp"] in (None, "NONE"):
        return Rows(LampUse)
    return Rows(LampUse, [{"rootname": root_of(source), **row}])


EXTRACTORS = (
    Extractor(table=LampUse, suffixes=("rawtag_a", "rawtag_b", "rawtag"), extract=extract_lamp),
)
