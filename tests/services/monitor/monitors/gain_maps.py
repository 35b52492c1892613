"""Gain maps for tests of the monitors that read them from the database."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import insert

from shared.database.engine import Database
from shared.database.models.operations import Dataset, File
from shared.database.models.science import Gain

__all__ = ["add_maps"]

_FIRST_X, _FIRST_Y = 300, 210


async def add_maps(
    database: Database, maps: Sequence[np.ndarray], *, start: float = 58100.0, days: float = 10.0
) -> None:
    """Add maps of FUVA at level 163, one every ten days: gains by row and column, from superpixel (300, 210) on."""
    async with database.transaction() as session:
        dataset = Dataset(rootname="le0000000", kind="exposure")
        session.add(dataset)
        await session.flush()
        for number, gains in enumerate(maps):
            name = f"le{number:06d}q"
            file = File(
                dataset_id=dataset.id, origin="product", path=f"folder{number}", name=f"{name}_corrtag_a.fits",
                rootname=name, suffix="corrtag_a", size=1, sha256="0" * 64, shown=True,
            )  # fmt: skip
            session.add(file)
            await session.flush()
            rows = [
                {
                    "id": number * 1_000_000 + place, "rootname": name, "file_id": file.id, "segment": "FUVA",
                    "dethv": 163, "expstart": 58100.0 + 10.0 * number, "x": _FIRST_X + column, "y": _FIRST_Y + row,
                    "gain": float(gain), "counts": 100, "std": 1.05,
                }
                for place, ((row, column), gain) in enumerate(np.ndenumerate(gains))
            ]  # fmt: skip
            await session.execute(insert(Gain), rows)
