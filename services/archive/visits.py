"""Visits of a source: which are to be grouped, their files, and the datasets that these make."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import ARRAY, Row, String, any_, literal, select, text

from services.archive.aside import (
    OLDER,
    ORPHAN,
    OTHER_INSTRUMENT,
    PRODUCT,
    SWITCHED_OFF,
    LeftAside,
)
from services.archive.catalogues.base import ARCHIVE
from services.archive.datasets import DatasetInput
from services.archive.grouping import DatasetListing, Grouping, group
from services.archive.metadata import VISIT_LENGTH, FileMetadata, read_digest, visit_of
from services.archive.sources import FileSource, SourceFile
from services.archive.versions import Versions, choose_versions
from shared.cos.names import is_product, parse_name
from shared.database.engine import Database
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.errors import TransientError
from shared.jobs.routing import CALIBRATED

__all__ = [
    "RULES",
    "Batch",
    "Digests",
    "Grouped",
    "Visit",
    "changed_visits",
    "group_files",
    "load_files",
]

RULES = 2
"""Raise it when the same files make other datasets or other jobs: all are grouped again."""

_PENDING = text("""
    SELECT visit FROM source_visits AS v
    WHERE source = :source AND (pending > 0 OR rules <> :rules OR visit IN (
        SELECT left(rootname, :length) FROM datasets WHERE forced AND missing <> '[]'))
      AND NOT (:waits AND EXISTS (SELECT FROM source_files AS f WHERE f.source = v.source
        AND f.visit = v.visit AND f.listed IS NOT NULL AND NOT f.present))
    ORDER BY visit
""")
"""Of remote archives, whose raw headers are not known yet, a visit waits for its association
tables."""
_LINKS = text("""
    SELECT v.visit, o.visit
    FROM source_visits AS v, jsonb_array_elements_text(v.links) AS name, source_visits AS o
    WHERE v.source = :source AND v.links <> '[]' AND o.source = v.source AND o.visit = name
""")
"""Names of visits that the source does not have connect nothing."""
_SIZES = text("""
    SELECT v.visit, v.pending, count(f.id)
    FROM source_visits AS v
    LEFT JOIN source_files AS f ON f.source = v.source AND f.visit = v.visit AND f.present
    WHERE v.source = :source AND v.visit = ANY (CAST(:visits AS text[]))
    GROUP BY v.visit, v.pending
""")


@dataclass(frozen=True)
class Visit:
    """A visit, the number of its changes that were seen, and of its files."""

    name: str
    pending: int
    files: int


@dataclass
class Batch:
    """Files of visits that are grouped at once, and what became of them.

    Attributes
    ----------
    visits
        The visits, by name.
    rows
        Rows of their files, by URL.
    facts
        Metadata of the input files, by URL.
    read
        URLs of those whose metadata were completed meanwhile.
    again
        Visits that the next scan looks at again.
    left_aside
        Files in no dataset, by visit.
    unreadable
        URL of each file that could not be read, and why.
    """

    visits: dict[str, Visit]
    rows: dict[str, SourceFileRow]
    facts: dict[str, FileMetadata] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    left_aside: dict[str, LeftAside] = field(default_factory=lambda: defaultdict(LeftAside))
    unreadable: dict[str, str] = field(default_factory=dict)

    def leave_aside(self, reason: str, urls: Iterable[str]) -> None:
        """Leave files aside."""
        for url in urls:
            self.left_aside[self.rows[url].visit].add(reason, [url])

    def home(self, listing: DatasetListing) -> str:
        """Return the visit that a dataset counts to: its own, or that of a file of it."""
        own = visit_of(listing.rootname)
        if own in self.visits or not listing.files:
            return own
        return self.rows[listing.files[0].url].visit

    @property
    def files(self) -> list[SourceFile]:
        """Input files, every version of each."""
        return [
            SourceFile(row.url, row.name, row.stem, row.size, row.identity, row.modified, row.md5)
            for row in self.rows.values()
            if row.url in self.facts
        ]


Digests = dict[str, str | None]
"""SHA-256 of reference files by name; None for one that is not there."""


@dataclass(frozen=True)
class Grouped:
    """What files make.

    Attributes
    ----------
    grouping
        The datasets, and the files in none.
    facts
        Metadata of the files that were chosen, by stem.
    """

    grouping: Grouping
    facts: Mapping[str, FileMetadata]

    def input_of(self, listing: DatasetListing, digests: Digests) -> DatasetInput:
        """Return a dataset with the reference files that its headers name.

        Parameters
        ----------
        listing
            The dataset.
        digests
            Of reference files; one that is not among them is left out.
        """
        names = {name for file in listing.files for name in self.facts[file.stem].references}
        known = {name: digests[name] for name in sorted(names) if name in digests}
        return DatasetInput(
            listing,
            known if listing.kind in CALIBRATED else {},
            any(self.facts[file.stem].unread for file in listing.files),
        )


async def changed_visits(database: Database, source: str) -> list[list[Visit]]:
    """Return the visits of a source to be grouped, with those that they are grouped with."""
    values = {"source": source}
    waiting = {"rules": RULES, "length": VISIT_LENGTH, "waits": source == ARCHIVE}
    async with database.session() as session:
        pending = list((await session.execute(_PENDING, {**values, **waiting})).scalars())
        if not pending:
            return []
        linked = _connected(await session.execute(_LINKS, values))
        found = [linked.get(name, {name}) for name in pending]
        components = {min(names): names for names in found}  # each once
        wanted = sorted(set().union(*components.values()))
        rows = await session.execute(_SIZES, {**values, "visits": wanted})
        visits = {name: Visit(name, seen, files) for name, seen, files in rows}
    return [
        [visits[name] for name in sorted(names) if name in visits] for names in components.values()
    ]


async def load_files(database: Database, source: str, visits: Iterable[Visit]) -> Batch:
    """Load the files of visits of a source."""
    by_name = {visit.name: visit for visit in visits}
    query = (
        select(SourceFileRow)
        .where(
            SourceFileRow.source == source,
            SourceFileRow.visit == any_(literal(list(by_name), ARRAY(String))),
            SourceFileRow.present,
        )
        .order_by(SourceFileRow.stem, SourceFileRow.url)
    )
    async with database.session() as session:
        rows = (await session.execute(query)).scalars().all()
    return Batch(by_name, {row.url: row for row in rows})


def group_files(
    source: FileSource, batch: Batch, read: Mapping[SourceFile, FileMetadata] | None = None
) -> Grouped:
    """Group the files of a batch, and note in it what is in no dataset.

    Parameters
    ----------
    source
        Source of the files, from which versions of one file are read that differ.
    batch
        The files.
    read
        Metadata of files that were read meanwhile.
    """
    newer = {(file.url, file.identity): facts for file, facts in (read or {}).items()}
    for row in batch.rows.values():
        facts = newer.get((row.url, row.identity)) or FileMetadata.from_dict(row.facts)
        if facts.error and is_product(parse_name(row.name)):
            batch.leave_aside(PRODUCT, [row.url])
        else:
            batch.facts[row.url] = facts
    chosen = _choose(source, batch)
    known = {file.stem: batch.facts[file.url] for file in chosen.files}
    grouping = group(chosen.files, known, chosen.older, chosen.conflicts)
    for reason, files in ((SWITCHED_OFF, grouping.switched_off), (ORPHAN, grouping.orphans)):
        batch.leave_aside(reason, (file.url for file in files))
    return Grouped(grouping, known)


def _choose(source: FileSource, batch: Batch) -> Versions:
    """Choose between the versions of each file that is of COS."""

    def digest(file: SourceFile) -> str:
        facts = batch.facts[file.url]
        if not facts.digest:
            try:
                facts = replace(facts, digest=read_digest(source, file))
            except TransientError as error:
                batch.unreadable[file.url] = str(error)
                batch.again.add(batch.rows[file.url].visit)
                return file.url
            batch.facts[file.url] = facts
            batch.read.add(file.url)
        return facts.digest

    foreign = {url for url, facts in batch.facts.items() if facts.is_foreign}
    for url in sorted(foreign):
        batch.leave_aside(f"{OTHER_INSTRUMENT} ({batch.facts[url].instrument})", [url])
    files = [file for file in batch.files if file.url not in foreign]
    chosen = choose_versions(files, batch.facts, digest)
    for older in chosen.older.values():
        batch.leave_aside(OLDER, older)
    return chosen


def _connected(links: Iterable[Row[str, str]]) -> dict[str, set[str]]:
    """Return all visits that are connected with each that has links, or is named by one."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (over := above.setdefault(name, name)) != name:
            above[name] = name = above[over]
        return name

    for visit, other in links:
        above[top(visit)] = top(other)
    sets: dict[str, set[str]] = defaultdict(set)
    for name in above:
        sets[top(name)].add(name)
    return {name: names for names in sets.values() for name in names}
