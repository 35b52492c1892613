"""Datasets in a real store and a real database."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, text

from services.ingestor.datasets import DatasetFile, DatasetReader
from services.ingestor.extractors import References
from services.ingestor.visibility import show_newest
from services.ingestor.writing import FileRows, write_rows
from shared.cos.names import parse_name
from shared.database.engine import Database
from shared.database.models.operations import Dataset, DatasetState, File
from shared.database.models.science import SCIENCE_TABLES
from shared.store import Store


@dataclass(frozen=True)
class Archive:
    """A store and what the database knows of it."""

    database: Database
    store: Store
    references: Path

    async def add(self, rootname: str, paths: Sequence[Path]) -> int:
        """Ingest files as one dataset, as the ingest jobs do; its key."""
        stored = [self.store.publish(path, f"raw/{rootname}") for path in paths]
        async with self.database.transaction() as session:
            dataset = Dataset(rootname=rootname, kind="exposure", state=DatasetState.INGESTED)
            session.add(dataset)
            await session.flush()
            files = []
            for one in stored:
                name = parse_name(one.name)
                file = File(
                    dataset_id=dataset.id,
                    origin="raw",
                    path=one.path,
                    name=one.name,
                    rootname=name.rootname,
                    suffix=name.suffix,
                    size=one.size,
                    sha256=one.sha256,
                    ingested_at=func.now(),
                )
                session.add(file)
                await session.flush()
                files.append(DatasetFile(file.id, one.path, one.name, name.rootname, name.suffix))
            files.sort(key=lambda file: file.name)
            reader = DatasetReader(self.store, files, References(self.references))
            await write_rows(
                await session.connection(),
                [FileRows(file.id, reader.read(file).rows) for file in files],
            )
            await show_newest(
                session, {file.rootname for file in files if file.rootname is not None}
            )
            return dataset.id

    async def checksums(self) -> dict[str, tuple[int, str]]:
        """Count the rows and sum them up in their order, by table."""
        found = {}
        async with self.database.session() as session:
            for table in SCIENCE_TABLES:
                query = (
                    "SELECT count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY id), "
                    f"'')) FROM {table} AS t"
                )
                count, digest = (await session.execute(text(query))).one()
                found[table] = (count, digest)
        return found


@pytest.fixture
def archive(database: Database, tmp_path: Path, data_dir: Path) -> Archive:
    return Archive(database, Store(f"file://{tmp_path / 'store'}"), data_dir / "references")
