"""What grouping needs of a file's header."""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np

from services.archive.sources import Source, SourceFile
from shared.cos.names import STANDALONE, parse_name
from shared.cos.references import needed_references
from shared.cos.segments import expected_segments
from shared.errors import PermanentError
from shared.fits import FitsFile, Header, read_header
from shared.fits.streams import reading

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
    """Whether a file name is one that there is before calibration; products in a source are not inputs."""
    try:
        suffix = parse_name(name).suffix
    except PermanentError:
        return False
    return suffix in _OTHER_INPUTS or suffix in STANDALONE or suffix.startswith(RAW)


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
    try:
        return (_association_facts if suffix == "asn" else _raw_facts)(source, file)
    except (PermanentError, ValueError, TypeError, KeyError, IndexError) as error:
        return Facts(error=str(error) or type(error).__name__)


def _association_facts(source: Source, file: SourceFile) -> Facts:
    with source.open(file) as stream, reading(file.name):
        content = stream.read()  # small, and a source may not seek
    table = FitsFile(partial(io.BytesIO, content), file.name)
    rows = table.table(table.find("ASN"), ("MEMNAME", "MEMTYPE", "MEMPRSNT"))
    exposures = np.char.startswith(np.char.strip(rows["MEMTYPE"]), "EXP")
    return Facts(members=[str(name).strip().lower() for name in rows["MEMNAME"][exposures & rows["MEMPRSNT"]]])


def _raw_facts(source: Source, file: SourceFile) -> Facts:
    with source.open(file) as stream:
        header = read_header(stream, file.name)
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
