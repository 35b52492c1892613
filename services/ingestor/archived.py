"""Products of the archive and support files without raw data, added by an operator."""

import asyncio
import tempfile
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.ingestor.datasets import DatasetFile, DatasetReader, FileContent, check_readable
from services.ingestor.extractors import References
from services.ingestor.visibility import lock_rootnames, show_newest
from services.ingestor.writing import FileRows, write_rows
from shared.archived import ArchivedProduct, association_of, keep_products, read_product
from shared.cos.instrument import check_instrument
from shared.cos.names import JITTER, FileName, is_product
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, File
from shared.events import EventName
from shared.files import find_or_add_file
from shared.fits import check_fits, read_header
from shared.jobs.events import NewEvent, Outbox, record_event
from shared.jobs.routing import PRODUCTS
from shared.store import Store, sha256_of

__all__ = ["add_archived", "is_archived"]

_SUPPORT = ("spt", *JITTER)


def is_archived(name: FileName) -> bool:
    """Return whether a file is one that `add_archived` takes."""
    return is_product(name) or name.suffix in _SUPPORT


async def add_archived(database: Database, store: Store, path: Path, name: FileName) -> FileContent:
    """Take a product of the archive, or a support file, into the store and its rows into the
    tables.

    A product joins the archive's generation of its dataset: that of the association that its header
    names, else that which has its exposure, else one of its own. Where CalCOS has run here, readers
    go on to see what that made.

    Parameters
    ----------
    database
        Database.
    store
        Where the file goes.
    path
        Local file.
    name
        What its name says.

    Raises
    ------
    PermanentError
        If it is damaged, or of another instrument; then nothing of it is kept.
    """
    content, product, association = await asyncio.to_thread(_take, store, path, name)
    async with database.transaction() as session:
        await lock_rootnames(session, [name.rootname])
        dataset = await _dataset(session, name, association)
        if is_product(name):
            await keep_products(session, dataset.id, [product])
        else:
            await _keep_support(session, dataset.id, name, product)
        stored = product.stored
        query = select(File).where(File.path == stored.path, File.name == stored.name)
        file = (await session.execute(query.execution_options(populate_existing=True))).scalar_one()
        file.ingested_at, file.problems = func.now(), content.problems
        await write_rows(await session.connection(), [FileRows(file.id, content.rows)])
        await session.flush()
        await show_newest(session, {name.rootname})
        counts = {one.model.__tablename__: len(one) for one in content.rows}
        changed = NewEvent(
            EventName.TABLES_CHANGED,
            {"added": stored.name, "rows": counts, "problems": content.problems},
        )
        await record_event(session, None, changed, Outbox())
    return content


def _take(store: Store, path: Path, name: FileName) -> tuple[FileContent, ArchivedProduct, str]:
    check_fits(path)
    with path.open("rb") as stream:
        header = read_header(stream, path.name)
    check_instrument(header, path.name)
    with tempfile.TemporaryDirectory(prefix="cosmo-add-") as folder:
        local = Path(folder) / name.name
        local.symlink_to(path.absolute())
        found = DatasetFile(0, folder, name.name, name.rootname, name.suffix)
        content = DatasetReader(Store("/"), [found], References(None)).read(found)
        check_readable([content])
        digest = sha256_of(local)
        stored = store.publish(local, f"archive/{name.rootname}/{digest[:12]}", digest)
        return content, read_product(local, stored), association_of(header)


async def _dataset(session: AsyncSession, name: FileName, association: str) -> Dataset:
    rootname = association or name.rootname
    found = await session.execute(select(Dataset).where(Dataset.rootname == rootname))
    dataset = found.scalar_one_or_none()
    if dataset is None and not association:
        owners = (
            select(Dataset)
            .where(Dataset.members.contains([rootname]))
            .order_by(Dataset.id.desc())
            .limit(1)
        )
        dataset = (await session.execute(owners)).scalar_one_or_none()
    if dataset is None:
        dataset = Dataset(rootname=rootname, kind=PRODUCTS, state=DatasetState.INGESTED, members=[])
        session.add(dataset)
    if dataset.kind == PRODUCTS and name.rootname != dataset.rootname:
        dataset.members = sorted({*dataset.members, name.rootname})
    await session.flush()
    return dataset


async def _keep_support(
    session: AsyncSession, dataset_id: int, name: FileName, product: ArchivedProduct
) -> None:
    """Make a support file the current one of its name."""
    stored = product.stored
    mine = (
        File.dataset_id == dataset_id,
        File.rootname == name.rootname,
        File.suffix == name.suffix,
    )
    await session.execute(update(File).where(*mine, File.current).values(current=False))
    file = await find_or_add_file(session, stored, dataset_id, "raw")
    file.current = True
    await session.flush()
