"""Files of a store, as it publishes and lists them."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["StoredEntry", "StoredFile", "sha256_of"]


def sha256_of(path: Path) -> str:
    """Return SHA-256 of a local file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class StoredFile:
    """A file that was published: its folder and name in the store, size in bytes, SHA-256."""

    path: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class StoredEntry:
    """A file of a folder: its name, its size in bytes, and what changes whenever it does."""

    name: str
    size: int
    version: str = field(default="", compare=False)
