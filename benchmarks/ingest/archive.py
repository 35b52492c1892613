"""An archive of many datasets from a few real files.

A dataset is a link to the folder of one of them.
"""

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from shared.database.engine import Database
from shared.database.models.science import SCIENCE_TABLES

__all__ = ["SAMPLES", "Archive"]

SAMPLES = (
    "ldfd01010/raw/ldfd01vnq_rawtag_a",
    "ldfd01010/raw/ldfd01vpq_rawtag_a",
    "ldfd01010/raw/ldfd01vnq_spt",
    "ldfd01010/archive/ldfd01vnq_lampflash",
    "ldfd01010/archive/ldfd01vnq_x1d",
    "corrtag/ld9m10ujq_corrtag_a",
)
"""Files of a dataset, of which every one has the headers that it has in reality (400 to 1,300
cards).
"""

_DATASETS = """
    INSERT INTO datasets (id, rootname, kind, state, members, companions, missing, forced)
    SELECT n, 'l' || lpad(n::text, 8, '0'), 'exposure', 'ingested', '[]', '[]', '[]', false
    FROM generate_series(1, :count) AS n
"""
_FILES = """
    INSERT INTO files (dataset_id, origin, path, name, rootname, suffix, size, sha256, current,
      shown, ingested_at)
    SELECT n, 'raw', 'd' || n, :name, :root, :suffix, 1, '', true, n = 1, now() FROM
      generate_series(1, :count) AS n
"""


@dataclass(frozen=True)
class Archive:
    """A store, and how its files are kept.

    Attributes
    ----------
    folder
        Store.
    zipped
        Whether its files are gzipped.
    """

    folder: Path
    zipped: bool

    @property
    def url(self) -> str:
        """URL of the store."""
        return f"file://{self.folder}"

    @property
    def names(self) -> list[str]:
        """Names of the files of every dataset."""
        return [Path(sample).name + (".fits.gz" if self.zipped else ".fits") for sample in SAMPLES]

    def make(self, data: Path, datasets: int) -> None:
        """Fill the store."""
        real = self.folder / "real"
        real.mkdir(parents=True)
        for sample, name in zip(SAMPLES, self.names, strict=True):
            packed = data / f"{sample}.fits.gz"
            if self.zipped:
                shutil.copyfile(packed, real / name)
            else:
                (real / name).write_bytes(gzip.decompress(packed.read_bytes()))
        for number in range(1, datasets + 1):
            (self.folder / f"d{number}").symlink_to("real")

    async def register(self, database: Database, datasets: int) -> None:
        """Tell an empty database of it."""
        async with database.transaction() as session:
            tables = ", ".join(("datasets", *SCIENCE_TABLES))
            await session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            await session.execute(text(_DATASETS), {"count": datasets})
            for name in self.names:
                root, _, suffix = name.partition(".")[0].partition("_")
                values = {"count": datasets, "name": name, "root": root, "suffix": suffix}
                await session.execute(text(_FILES), values)
        async with database.engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM ANALYZE files"))
