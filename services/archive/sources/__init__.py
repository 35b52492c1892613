"""Sources: where datasets come from."""

from services.archive.sources.directory import DirectorySource, Listing, SourceFile

__all__ = ["DirectorySource", "Listing", "Source", "SourceFile", "open_source"]

Source = DirectorySource
"""A place that lists files and hands them out; a folder or any fsspec URL so far."""


def open_source(url: str) -> Source:
    """Return the source behind a URL.

    Raises
    ------
    PermanentError
        If nothing can read such a URL.
    """
    return DirectorySource(url)
