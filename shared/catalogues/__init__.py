"""What is wanted of the catalogues of remote archives, and what that amounts to."""

from typing import Final

__all__ = ["ARCHIVE"]

ARCHIVE: Final = "archive:"
"""What all catalogues together are called as a source: they list the same datasets."""
