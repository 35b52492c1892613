"""What is wanted of the catalogues of remote archives, and what that amounts to."""

from typing import Final

__all__ = ["ARCHIVE", "REFUSED_SETTING"]

ARCHIVE: Final = "archive:"
"""What all catalogues together are called as a source: they list the same datasets."""

REFUSED_SETTING: Final = "archive-wanted"
"""Key of the alert that what the settings want of remote archives is refused."""
