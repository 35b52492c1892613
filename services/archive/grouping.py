"""Grouping of files into datasets, and what is missing of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.archive.metadata import RAW, FileMetadata
from services.archive.sources import SourceFile
from shared.cos.completeness import missing_raw
from shared.cos.names import JITTER, STANDALONE, FileName, is_product, parse_name
from shared.jobs.routing import ACQUISITION, ASSOCIATION, EXPOSURE, PRODUCTS

__all__ = ["DatasetListing", "Grouping", "group"]

_SHARED_ROOT = 8
"""Characters of a rootname that an exposure and its jitter files have in common.

The last one differs.
"""

_SUPPORT = ("spt", *JITTER)
"""Files beside raw data that have rows of their own."""

_Named = tuple[FileName, SourceFile]


@dataclass(frozen=True)
class DatasetListing:
    """A dataset as the source has it.

    Attributes
    ----------
    rootname, kind
        What it is.
    members
        Of an association: rootnames of the exposures that are present.
    files
        Its files.
    companions
        Acquisitions of the same visit.
    missing
        Names of what belongs to it and is not there, or why it cannot be taken.
    left_aside
        Exposures and files that look like its own and are not, each with the reason.
    """

    rootname: str
    kind: str
    members: list[str]
    files: list[SourceFile]
    companions: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left_aside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grouping:
    """Datasets, and the files that none has.

    Attributes
    ----------
    datasets
        The datasets.
    switched_off
        Files of exposures that their association leaves out.
    orphans
        Files that are of use with raw data only, of exposures of which there are none.
    """

    datasets: list[DatasetListing]
    switched_off: list[SourceFile]
    orphans: list[SourceFile]


def group(
    files: Sequence[SourceFile],
    facts: Mapping[str, FileMetadata],
    older: Mapping[str, Mapping[str, str]] | None = None,
    conflicts: Mapping[str, str] | None = None,
) -> Grouping:
    """Sort files into datasets.

    An exposure of several associations belongs to each, a report to one of its own.

    Parameters
    ----------
    files
        Input files of the source, one of each stem.
    facts
        Metadata of each file by its stem.
    older, conflicts
        By stem: other versions of the file, and why none of several can be taken
        (`services.archive.versions`).
    """
    older, conflicts = older or {}, conflicts or {}
    every = [(parse_name(file.name), file) for file in files]
    named = [(name, file) for name, file in every if name.suffix not in STANDALONE]
    owners, left_out = _owners(named, facts, conflicts)
    exposures = {name.rootname for name, _ in named if name.suffix not in JITTER} | set(owners)
    by_start: dict[str, set[str]] = defaultdict(set)
    for exposure in exposures:
        by_start[exposure[:_SHARED_ROOT]].add(exposure)
    grouped: dict[str, list[_Named]] = defaultdict(list)
    switched_off = []
    for name, file in named:
        roots = {name.rootname}
        if name.suffix in JITTER and name.rootname not in exposures:
            roots = by_start.get(name.rootname[:_SHARED_ROOT], roots)
        # A table is its own dataset, whatever exposure it may be called after.
        datasets = (
            roots
            if name.suffix == "asn"
            else {one for root in roots for one in owners.get(root, {root})}
        )
        for dataset in datasets:
            grouped[dataset].append((name, file))
        if not datasets:
            switched_off.append(file)
    acquisitions: dict[str, set[str]] = defaultdict(set)
    for name, _ in named:
        if name.suffix == "rawacq":
            acquisitions[name.rootname[:_SHARED_ROOT]].add(name.rootname)
    associations = {rootname for datasets in owners.values() for rootname in datasets}
    listings, orphans = [], []
    for rootname, content in sorted(grouped.items()):
        if any(name.suffix == "asn" or _is_raw(name) for name, _ in content):
            listing = _listing(
                rootname, content, facts, conflicts, acquisitions, rootname in associations
            )
            listing.left_aside.update(left_out.get(rootname, {}))
            listings.append(listing)
        elif any(is_product(name) or name.suffix in _SUPPORT for name, _ in content):
            listings.append(_without_raw(rootname, content, conflicts))
        else:
            orphans += [file for _, file in content]
    taken = {listing.rootname for listing in listings}
    for name, file in every:
        if name.suffix in STANDALONE and name.rootname in taken:
            orphans.append(file)  # a text called after an association; a rootname has one dataset
        elif name.suffix in STANDALONE:
            missing = [conflicts[file.stem]] if file.stem in conflicts else []
            kind = STANDALONE[name.suffix]
            listings.append(
                DatasetListing(name.rootname, kind, [], [] if missing else [file], missing=missing)
            )
    for listing in listings:
        for file in listing.files:
            listing.left_aside.update(older.get(file.stem, {}))
    return Grouping(listings, switched_off, orphans)


def _owners(
    named: Sequence[_Named], facts: Mapping[str, FileMetadata], conflicts: Mapping[str, str]
) -> tuple[dict[str, set[str]], dict[str, dict[str, str]]]:
    """Return the associations of each exposure that is in one, and by association the exposures
    that it leaves out, with reasons.

    The table decides. What an exposure's own header says counts only where that table is not there
    or cannot be read, unless other tables list every exposure that says so. An exposure that is
    left out belongs to nothing.
    """
    tables = {
        name.rootname: table
        for name, file in named
        if name.suffix == "asn"
        and file.stem not in conflicts
        and (table := facts[file.stem].association)
    }
    owners: dict[str, set[str]] = defaultdict(set)
    left_out: dict[str, dict[str, str]] = defaultdict(dict)
    for rootname, table in tables.items():
        for member in table.members:
            owners[member].add(rootname)
        for exposure in table.left_out:
            left_out[rootname][exposure] = f"{table.name} says that it is not present (MEMPRSNT)"
    listed = set(owners)
    for asn_id, exposures in _claims(named, facts).items():
        if table := tables.get(asn_id):
            for exposure in exposures - {row.name for row in table.rows}:
                left_out[asn_id][exposure] = (
                    f"its header names {table.name}, which does not list it"
                )
        elif not exposures <= listed:
            for exposure in exposures:
                owners[exposure].add(asn_id)
    for exposure in {exposure for exposures in left_out.values() for exposure in exposures}:
        owners.setdefault(exposure, set())
    return dict(owners), left_out


def _claims(named: Sequence[_Named], facts: Mapping[str, FileMetadata]) -> dict[str, set[str]]:
    """Return the exposures by the association that their own headers name.

    Acquisitions are in none.
    """
    claims: dict[str, set[str]] = defaultdict(set)
    for name, file in named:
        asn_id = facts[file.stem].asn_id
        if asn_id not in ("", name.rootname) and name.suffix != "rawacq":
            claims[asn_id].add(name.rootname)
    return claims


def _listing(
    rootname: str,
    content: Sequence[_Named],
    facts: Mapping[str, FileMetadata],
    conflicts: Mapping[str, str],
    acquisitions: Mapping[str, set[str]],
    association: bool,
) -> DatasetListing:
    suffixes: dict[str, set[str]] = defaultdict(set)
    segments: dict[str, set[str]] = defaultdict(set)
    beside: dict[str, set[str]] = defaultdict(set)
    companions: set[str] = set()
    association = association or any(name.suffix == "asn" for name, _ in content)
    disputed = [conflicts[file.stem] for _, file in content if file.stem in conflicts]
    content = [(name, file) for name, file in content if file.stem not in conflicts]
    table: FileMetadata | None = None
    for name, file in content:
        found = facts[file.stem]
        suffixes[name.rootname].add(name.suffix)
        if not found.unread:  # an earlier delivery may have asked for something else
            segments[name.rootname].update(found.segments)
            beside[name.rootname].update(found.beside)
        if name.suffix == "asn":
            table = found
        companions |= {
            match
            for wanted in found.acquisitions
            for match in acquisitions.get(wanted[:_SHARED_ROOT], ())
            if _matches(match, wanted)
        }
    missing: list[str] = []
    if table is not None and table.association is not None:
        members = list(table.association.members)
    else:
        members = (
            sorted({name.rootname for name, _ in content if _is_raw(name)}) if association else []
        )
        missing += [f"{rootname}_asn"] if association and table is None else []
    if table is None or not table.error:
        for exposure in members if association else [rootname]:
            missing += _missing(exposure, suffixes[exposure], segments[exposure], beside[exposure])
    acquisition = not association and "rawacq" in suffixes[rootname]
    kind = ASSOCIATION if association else ACQUISITION if acquisition else EXPOSURE
    files = [file for _, file in content]
    return DatasetListing(
        rootname, kind, members, files, sorted(companions - {rootname}), missing + disputed
    )


def _without_raw(
    rootname: str, content: Sequence[_Named], conflicts: Mapping[str, str]
) -> DatasetListing:
    """Return the dataset of what the archive made of data that are not there, and of its support
    files.
    """
    members = sorted({name.rootname for name, _ in content} - {rootname})
    disputed = [conflicts[file.stem] for _, file in content if file.stem in conflicts]
    return DatasetListing(
        rootname,
        PRODUCTS,
        members,
        [] if disputed else [file for _, file in content],
        missing=disputed,
    )


def _matches(rootname: str, wanted: str) -> bool:
    return rootname[:8] == wanted[:8] if wanted.endswith("x") else rootname == wanted


def _is_raw(name: FileName) -> bool:
    return name.suffix.startswith(RAW)


def _missing(exposure: str, suffixes: set[str], segments: set[str], beside: set[str]) -> list[str]:
    """Return the names of what an exposure must have and has not.

    Raw data of each segment, what is opened beside, support.
    """
    missing = missing_raw(
        exposure, {suffix for suffix in suffixes if suffix.startswith(RAW)}, segments
    )
    return missing + [f"{exposure}_{suffix}" for suffix in sorted({*beside, "spt"} - suffixes)]
