"""A small catalogue in this process, whose content a test sets."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.archive.catalogues.base import (
    Access,
    ArchiveFile,
    CatalogueEntry,
    product_uri,
)
from services.archive.downloads import RemoteFile
from shared.errors import TransientError

_ARCHIVED = datetime(2026, 5, 1, tzinfo=UTC)


class SmallCatalogue:
    """A catalogue in pages of two.

    Attributes
    ----------
    content
        Its entries by dataset, in the order in which it lists them.
    held
        Names of the files of each dataset.
    fault
        Raised after the first page of a listing, and instead of file lists.
    asked
        What was asked: the earliest date of each listing, the datasets of each list of files.
    """

    def __init__(self, name: str, *entries: CatalogueEntry) -> None:
        self.name = name
        self.content = {entry.dataset: entry for entry in entries}
        self.held: dict[str, list[str]] = {}
        self.fault: Exception | None = None
        self.asked: list[datetime | list[str] | None] = []

    def entries(self, archived_since: datetime | None = None) -> Iterator[list[CatalogueEntry]]:
        self.asked.append(archived_since)
        found = [
            entry
            for entry in self.content.values()
            if archived_since is None or (entry.archived or _ARCHIVED) >= archived_since
        ]
        for first in range(0, len(found), 2):
            yield found[first : first + 2]
            if self.fault:
                raise self.fault

    def files(self, datasets: Sequence[str]) -> dict[str, list[ArchiveFile]]:
        self.asked.append(list(datasets))
        if self.fault:
            raise self.fault
        return {
            dataset: [
                ArchiveFile(dataset, product_uri(name), name, size=1000, access=Access.PUBLIC)
                for name in self.held[dataset]
            ]
            for dataset in datasets
            if dataset in self.held
        }

    def remote(self, file: ArchiveFile) -> RemoteFile:
        raise TransientError(f"{file.name} is not here")

    def change(self, dataset: str, **values: object) -> None:
        """Change an entry."""
        self.content[dataset] = replace(self.content[dataset], **values)  # type: ignore[arg-type]


def entry(dataset: str, version: str = "1", **values: object) -> CatalogueEntry:
    """Return an entry as MAST may have it."""
    details: dict[str, object] = {
        "proposal": 14933,
        "target": "NGC-4151",
        "ra": 182.6,
        "dec": 39.4,
        "configuration": "COS/FUV",
        "start": datetime(2026, 4, 1, tzinfo=UTC),
        "archived": _ARCHIVED,
        "access": Access.PUBLIC,
    }
    return CatalogueEntry(dataset, version=version, **{**details, **values})  # type: ignore[arg-type]
