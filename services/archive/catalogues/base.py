"""Protocol of a catalogue: which datasets an archive has, their files, and where those are."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.archive.downloads import RemoteFile
from shared.catalogues import ARCHIVE
from shared.database.models.archive import Access
from shared.errors import TransientError

__all__ = [
    "ARCHIVE",
    "URI_PREFIX",
    "Access",
    "ArchiveFile",
    "Catalogue",
    "CatalogueEntry",
    "ChangedListingError",
    "IncompleteListingError",
    "product_uri",
]

URI_PREFIX: Final = "mast:HST/product/"
"""What MAST and CADC write before the name of a file."""


class IncompleteListingError(TransientError):
    """A listing was cut, overflowed, or shifted while it was paged: it is not believed."""


class ChangedListingError(IncompleteListingError):
    """A listing changed while it was paged.

    Parameters
    ----------
    seen
        What came that does not fit together.
    """

    def __init__(self, seen: str) -> None:
        super().__init__(f"{seen}: its list changed meanwhile; it is asked again")


@dataclass(frozen=True)
class CatalogueEntry:
    """A dataset as a catalogue has it; times are UTC with their zone.

    Attributes
    ----------
    dataset
        Rootname, lower case.
    association
        Rootname of its association, its own name where it is one, or empty.
    proposal, target
        Number of the proposal and name of the target.
    ra, dec
        Position (degree).
    configuration
        ``COS/FUV`` or ``COS/NUV``; empty where it is not known.
    start
        Start of the exposure.
    public_from
        End of the exclusive period.
    generated, archived
        When the archive's pipeline made its products, and when they were archived.
    access
        Who may have it now.
    version
        Changes when the archive delivers it again. Only versions of one catalogue compare.
    """

    dataset: str
    association: str = ""
    proposal: int | None = None
    target: str = ""
    ra: float | None = None
    dec: float | None = None
    configuration: str = ""
    start: datetime | None = None
    public_from: datetime | None = None
    generated: datetime | None = None
    archived: datetime | None = None
    access: Access = Access.UNKNOWN
    version: str = ""


@dataclass(frozen=True)
class ArchiveFile:
    """A file that a catalogue lists for a dataset.

    Attributes
    ----------
    dataset
        Rootname of the dataset, lower case, as it was asked for.
    uri
        ``mast:HST/product/<name>``, the same whichever catalogue lists it.
    name
        File name, one that may be used as such.
    size
        Size in bytes: a hint, not a verdict.
    md5
        MD5, hexadecimal; empty where it is not known.
    version
        Changes when the archive delivers the file again.
    access
        Who may have it now.
    """

    dataset: str
    uri: str
    name: str
    size: int | None = None
    md5: str = ""
    version: str = ""
    access: Access = Access.UNKNOWN


def product_uri(name: str) -> str:
    """Return the URI of a file."""
    return f"{URI_PREFIX}{name}"


class Catalogue(Protocol):
    """An archive of HST data; used by one thread at a time.

    Attributes
    ----------
    name
        What settings, tables and messages call it: ``mast``, ``s3``, ``cadc``.
    """

    name: str

    @abstractmethod
    def entries(self, archived_since: datetime | None = None) -> Iterator[list[CatalogueEntry]]:
        """List the datasets of COS page by page, each dataset once, in any order.

        Parameters
        ----------
        archived_since
            Only those that were archived from then on; without it, all.

        Raises
        ------
        IncompleteListingError
            If something is missing in what came. Until the last page nothing that came counts.
        TransientError
            If the archive does not answer, or not with what was asked for.
        PermanentError
            If it refuses (a token that is not valid).
        """

    @abstractmethod
    def files(self, datasets: Sequence[str]) -> dict[str, list[ArchiveFile]]:
        """List the files of datasets, in as many requests as the archive likes.

        Parameters
        ----------
        datasets
            Rootnames, lower case.

        Returns
        -------
            By the rootname; a dataset that the catalogue does not know is not in it.

        Raises
        ------
        TransientError
            If the archive does not answer, or not with what was asked for.
        PermanentError
            If it refuses (a token that is not valid).
        """

    @abstractmethod
    def remote(self, file: ArchiveFile) -> RemoteFile:
        """Return what the downloader needs of a file, whichever catalogue listed it."""
