"""Grouping of the visits that changed into datasets, in slices."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text, update

from services.archive.datasets import DatasetInput, write_datasets
from services.archive.grouping import DatasetListing
from services.archive.listing import scan_transaction
from services.archive.sources import FileSource
from services.archive.visits import (
    RULES,
    Batch,
    Digests,
    Grouped,
    Visit,
    changed_visits,
    group_files,
    load_files,
)
from shared.cos.reference_names import RemoteFolder
from shared.database.engine import Database
from shared.database.models.operations import SourceFile as SourceFileRow
from shared.finite_json import finite_json
from shared.jobs.events import Outbox
from shared.logs import get_logger
from shared.outages import is_trouble
from shared.reference_digests import reference_digests

__all__ = ["Regrouping"]

_FILES = 2000
"""Files that are grouped at once, unless the visits that go together have more."""
_DATASETS = 200
"""Datasets of a transaction."""

_NOBODY_LOOKED = ""
"""In place of a reference file's SHA-256 where there is no folder to look in."""

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
        self._digests: Digests = {}
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
        for together in _batches(await changed_visits(self._database, self._source.url)):
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

    def _recorded(self, names: Iterable[str]) -> Digests:
        return {name: self._digests.get(name, _NOBODY_LOOKED) for name in sorted(names)}

    async def _handle(self, components: Sequence[Sequence[Visit]]) -> None:
        """Group visits; those that cannot be, each by itself."""
        try:
            visits = [visit for component in components for visit in component]
            batch = await load_files(self._database, self._source.url, visits)
            grouped = await asyncio.to_thread(group_files, self._source, batch)
            self.unreadable.update(batch.unreadable)
            await self._look_up(
                {name for facts in batch.facts.values() for name in facts.references}
            )
            await self._write(batch, grouped)
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

    async def _write(self, batch: Batch, grouped: Grouped) -> None:
        inputs = [grouped.input_of(one, self._digests) for one in grouped.grouping.datasets]
        for start in range(0, len(inputs), _DATASETS):
            await self._write_slice(batch, inputs[start : start + _DATASETS])
        await self._settle(batch, grouped.grouping.datasets)

    async def _write_slice(self, batch: Batch, inputs: Sequence[DatasetInput]) -> None:
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
            batch.again.add(batch.home(one.listing))
            return
        self._jobs += jobs
        self._outbox.extend(outbox)

    async def _settle(self, batch: Batch, listings: Sequence[DatasetListing]) -> None:
        """Let the rows of files and visits say what became of them."""
        dataset: dict[str, str] = {}
        for listing in listings:
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
            await session.execute(_DONE, self._states(batch, listings))
            if empty := batch.visits.keys() - {row.visit for row in batch.rows.values()}:
                await session.execute(
                    _EMPTY, [{"source": self._source.url, "visit": name} for name in sorted(empty)]
                )

    def _states(self, batch: Batch, listings: Sequence[DatasetListing]) -> list[dict[str, Any]]:
        """Return what the rows of the visits are to say."""
        files, datasets = Counter[str](), Counter[str]()
        references: dict[str, set[str]] = defaultdict(set)
        links: dict[str, set[str]] = defaultdict(set)
        for url, facts in batch.facts.items():
            visit = batch.rows[url].visit
            files[visit] += 1
            references[visit] |= set(facts.references)
            links[visit] |= facts.visits - {visit}
        for listing in listings:
            datasets[batch.home(listing)] += 1
        return [
            {
                "source": self._source.url,
                "visit": name,
                "seen": visit.pending,
                "left": int(name in batch.again),
                "rules": RULES,
                "links": finite_json(sorted(links[name])),
                "files": files[name],
                "datasets": datasets[name],
                "left_aside": finite_json(batch.left_aside[name].summary),
                "references": finite_json(self._recorded(references[name])),
            }
            for name, visit in sorted(batch.visits.items())
        ]


def _batches(components: Iterable[list[Visit]]) -> Iterator[list[list[Visit]]]:
    """Yield as many components as are grouped at once."""
    batch: list[list[Visit]] = []
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
