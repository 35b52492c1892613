"""Grouping of the visits that changed into datasets, in slices."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import ARRAY, Row, String, any_, literal, select, text, update

from services.archive.aside import (
    OLDER,
    ORPHAN,
    OTHER_INSTRUMENT,
    PRODUCT,
    SWITCHED_OFF,
    LeftAside,
)
from services.archive.catalogues.base import ARCHIVE
from services.archive.datasets import DatasetInput, write_datasets
from services.archive.grouping import DatasetListing, Grouping, group
from services.archive.listing import scan_transaction
from services.archive.metadata import VISIT_LENGTH, FileMetadata, read_digest, visit_of
from services.archive.sources import FileSource, SourceFile
from services.archive.versions import Versions, choose_versions
from shared.cos.names import is_product, parse_name
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.errors import TransientError
from shared.finite_json import finite_json
from shared.jobs.events import Outbox
from shared.jobs.routing import CALIBRATED
from shared.logs import get_logger
from shared.outages import is_trouble
from shared.reference_digests import reference_digests

__all__ = ["Regrouping"]

_RULES = 2
"""Raise it when the same files make other datasets or other jobs: all are grouped again."""

_FILES = 2000
"""Files that are grouped at once, unless the visits that go together have more."""
_DATASETS = 200
"""Datasets of a transaction."""

_NOBODY_LOOKED = ""
"""In place of a reference file's SHA-256 where there is no folder to look in."""

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
_NAMES = text("""
    SELECT DISTINCT jsonb_object_keys("references") FROM source_visits WHERE source = :source
""")
_OTHER_REFERENCES = text("""
    UPDATE source_visits AS v SET pending = pending + 1
    WHERE source = :source AND "references" <> (
      SELECT coalesce(jsonb_object_agg(name, CAST(:digests AS jsonb) -> name), '{}')
      FROM jsonb_object_keys("references") AS name)
""")
_PLACE = text("""
    UPDATE source_files AS f SET dataset = found.dataset
    FROM unnest(CAST(:ids AS bigint[]), CAST(:datasets AS text[])) AS found (id, dataset)
    WHERE f.id = found.id
""")
_DONE = text("""
    UPDATE source_visits SET pending = greatest(pending - :seen, :left), rules = :rules,
      links = CAST(:links AS jsonb), files = :files, datasets = :datasets,
      left_aside = CAST(:left_aside AS jsonb), "references" = CAST(:references AS jsonb)
    WHERE source = :source AND visit = :visit
""")
_EMPTY = text("""
    DELETE FROM source_visits WHERE source = :source AND visit = :visit AND pending = 0
""")

_Digests = dict[str, str | None]


@dataclass(frozen=True)
class _Visit:
    """A visit, the number of its changes that were seen, and of its files."""

    name: str
    pending: int
    files: int


@dataclass
class _Batch:
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
    """

    visits: dict[str, _Visit]
    rows: dict[str, SourceFileRow]
    facts: dict[str, FileMetadata] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    left_aside: dict[str, LeftAside] = field(default_factory=lambda: defaultdict(LeftAside))

    def leave_aside(self, reason: str, urls: Iterable[str]) -> None:
        """Leave files aside."""
        for url in urls:
            self.left_aside[self.rows[url].visit].add(reason, [url])

    @property
    def files(self) -> list[SourceFile]:
        """Input files, every version of each."""
        return [
            SourceFile(row.url, row.name, row.stem, row.size, row.identity, row.modified, row.md5)
            for row in self.rows.values()
            if row.url in self.facts
        ]


class Regrouping:
    """Grouping of what changed in a source.

    What is written of it is never more than a slice, and a visit counts as changed until its
    datasets are written: where this ends early, the next scan goes on. A dataset that cannot be
    handled costs itself.

    Parameters
    ----------
    database
        Database.
    source
        Source.
    references
        Folders that reference files may lie in.
    outbox
        Receives the messages of the jobs.
    bulk_above
        Beyond so many jobs they are bulk work.
    sources
        URLs of all sources that are scanned.

    Attributes
    ----------
    failed
        Datasets, or visits, that could not be handled, and why.
    unreadable
        URL of each file that could not be read, and why.
    """

    def __init__(
        self,
        database: Database,
        source: FileSource,
        references: Sequence[Path | RemoteFolder],
        outbox: Outbox,
        bulk_above: int,
        sources: Collection[str] = (),
    ) -> None:
        self._database, self._source, self._references = database, source, references
        self._outbox, self._bulk_above, self._jobs = outbox, bulk_above, 0
        self._others = set(sources) - {source.url}
        self._digests: _Digests = {}
        self.failed: dict[str, str] = {}
        self.unreadable: dict[str, str] = {}

    async def run(self, *, compare_references: bool = True) -> None:
        """Group what changed.

        Parameters
        ----------
        compare_references
            Whether reference files that are others now count too.

        Raises
        ------
        TransientError
            If a folder of references does not answer.
        """
        if compare_references:
            await self._compare_references()
        for together in _batches(await self._components()):
            await self._handle(together)

    async def _compare_references(self) -> None:
        """Mark the visits whose headers name reference files that are others now."""
        values = {"source": self._source.url}
        async with self._database.session() as session:
            names = list((await session.execute(_NAMES, values)).scalars())
        await self._look_up(names)
        async with scan_transaction(self._database) as session:
            digests = finite_json(self._recorded(names))
            await session.execute(_OTHER_REFERENCES, {**values, "digests": digests})

    async def _look_up(self, names: Iterable[str]) -> None:
        """Learn the digests of reference files, each once in a scan."""
        new = set(names) - self._digests.keys()
        if new:
            self._digests |= await asyncio.to_thread(reference_digests, self._references, new)

    def _recorded(self, names: Iterable[str]) -> _Digests:
        return {name: self._digests.get(name, _NOBODY_LOOKED) for name in sorted(names)}

    async def _components(self) -> list[list[_Visit]]:
        """Return the visits to be grouped, with those that they have to be grouped with."""
        values = {"source": self._source.url}
        async with self._database.session() as session:
            pending = list(
                (
                    await session.execute(
                        _PENDING,
                        {
                            **values,
                            "rules": _RULES,
                            "length": VISIT_LENGTH,
                            "waits": self._source.url == ARCHIVE,
                        },
                    )
                ).scalars()
            )
            if not pending:
                return []
            linked = _connected(await session.execute(_LINKS, values))
            found = [linked.get(name, {name}) for name in pending]
            components = {min(names): names for names in found}  # each once
            wanted = sorted(set().union(*components.values()))
            rows = await session.execute(_SIZES, {**values, "visits": wanted})
            visits = {name: _Visit(name, seen, files) for name, seen, files in rows}
        return [
            [visits[name] for name in sorted(names) if name in visits]
            for names in components.values()
        ]

    async def _handle(self, components: Sequence[Sequence[_Visit]]) -> None:
        """Group visits; those that cannot be, each by itself."""
        try:
            batch = await self._load(components)
            chosen, grouping = await asyncio.to_thread(self._group, batch)
            await self._look_up(
                {name for facts in batch.facts.values() for name in facts.references}
            )
            await self._write(batch, chosen, grouping)
        except Exception as error:
            if is_trouble(error):
                raise
            if len(components) > 1:
                for component in components:
                    await self._handle([component])
            else:
                self._note(", ".join(visit.name for visit in components[0]), error)

    def _note(self, name: str, error: Exception) -> None:
        get_logger().error("not handled by the scan", dataset=name, error=repr(error))
        self.failed[name] = str(error) or type(error).__name__

    async def _load(self, components: Sequence[Sequence[_Visit]]) -> _Batch:
        visits = {visit.name: visit for component in components for visit in component}
        query = (
            select(SourceFileRow)
            .where(
                SourceFileRow.source == self._source.url,
                SourceFileRow.visit == any_(literal(list(visits), ARRAY(String))),
                SourceFileRow.present,
            )
            .order_by(SourceFileRow.stem, SourceFileRow.url)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return _Batch(visits, {row.url: row for row in rows})

    def _group(self, batch: _Batch) -> tuple[Versions, Grouping]:
        for row in batch.rows.values():
            facts = FileMetadata.from_dict(row.facts)
            if facts.error and is_product(parse_name(row.name)):
                batch.leave_aside(PRODUCT, [row.url])
            else:
                batch.facts[row.url] = facts
        chosen = self._choose(batch)
        known = {file.stem: batch.facts[file.url] for file in chosen.files}
        grouping = group(chosen.files, known, chosen.older, chosen.conflicts)
        for reason, files in ((SWITCHED_OFF, grouping.switched_off), (ORPHAN, grouping.orphans)):
            batch.leave_aside(reason, (file.url for file in files))
        return chosen, grouping

    def _choose(self, batch: _Batch) -> Versions:
        """Choose between the versions of each file that is of COS."""

        def digest(file: SourceFile) -> str:
            facts = batch.facts[file.url]
            if not facts.digest:
                try:
                    facts = replace(facts, digest=read_digest(self._source, file))
                except TransientError as error:
                    self.unreadable[file.url] = str(error)
                    batch.again.add(batch.rows[file.url].visit)
                    return file.url
                batch.facts[file.url] = facts
                batch.read.add(file.url)
            return facts.digest

        foreign = {url for url, facts in batch.facts.items() if facts.is_foreign}
        for url in sorted(foreign):
            instrument = batch.facts[url].instrument
            batch.leave_aside(f"{OTHER_INSTRUMENT} ({instrument})", [url])
        files = [file for file in batch.files if file.url not in foreign]
        chosen = choose_versions(files, batch.facts, digest)
        for older in chosen.older.values():
            batch.leave_aside(OLDER, older)
        return chosen

    async def _write(self, batch: _Batch, chosen: Versions, grouping: Grouping) -> None:
        facts = {file.stem: batch.facts[file.url] for file in chosen.files}
        inputs = [
            DatasetInput(
                listing,
                {
                    name: self._digests[name]
                    for name in sorted(
                        {name for file in listing.files for name in facts[file.stem].references}
                    )
                    if name in self._digests
                }
                if listing.kind in CALIBRATED
                else {},
                any(facts[file.stem].unread for file in listing.files),
            )
            for listing in grouping.datasets
        ]
        for start in range(0, len(inputs), _DATASETS):
            await self._write_slice(batch, inputs[start : start + _DATASETS])
        await self._settle(batch, grouping)

    async def _write_slice(self, batch: _Batch, inputs: Sequence[DatasetInput]) -> None:
        """Write datasets; those that cannot be written together one by one."""
        outbox = Outbox()
        try:
            async with scan_transaction(self._database) as session:
                jobs = await write_datasets(
                    session,
                    self._source.url,
                    inputs,
                    outbox,
                    lambda count: self._jobs + count > self._bulk_above,
                    self._others,
                )
        except Exception as error:
            if is_trouble(error):
                raise
            if len(inputs) > 1:
                for one in inputs:
                    await self._write_slice(batch, [one])
                return
            (one,) = inputs
            self._note(one.listing.rootname, error)
            batch.again.add(_home(batch, one.listing))
            return
        self._jobs += jobs
        self._outbox.extend(outbox)

    async def _settle(self, batch: _Batch, grouping: Grouping) -> None:
        """Let the rows of files and visits say what became of them."""
        dataset: dict[str, str] = {}
        for listing in grouping.datasets:
            for file in listing.files:
                dataset.setdefault(file.stem, listing.rootname)
        moved = [
            (row.id, dataset.get(row.stem))
            for row in batch.rows.values()
            if row.dataset != dataset.get(row.stem)
        ]
        completed = [
            {"id": batch.rows[url].id, "facts": batch.facts[url].to_dict()}
            for url in sorted(batch.read)
        ]
        async with scan_transaction(self._database) as session:
            if moved:
                ids, datasets = zip(*moved, strict=True)
                await session.execute(_PLACE, {"ids": list(ids), "datasets": list(datasets)})
            if completed:
                await session.execute(update(SourceFileRow), completed)
            await session.execute(_DONE, self._states(batch, grouping))
            if empty := batch.visits.keys() - {row.visit for row in batch.rows.values()}:
                await session.execute(
                    _EMPTY, [{"source": self._source.url, "visit": name} for name in sorted(empty)]
                )

    def _states(self, batch: _Batch, grouping: Grouping) -> list[dict[str, Any]]:
        """Return what the rows of the visits are to say."""
        files, datasets = Counter[str](), Counter[str]()
        references: dict[str, set[str]] = defaultdict(set)
        links: dict[str, set[str]] = defaultdict(set)
        for url, facts in batch.facts.items():
            visit = batch.rows[url].visit
            files[visit] += 1
            references[visit] |= set(facts.references)
            links[visit] |= facts.visits - {visit}
        for listing in grouping.datasets:
            datasets[_home(batch, listing)] += 1
        return [
            {
                "source": self._source.url,
                "visit": name,
                "seen": visit.pending,
                "left": int(name in batch.again),
                "rules": _RULES,
                "links": finite_json(sorted(links[name])),
                "files": files[name],
                "datasets": datasets[name],
                "left_aside": finite_json(batch.left_aside[name].summary),
                "references": finite_json(self._recorded(references[name])),
            }
            for name, visit in sorted(batch.visits.items())
        ]


def _home(batch: _Batch, listing: DatasetListing) -> str:
    """Return the visit that a dataset counts to: its own, or that of a file of it."""
    own = visit_of(listing.rootname)
    if own in batch.visits or not listing.files:
        return own
    return batch.rows[listing.files[0].url].visit


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


def _batches(components: Iterable[list[_Visit]]) -> Iterator[list[list[_Visit]]]:
    """Yield as many components as are grouped at once."""
    batch: list[list[_Visit]] = []
    files = 0
    for component in components:
        size = sum(visit.files for visit in component)
        if batch and files + size > _FILES:
            yield batch
            batch, files = [], 0
        batch.append(component)
        files += size
    if batch:
        yield batch
