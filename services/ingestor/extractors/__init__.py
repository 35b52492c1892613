"""From a file to typed rows: one pure extractor per kind of file and table, found by being here."""

from collections.abc import Collection

from services.ingestor.extractors.events import EVENT_SUFFIXES, extract_events
from services.ingestor.extractors.lamp_templates import References
from services.ingestor.extractors.registry import extractors_of, has_rows, preferred_kinds
from services.ingestor.extractors.rows import Contained, Rows, Source
from shared.database.models.science import SCIENCE_TABLES

__all__ = ["References", "Rows", "Source", "extract", "has_rows", "preferred_kinds"]


def extract(source: Source, tables: Collection[str] = SCIENCE_TABLES) -> list[Rows]:
    """Return the rows of every table that a file has something for.

    What is wrong with it is noted in the source.

    What cannot be read of one table costs the rows of this table only.

    Parameters
    ----------
    source
        File.
    tables
        Tables that are wanted.
    """
    found: list[Rows] = []
    for extractor in extractors_of(source.suffix):
        table = extractor.table.__tablename__
        if table in tables:
            with Contained(source, f"rows of {table}"):
                found.append(extractor.extract(source))
    if source.suffix in EVENT_SUFFIXES:
        with Contained(source, "events"):
            found += extract_events(source, tables)
    return found
