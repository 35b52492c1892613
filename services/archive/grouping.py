"""Which files make a dataset, and what is missing of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from astropy.io import fits

from services.archive.sources import Source, SourceFile
from shared.cos.names import FileName, exposure_of_jitter, is_association, parse_name
from shared.errors import CosmoError, PermanentError
from shared.fits import read_header
from shared.jobs.routing import ACQUISITION, ASSOCIATION, EXPOSURE

__all__ = ["DatasetListing", "Facts", "group", "read_facts"]

_ACQUISITION_KEYWORDS = ("ACQSNAME", "ACQINAME", "PEAKXNAM", "PEAKDNAM")
_INPUTS = ("asn", "spt", "jit", "jif", "pha", "pha_a", "pha_b")
_RAW = ("rawtag", "rawaccum", "rawacq")


@dataclass(frozen=True)
class Facts:
    """What grouping needs of a file's header.

    Attributes
    ----------
    members
        Of an association: rootnames of the exposures that it says are present.
    asn_id
        Of a raw file: rootname of its association; empty outside any.
    segment
        Of a raw file: FUVA, FUVB, BOTH or N/A.
    acquisitions
        Of a raw file: names of the acquisitions before it; ``x`` at the end stands for any letter.
    error
        Why the header could not be read; the fetch judges such a file.
    """

    members: list[str] = field(default_factory=list)
    asn_id: str = ""
    segment: str = ""
    acquisitions: list[str] = field(default_factory=list)
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Facts as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Facts":
        """Facts from JSON."""
        return cls(**content)


@dataclass(frozen=True)
class DatasetListing:
    """A dataset as the source has it."""

    rootname: str
    kind: str
    members: list[str]
    files: list[SourceFile]
    companions: list[str]
    missing: list[str]


def read_facts(source: Source, file: SourceFile) -> Facts:
    """Read what grouping needs of a file; a file that cannot be read is no error here."""
    suffix = parse_name(file.name).suffix if _is_named(file) else ""
    try:
        with source.open(file) as stream:
            if suffix == "asn":
                return _association_facts(stream)
            if suffix.startswith(_RAW):
                header = read_header(stream, file.name)
                return Facts(
                    asn_id=_root(header.get("ASN_ID")),
                    segment=str(header.get("SEGMENT") or ""),
                    acquisitions=[name for key in _ACQUISITION_KEYWORDS if (name := _root(header.get(key)))],
                )
    except (CosmoError, OSError, ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        return Facts(error=str(error))
    return Facts()


def _association_facts(stream: Any) -> Facts:
    with fits.open(stream, memmap=False) as hdus:
        rows = hdus["ASN"].data
        members = [
            str(row["MEMNAME"]).strip().lower()
            for row in rows
            if row["MEMPRSNT"] and str(row["MEMTYPE"]).strip().startswith("EXP")
        ]
    return Facts(members=members)


def _root(value: object) -> str:
    text = str(value or "").strip().lower()
    return "" if text in ("", "none", "n/a") else text


def _is_named(file: SourceFile) -> bool:
    try:
        parse_name(file.name)
    except PermanentError:
        return False
    return True


def _is_input(suffix: str) -> bool:
    """Whether the archive makes such files before calibration; products in a source are not inputs."""
    return suffix in _INPUTS or suffix.startswith(_RAW)


def group(files: Sequence[SourceFile], facts: Mapping[str, Facts]) -> list[DatasetListing]:
    """Sort files into datasets.

    Parameters
    ----------
    files
        Files of the source; those that are no raw COS files are left aside.
    facts
        Facts of each file by its stem.
    """
    named = [(name, file) for file in files if _is_named(file) and _is_input((name := parse_name(file.name)).suffix)]
    owner = _owners(named, facts)
    grouped: dict[str, list[tuple[FileName, SourceFile]]] = defaultdict(list)
    for name, file in named:
        exposure = exposure_of_jitter(name.rootname)
        grouped[owner.get(exposure, exposure)].append((name, file))
    acquisitions = {name.rootname for name, _ in named if name.suffix == "rawacq"}
    return [
        _listing(rootname, content, facts, acquisitions)
        for rootname, content in sorted(grouped.items())
        if any(name.suffix == "asn" or name.suffix.startswith(_RAW) for name, _ in content)
    ]


def _owners(named: Sequence[tuple[FileName, SourceFile]], facts: Mapping[str, Facts]) -> dict[str, str]:
    """Association of each exposure that is in one."""
    owner: dict[str, str] = {}
    for name, file in named:
        found = facts[file.stem]
        if name.suffix == "asn":
            owner.update(dict.fromkeys(found.members, name.rootname))
        elif found.asn_id and is_association(found.asn_id):
            owner.setdefault(name.rootname, found.asn_id)
    return owner


def _listing(
    rootname: str,
    content: Sequence[tuple[FileName, SourceFile]],
    facts: Mapping[str, Facts],
    acquisitions: set[str],
) -> DatasetListing:
    suffixes: dict[str, set[str]] = defaultdict(set)
    members: list[str] = []
    companions: set[str] = set()
    unreadable_asn = False
    for name, file in content:
        suffixes[name.rootname].add(name.suffix)
        found = facts[file.stem]
        if name.suffix == "asn":
            members, unreadable_asn = found.members, bool(found.error)
        companions |= {match for wanted in found.acquisitions for match in acquisitions if _matches(match, wanted)}
    raw_of = {root: _raw(found) for root, found in suffixes.items()}
    association = is_association(rootname)
    if association and not members:
        members = sorted(root for root, raw in raw_of.items() if raw)
    missing = [] if not association or "asn" in suffixes[rootname] else [f"{rootname}_asn"]
    if not unreadable_asn:
        for exposure in members if association else [rootname]:
            segment = next(
                (
                    facts[file.stem].segment
                    for name, file in content
                    if name.rootname == exposure and name.suffix.startswith(_RAW)
                ),
                "",
            )
            missing += _missing(exposure, suffixes[exposure], segment)
    acquisition = not association and "rawacq" in suffixes[rootname]
    kind = ASSOCIATION if association else ACQUISITION if acquisition else EXPOSURE
    return DatasetListing(
        rootname, kind, members, [file for _, file in content], sorted(companions - {rootname}), missing
    )


def _matches(rootname: str, wanted: str) -> bool:
    return rootname[:8] == wanted[:8] if wanted.endswith("x") else rootname == wanted


def _raw(suffixes: set[str]) -> set[str]:
    return {suffix for suffix in suffixes if suffix.startswith(_RAW)}


def _missing(exposure: str, suffixes: set[str], segment: str) -> list[str]:
    """Names of what an exposure must have and has not: raw data of each segment, and the support file."""
    raw = _raw(suffixes)
    missing = []
    if not raw:
        missing.append(f"{exposure}_rawtag")
    elif segment == "BOTH":
        kinds = {suffix[:-2] for suffix in raw if suffix.endswith(("_a", "_b"))}
        missing += [
            f"{exposure}_{kind}_{side}" for kind in sorted(kinds) for side in "ab" if f"{kind}_{side}" not in raw
        ]
    if "spt" not in suffixes:
        missing.append(f"{exposure}_spt")
    return missing
