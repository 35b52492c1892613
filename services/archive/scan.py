"""Scans: what a source holds, what is new or changed, which datasets are complete."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from services.archive.aside import UNHANDLED, Summary
from services.archive.headers import read_headers
from services.archive.listing import compare
from services.archive.regrouping import Regrouping
from services.archive.sources import Source
from shared.cos.reference_names import RemoteFolder, reference_folders
from shared.database.engine import Database
from shared.database.models.operations import Scan, SourceVisit
from shared.jobs.events import Outbox
from shared.settings import ArchiveSettings

__all__ = ["ScanResult", "scan"]


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

    Raises
    ------
    TransientError
        If the source cannot be listed at all, or a folder of references does not answer.
    """
    started = datetime.now(UTC)
    listed = await compare(database, source)
    changed = await read_headers(database, source, listed.unreadable)
    folders = reference_folders(references, source.url) if references else ()
    regrouping = Regrouping(database, source, folders, outbox, bulk_above)
    await regrouping.run()
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
        session.add(
            Scan(source=source.url, started_at=started, left_aside=left_aside.summary, **counts)
        )
    return ScanResult(
        **counts,
        unreadable=listed.unreadable | regrouping.unreadable,
        left_aside=left_aside.summary,
        failed=regrouping.failed,
    )
