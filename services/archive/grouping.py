"""Which files make a dataset, and what is missing of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.archive.facts import RAW, Facts
from services.archive.sources import SourceFile
from shared.cos.completeness import missing_raw
from shared.cos.names import STANDALONE, FileName, is_association, parse_name
from shared.jobs.routing import ACQUISITION, ASSOCIATION, EXPOSURE

__all__ = ["DatasetListing", "group"]

_JITTER = ("jit", "jif")
_SHARED_ROOT = 8
"""Characters of a rootname that an exposure and its jitter files have in common; the last one differs."""

_Named = tuple[FileName, SourceFile]


@dataclass(frozen=True)
class DatasetListing:
    """A dataset as the source has it."""

    rootname: str
    kind: str
    members: list[str]
    files: list[SourceFile]
    companions: list[str]
    missing: list[str]


def group(files: Sequence[SourceFile], facts: Mapping[str, Facts]) -> list[DatasetListing]:
    """Sort files into datasets; an exposure of several associations belongs to each, a report to one of its own.

    Parameters
    ----------
    files
        Input files of the source.
    facts
        Facts of each file by its stem.
    """
    every = [(parse_name(file.name), file) for file in files]
    named = [(name, file) for name, file in every if name.suffix not in STANDALONE]
    owners = _owners(named, facts)
    exposures = {name.rootname for name, _ in named if name.suffix not in _JITTER} | set(owners)
    by_start: dict[str, set[str]] = defaultdict(set)
    for exposure in exposures:
        by_start[exposure[:_SHARED_ROOT]].add(exposure)
    grouped: dict[str, list[_Named]] = defaultdict(list)
    for name, file in named:
        roots = {name.rootname}
        if name.suffix in _JITTER and name.rootname not in exposures:
            roots = by_start.get(name.rootname[:_SHARED_ROOT], roots)
        for dataset in {dataset for root in roots for dataset in owners.get(root, {root})}:
            grouped[dataset].append((name, file))
    acquisitions = {name.rootname for name, _ in named if name.suffix == "rawacq"}
    listings = [
        _listing(rootname, content, facts, acquisitions)
        for rootname, content in sorted(grouped.items())
        if any(name.suffix == "asn" or _is_raw(name) for name, _ in content)
    ]
    standalone = ((name, file) for name, file in every if name.suffix in STANDALONE)
    return listings + [
        DatasetListing(name.rootname, STANDALONE[name.suffix], [], [file], [], []) for name, file in standalone
    ]


def _owners(named: Sequence[_Named], facts: Mapping[str, Facts]) -> dict[str, set[str]]:
    """Associations of each exposure that is in one: those whose table lists it.

    The association that its own header names counts where that table cannot tell, or no table lists the exposure.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    tables = set()
    for name, file in named:
        if name.suffix == "asn" and not facts[file.stem].error:
            tables.add(name.rootname)
            for member in facts[file.stem].members:
                owners[member].add(name.rootname)
    listed = set(owners)
    for name, file in named:
        asn_id = facts[file.stem].asn_id
        if asn_id and is_association(asn_id) and (asn_id not in tables or name.rootname not in listed):
            owners[name.rootname].add(asn_id)
    return dict(owners)


def _listing(
    rootname: str, content: Sequence[_Named], facts: Mapping[str, Facts], acquisitions: set[str]
) -> DatasetListing:
    suffixes: dict[str, set[str]] = defaultdict(set)
    segments: dict[str, set[str]] = defaultdict(set)
    members: list[str] = []
    companions: set[str] = set()
    unreadable_asn = False
    for name, file in content:
        found = facts[file.stem]
        suffixes[name.rootname].add(name.suffix)
        segments[name.rootname].update(found.segments)
        if name.suffix == "asn":
            members, unreadable_asn = found.members, bool(found.error)
        companions |= {match for wanted in found.acquisitions for match in acquisitions if _matches(match, wanted)}
    association = is_association(rootname)
    if association and not members:
        members = sorted({name.rootname for name, _ in content if _is_raw(name)})
    missing = [] if not association or "asn" in suffixes[rootname] else [f"{rootname}_asn"]
    if not unreadable_asn:
        for exposure in members if association else [rootname]:
            missing += _missing(exposure, suffixes[exposure], segments[exposure])
    acquisition = not association and "rawacq" in suffixes[rootname]
    kind = ASSOCIATION if association else ACQUISITION if acquisition else EXPOSURE
    return DatasetListing(
        rootname, kind, members, [file for _, file in content], sorted(companions - {rootname}), missing
    )


def _matches(rootname: str, wanted: str) -> bool:
    return rootname[:8] == wanted[:8] if wanted.endswith("x") else rootname == wanted


def _is_raw(name: FileName) -> bool:
    return name.suffix.startswith(RAW)


def _missing(exposure: str, suffixes: set[str], segments: set[str]) -> list[str]:
    """Names of what an exposure must have and has not: raw data of each segment, and the support file."""
    missing = missing_raw(exposure, {suffix for suffix in suffixes if suffix.startswith(RAW)}, segments)
    return missing if "spt" in suffixes else [*missing, f"{exposure}_spt"]
