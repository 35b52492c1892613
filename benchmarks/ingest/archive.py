"""An archive of many datasets from a few real files.

A dataset is a link to the folder of one of them.
"""

import gzip
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
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
        numbers = range(1, datasets + 1)
        async with database.transaction() as session:
            tables = ", ".join(("datasets", *SCIENCE_TABLES))
            await session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            await session.execute(
                insert(Dataset),
                [
                    {"id": number, "rootname": f"l{number:08d}", "kind": "exposure"}
                    for number in numbers
                ],
            )
            for name in self.names:
                await session.execute(insert(File), [_file(name, number) for number in numbers])
        async with database.engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM ANALYZE files"))


def _file(name: str, dataset: int) -> dict[str, Any]:
    """Return the row of a file; those of the first dataset are shown."""
    root, _, suffix = name.partition(".")[0].partition("_")
    return {
        "dataset_id": dataset,
        "origin": "raw",
        "path": f"d{dataset}",
        "name": name,
        "rootname": root,
        "suffix": suffix,
        "size": 1,
        "sha256": "",
        "shown": dataset == 1,
        "ingested_at": datetime.now(UTC),
    }
