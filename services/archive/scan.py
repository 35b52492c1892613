"""Scans: what a source holds, what is new or changed, which datasets are complete."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from services.archive.archives import RemoteArchives
from services.archive.aside import UNHANDLED, Summary
from services.archive.catalogued import compare_catalogued
from services.archive.headers import read_headers
from services.archive.listing import Listed, compare
from services.archive.regrouping import Regrouping
from services.archive.sources import FileSource, Source
from shared.cos.reference_names import RemoteFolder, reference_folders
from shared.database.engine import Database
from shared.database.models.operations import Scan, SourceVisit
from shared.jobs.events import Outbox
from shared.settings import ArchiveSettings

__all__ = ["ScanResult", "scan", "scan_archives"]


@dataclass(frozen=True)
class ScanResult:
    """What a scan saw.

    Attributes
    ----------
    files
        Number of input files.
    changed
        Number of those that are new or changed.
    datasets
        Number of datasets that they make.
    unreadable
        URL of each folder or file that could not be read, and why; what earlier scans saw
        there still counts.
    left_aside
        Number of files that are in no dataset and the names of the first ones, by the reason.
    failed
        Datasets that could not be handled, and why; the next scan tries them again.
    """

    files: int
    changed: int
    datasets: int
    unreadable: dict[str, str] = field(default_factory=dict)
    left_aside: Summary = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


async def scan(
    database: Database,
    source: Source,
    outbox: Outbox,
    references: Path | RemoteFolder | None = None,
    bulk_above: int = ArchiveSettings().bulk_above,
    sources: Collection[str] = (),
) -> ScanResult:
    """Scan a source once.

    Write what it holds, and a fetch job for each dataset that is new, changed and complete.

    A dataset has changed when its files have, or the reference files that they name. The work is
    done in transactions of some hundred files or datasets. Where a scan ends early, the next one
    goes on.

    Parameters
    ----------
    database
        Database.
    source
        Source to scan.
    outbox
        Receives the messages of the jobs, to be sent after this returns.
    references
        Folder of the reference files; without it nobody sees that one changed.
    bulk_above
        Beyond so many datasets to fetch, they are bulk work.
    sources
        URLs of all sources that are scanned: what came from one of them and is still there is left
        to it.

    Raises
    ------
    TransientError
        If the source cannot be listed at all, or a folder of references does not answer.
    """
    started = datetime.now(UTC)
    listed = await compare(database, source)
    changed = await read_headers(database, source, listed.unreadable)
    folders = reference_folders(references, source.url) if references else ()
    regrouping = Regrouping(database, source, folders, outbox, bulk_above, sources)
    await regrouping.run()
    return await _finish(database, source, started, listed, changed, regrouping)


async def scan_archives(
    database: Database,
    archives: RemoteArchives,
    outbox: Outbox,
    references: Path | RemoteFolder | None = None,
    bulk_above: int = ArchiveSettings().bulk_above,
    sources: Collection[str] = (),
    *,
    is_news: bool = True,
    is_whole: bool = True,
) -> ScanResult:
    """Do with the wanted files of remote archives what `scan` does with those of a source.

    Parameters
    ----------
    database
        Database, which has what the archives list.
    archives
        The archives, from which association tables are read.
    outbox, references, bulk_above, sources
        As for `scan`.
    is_news
        Whether what the archives list, or what is wanted of it, may have changed.
    is_whole
        Whether reference files and headers that could not be read before are looked at, and not
        only what is known to have changed.

    Raises
    ------
    TransientError
        If a folder of references does not answer.
    """
    started, listed, changed = datetime.now(UTC), Listed(), 0
    folders = (references,) if references else ()
    async with archives.opened() as source:
        if is_news:
            await compare_catalogued(database)
        if (is_news or is_whole) and source.may_be_asked:
            changed = await read_headers(database, source, listed.unreadable)
        regrouping = Regrouping(database, source, folders, outbox, bulk_above, sources)
        await regrouping.run(compare_references=is_whole)
    return await _finish(database, source, started, listed, changed, regrouping, is_whole)


async def _finish(
    database: Database,
    source: FileSource,
    started: datetime,
    listed: Listed,
    changed: int,
    regrouping: Regrouping,
    is_whole: bool = True,
) -> ScanResult:
    """Return what a scan saw; of a whole one, write that there was one."""
    left_aside = listed.left_aside
    left_aside.add(UNHANDLED, regrouping.failed)
    mine = SourceVisit.source == source.url
    async with database.transaction() as session:
        totals = select(func.sum(SourceVisit.files), func.sum(SourceVisit.datasets)).where(mine)
        files, datasets = (await session.execute(totals)).one()
        query = select(SourceVisit.left_aside).where(mine, SourceVisit.left_aside != {})
        for summary in (await session.execute(query.order_by(SourceVisit.visit))).scalars():
            left_aside.merge(summary)
        counts = {"files": files or 0, "changed": changed, "datasets": datasets or 0}
        if is_whole:
            session.add(
                Scan(source=source.url, started_at=started, left_aside=left_aside.summary, **counts)
            )
    return ScanResult(
        **counts,
        unreadable=listed.unreadable | regrouping.unreadable,
        left_aside=left_aside.summary,
        failed=regrouping.failed,
    )
