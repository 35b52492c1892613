"""Reductions of events, in one pass over a file.

Darks, dark counts, stims, pulse heights, gain, peak rates.
"""

from services.ingestor.extractors.events.reduction import (
    EVENT_SUFFIXES,
    event_tables,
    extract_events,
)

__all__ = ["EVENT_SUFFIXES", "event_tables", "extract_events"]
