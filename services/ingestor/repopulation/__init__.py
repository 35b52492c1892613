"""Repopulation of the science tables from the store, while readers see the old content."""

from services.ingestor.repopulation.control import Progress, repopulate
from services.ingestor.repopulation.staging import abandon

__all__ = ["Progress", "abandon", "repopulate"]
