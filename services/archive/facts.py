"""What grouping needs of a file's header."""

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from services.archive.sources import Source, SourceFile
from shared.cos.names import parse_name
from shared.cos.references import needed_references
from shared.cos.segments import expected_segments
from shared.errors import PermanentError
from shared.fits import Header, read_header

__all__ = ["RAW", "Facts", "is_input", "read_facts"]

RAW = ("rawtag", "rawaccum", "rawacq")
"""What the suffixes of raw files start with."""

_OTHER_INPUTS = ("asn", "spt", "jit", "jif", "pha", "pha_a", "pha_b")
_ACQUISITION_KEYWORDS = ("ACQSNAME", "ACQINAME", "PEAKXNAM", "PEAKDNAM")
_VERSION = 3
"""Raise it when facts are added or read otherwise: stored ones of another version are read again."""


@dataclass(frozen=True)
class Facts:
    """What grouping needs of a file's header.

    Attributes
    ----------
    members
        Of an association: rootnames of the exposures that it says are present.
    asn_id
        Of a raw file: rootname of its association; empty outside any.
    segments
        Of a raw file: segments that its exposure must have raw files of.
    acquisitions
        Of a raw file: names of the acquisitions before it; ``x`` at the end stands for any letter.
    references
        Of a raw file: names of the reference files that calibrating it opens.
    error
        Why the header could not be read; the fetch judges such a file.
    version
        Which facts these are.
    """

    members: list[str] = field(default_factory=list)
    asn_id: str = ""
    segments: list[str] = field(default_factory=list)
    acquisitions: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    error: str = ""
    version: int = _VERSION

    @property
    def final(self) -> bool:
        """Whether reading the same file again would tell nothing new."""
        return not self.error and self.version == _VERSION

    def to_dict(self) -> dict[str, Any]:
        """Facts as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Facts":
        """Facts from JSON; of other versions what is still known."""
        names = {item.name for item in fields(cls)}
        return cls(**{"version": 1, **{name: value for name, value in content.items() if name in names}})


def is_input(name: str) -> bool:
    """Whether a file name is one that the archive makes before calibration; products in a source are not inputs."""
    try:
        suffix = parse_name(name).suffix
    except PermanentError:
        return False
    return suffix in _OTHER_INPUTS or suffix.startswith(RAW)


def read_facts(source: Source, file: SourceFile) -> Facts:
    """Read what grouping needs of an input file; content that makes no sense is no error here.

    Raises
    ------
    TransientError
        If the source does not hand the file out.
    """
    suffix = parse_name(file.name).suffix
    if suffix != "asn" and not suffix.startswith(RAW):
        return Facts()
    with source.open(file) as stream:
        try:
            return _association_facts(stream.read()) if suffix == "asn" else _raw_facts(stream, file.name)
        except (PermanentError, OSError, ValueError, TypeError, KeyError, IndexError, EOFError, zlib.error) as error:
            return Facts(error=str(error) or type(error).__name__)


def _association_facts(content: bytes) -> Facts:
    # astropy takes a second to import, and most scans read no association.
    from astropy.io import fits

    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    with fits.open(io.BytesIO(plain), memmap=False) as hdus:
        rows = hdus["ASN"].data
        members = [
            str(row["MEMNAME"]).strip().lower()
            for row in rows
            if row["MEMPRSNT"] and str(row["MEMTYPE"]).strip().startswith("EXP")
        ]
    return Facts(members=members)


def _raw_facts(stream: "io.BufferedReader[Any]", name: str) -> Facts:
    header = read_header(stream, name)
    return Facts(
        asn_id=_root(header.get("ASN_ID")),
        segments=sorted(expected_segments(header)),
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
