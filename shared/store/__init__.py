"""The file store: an fsspec URL. Files are checksummed, and visible only once they are whole.

Nothing is overwritten.
"""

from shared.store.files import StoredEntry, StoredFile, sha256_of
from shared.store.store import Store

__all__ = ["Store", "StoredEntry", "StoredFile", "sha256_of"]
