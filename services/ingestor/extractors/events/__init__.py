"""Reductions of event tables: darks, stim pulses, pulse heights and gain, all in one pass over a file."""

from services.ingestor.extractors.events.exposure import Exposure, read_exposure
from services.ingestor.extractors.events.reduction import extract_events

__all__ = ["Exposure", "extract_events", "read_exposure"]
