"""Reductions of event tables: darks, dark counts, stim pulses, pulse heights and gain, all in one pass over a file."""

from services.ingestor.extractors.events.reduction import EVENT_TABLES, extract_events

__all__ = ["EVENT_TABLES", "extract_events"]
