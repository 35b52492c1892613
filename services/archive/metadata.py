"""Metadata that grouping needs from a file's header."""

import hashlib
import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import IO, Any

from services.archive.sources import FileSource, SourceFile
from shared.archived import association_of
from shared.cos.association import Association, read_association
from shared.cos.completeness import opened_beside
from shared.cos.instrument import instrument_of, is_foreign
from shared.cos.names import JITTER, STANDALONE, FileName, is_product, parse_name
from shared.cos.references import needed_references
from shared.cos.segments import expected_segments
from shared.errors import PermanentError
from shared.fits import FitsFile, Header, read_header
from shared.fits.streams import inflated, reading

__all__ = [
    "FACTS_VERSION",
    "RAW",
    "VISIT_LENGTH",
    "FileMetadata",
    "is_input",
    "read_digest",
    "read_facts",
    "visit_of",
]

RAW = ("rawtag", "rawaccum", "rawacq")
"""What the suffixes of raw files start with."""

_OTHER_INPUTS = ("asn", "spt", *JITTER, "pha", "pha_a", "pha_b")
_ACQUISITION_KEYWORDS = ("ACQSNAME", "ACQINAME", "PEAKXNAM", "PEAKDNAM")
_CHUNK = 1 << 20
VISIT_LENGTH = 6
"""Characters of a rootname that files have in common which are grouped together (`visit_of`)."""
_NOT_FITS = ("sms", "darkrates", "readings")

FACTS_VERSION = 6
"""Raise it when facts are added or read otherwise: stored ones of another version are read again.
"""


@dataclass(frozen=True)
class FileMetadata:
    """What grouping needs of a file's header.

    Attributes
    ----------
    instrument
        Instrument that took the data, upper case; empty where the header does not say.
    date
        DATE of the primary header: when the file was written.
    digest
        SHA-256 of the unpacked content, where it was needed to choose between versions.
    association
        Of an association: its table.
    asn_id
        Of a raw file or product: rootname of its association; empty outside any.
    segments
        Of a raw file: segments that its exposure must have raw files of.
    beside
        Of a raw file: suffixes of the files that CalCOS opens beside it.
    acquisitions
        Of a raw file: names of the acquisitions before it; ``x`` at the end stands for any letter.
    references
        Of a raw file: names of the reference files that calibrating it opens.
    error
        Why the header could not be read; the fetch judges such a file.
    unread
        Whether the header is yet to be read, when the file has come.
    version
        Which facts these are.
    """

    instrument: str = ""
    date: str = ""
    digest: str = ""
    association: Association | None = None
    asn_id: str = ""
    segments: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    acquisitions: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    error: str = ""
    unread: bool = False
    version: int = FACTS_VERSION

    @property
    def final(self) -> bool:
        """Whether reading the same file again would give nothing new."""
        return self.version == FACTS_VERSION and (not self.error or self.is_foreign)

    @property
    def is_foreign(self) -> bool:
        """Whether it is of another instrument."""
        return is_foreign(self.instrument)

    @property
    def visits(self) -> set[str]:
        """Keys of other files that it is grouped with (`visit_of`)."""
        rows = self.association.rows if self.association else ()
        named = [self.asn_id, *self.acquisitions, *(row.name for row in rows)]
        return {visit_of(name) for name in named if name}

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "FileMetadata":
        """Return the metadata from JSON; of other versions what is still known."""
        found = {"version": 1, **{name: content[name] for name in _NAMES & content.keys()}}
        if table := found.get("association"):
            found["association"] = Association.from_dict(table)
        return cls(**found)


_NAMES = frozenset(item.name for item in fields(FileMetadata))


def visit_of(rootname: str) -> str:
    """Return the key of the files that are grouped together: of an exposure its proposal and visit.

    Source: COS Data Handbook, section 2.2 (IPPPSSOOT).
    """
    return rootname[:VISIT_LENGTH]


def is_input(name: FileName) -> bool:
    """Return whether a file name is one that there is before calibration, or of a product as the
    archive hands it out.
    """
    suffix = name.suffix
    return (
        is_product(name)
        or suffix in _OTHER_INPUTS
        or suffix in STANDALONE
        or suffix.startswith(RAW)
    )


def read_facts(
    opener: Callable[[], AbstractContextManager[IO[bytes]]], file_name: str
) -> FileMetadata:
    """Read what grouping needs of an input file; content that makes no sense is no error here.

    Parameters
    ----------
    opener
        Opens the file from its first byte.
    file_name
        Its name.

    Raises
    ------
    TransientError
        If it cannot be read at the moment.
    """
    name = parse_name(file_name)
    suffix = name.suffix
    if suffix in _NOT_FITS:
        return FileMetadata()
    facts = FileMetadata()
    try:
        if suffix == "asn":
            with opener() as stream, reading(file_name):
                content = stream.read()  # small, and a source may not seek
            table = FitsFile(partial(io.BytesIO, content), file_name)
            facts = _common_facts(table.headers[0])
            return replace(facts, association=read_association(table))
        with opener() as stream:
            header = read_header(stream, file_name)
        facts = _common_facts(header)
        if is_product(name):
            return replace(facts, asn_id=association_of(header))
        return _raw_facts(facts, header) if suffix.startswith(RAW) else facts
    except (PermanentError, ValueError, TypeError, KeyError, IndexError) as error:
        return replace(facts, error=str(error) or type(error).__name__)


def read_digest(source: FileSource, file: SourceFile) -> str:
    """Return SHA-256 of a file's unpacked content, by which a gzipped version equals a plain one.

    Raises
    ------
    TransientError
        If the source does not hand the file out.
    """
    digest = hashlib.sha256()
    try:
        with source.open(file) as stream, reading(file.name), inflated(stream) as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
    except PermanentError:  # damaged, and so like no other
        digest.update(file.url.encode())
    return digest.hexdigest()


def _common_facts(header: Header) -> FileMetadata:
    return FileMetadata(
        instrument=instrument_of(header), date=str(header.get("DATE") or "").strip()
    )


def _raw_facts(facts: FileMetadata, header: Header) -> FileMetadata:
    return replace(
        facts,
        asn_id=association_of(header),
        segments=sorted(expected_segments(header)),
        beside=opened_beside(header),
        acquisitions=[found for key in _ACQUISITION_KEYWORDS if (found := _root(header.get(key)))],
        references=_references(header),
    )


def _references(header: Header) -> list[str]:
    try:
        return sorted(set(needed_references(header).values()))
    except PermanentError:  # the calibrator refuses such a header, and says why
        return []


def _root(value: object) -> str:
    text = str(value or "").strip().lower()
    return "" if text in ("", "none", "n/a") else text
