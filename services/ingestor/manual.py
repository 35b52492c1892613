"""Files added by an operator: reports, images, external measurements, archived products."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingestor.archived import add_archived, is_archived
from services.ingestor.datasets import DatasetFile, DatasetReader, FileContent, check_readable
from services.ingestor.extractors import References
from services.ingestor.schedule_versions import lock_schedules, prefer_newest_schedules
from services.ingestor.writing import FileRows, write_rows
from shared.cos.instrument import check_instrument
from shared.cos.names import STANDALONE, FileName, parse_name
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, File
from shared.errors import PermanentError
from shared.events import EventName
from shared.files import find_or_add_file
from shared.fits import read_header
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.store import Store, StoredFile, sha256_of

__all__ = ["Added", "add_file"]


@dataclass(frozen=True)
class Added:
    """What was taken in of a file: number of rows by table, and what could not be read of it."""

    rows: dict[str, int]
    problems: list[str]


async def add_file(database: Database, store: Store, path: Path) -> Added:
    """Take a file into the store and its rows into the tables; the same file again changes nothing.

    Parameters
    ----------
    database
        Database.
    store
        Where the file goes.
    path
        Local file: an SMS report, a cumulative image, dark rates or telemetry; a product as the
        archive hands it out, or a support file.

    Raises
    ------
    PermanentError
        If it is none of them, or nothing of it can be read; then nothing of it is kept.
    """
    name = _name(path)
    if is_archived(name):
        content = await add_archived(database, store, path, name)
        return Added({one.model.__tablename__: len(one) for one in content.rows}, content.problems)
    content, stored = await asyncio.to_thread(_take, store, path, name)
    async with database.transaction() as session:
        connection = await session.connection()
        await lock_schedules(connection)
        file_id = await _record(session, stored, name, content.problems)
        await write_rows(connection, [FileRows(file_id, content.rows)])
        await prefer_newest_schedules(connection)
        counts = {one.model.__tablename__: len(one) for one in content.rows}
        changed = NewEvent(
            EventName.TABLES_CHANGED,
            {"added": stored.name, "rows": counts, "problems": content.problems},
        )
        await record_event(session, None, changed, Outbox())
    return Added(counts, content.problems)


def _name(path: Path) -> FileName:
    try:
        name = parse_name(path.name)
    except PermanentError:
        name = None
    if not path.is_file():
        raise PermanentError(f"{path}: there is no such file")
    if name is None or not (name.suffix in STANDALONE or is_archived(name)):
        raise PermanentError(
            f"{path.name} is named as none of these: an SMS report (181137b4.txt), a cumulative "
            "image "
            "(l_2017181000000_00_163_cci.fits), dark rates (orbital_info.json), telemetry "
            "(LDCAMPAT.txt), a product of "
            "the archive (ldfd01vnq_x1d.fits), a support file (_spt, _jit, _jif); raw data and "
            "association tables are "
            "taken from a source"
        )
    return name


def _take(store: Store, path: Path, name: FileName) -> tuple[FileContent, StoredFile]:
    if name.suffix == "cci":
        with path.open("rb") as stream:
            check_instrument(read_header(stream, path.name), path.name)
    found = DatasetFile(0, str(path.absolute().parent), path.name, name.rootname, name.suffix)
    content = DatasetReader(Store("/"), [found], References(None)).read(found)
    check_readable([content])
    digest = sha256_of(path)
    return content, store.publish(path, f"added/{digest[:16]}", digest)


async def _record(
    session: AsyncSession, stored: StoredFile, name: FileName, problems: list[str]
) -> int:
    """Return the key of the file, which becomes the current one of its name."""
    dataset = (
        await session.execute(select(Dataset).where(Dataset.rootname == name.rootname))
    ).scalar_one_or_none()
    if dataset is None:
        dataset = Dataset(
            rootname=name.rootname, kind=STANDALONE[name.suffix], state=DatasetState.INGESTED
        )
        session.add(dataset)
        await session.flush()
    await session.execute(
        update(File).where(File.dataset_id == dataset.id).values(current=False, shown=False)
    )
    file = await find_or_add_file(session, stored, dataset.id, "raw")
    file.current = file.shown = True
    file.problems = problems
    file.ingested_at = func.now()
    await session.flush()
    return file.id
