"""Monitors that keep parts of their inputs.

Step by step gives what all at once gives, whatever becomes of the files.
"""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import delete, func, insert, select, update

from shared.database.engine import Database
from shared.database.models.monitoring import (
    Alert,
    Artifact,
    MonitorFigure,
    MonitorPart,
    MonitorRun,
    MonitorValue,
)
from shared.database.models.operations import Dataset, File
from shared.database.models.repopulation import Repopulation
from shared.database.models.science import Dark, FlaggedPixel, Gain, GainTrend, row_key
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_STEP = 128
"""Step of the keys of files: four files are in a part."""

_SEGMENTS, _LEVELS = ("FUVA", "FUVB"), (163, 167)
_WIDTH, _HEIGHT = 12, 4


class _Observatory:
    """Exposures with gains and darks, whose files come and go."""

    def __init__(self, database: Database, messenger: Messenger, folder: Path) -> None:
        self._database, self._messenger, self._store = (
            database,
            messenger,
            Store(f"file://{folder}/store"),
        )
        self._folder = folder / "store"
        self._generator = np.random.default_rng(3)
        self._occasion = self._last_file = 0

    async def add(self, numbers: Sequence[int], *, again: bool = False) -> None:
        """Ingest exposures by their numbers, which are in the order of time.

        Again: a new generation of them.
        """
        async with self._database.transaction() as session:
            for number in numbers:
                name = f"lp{number:06d}q"
                query = select(Dataset.id).where(Dataset.rootname == name)
                dataset_id = (await session.execute(query)).scalar_one_or_none()
                if dataset_id is None:
                    dataset = Dataset(rootname=name, kind="exposure")
                    session.add(dataset)
                    await session.flush()
                    dataset_id = dataset.id
                gone = {"current": False, "shown": False}
                await session.execute(
                    update(File).where(File.dataset_id == dataset_id).values(gone)
                )
                self._last_file += _STEP
                file = File(
                    id=self._last_file,
                    dataset_id=dataset_id,
                    origin="product",
                    path=f"{name}-{again}",
                    name=f"{name}_corrtag.fits",
                    rootname=name,
                    suffix="corrtag",
                    size=1,
                    sha256="0" * 64,
                    shown=True,
                    ingested_at=datetime.now(UTC),
                )
                session.add(file)
                await session.flush()
                await session.execute(insert(Gain), self._gains(file.id, name, number))
                await session.execute(insert(Dark), self._darks(file.id, name, number))

    def _gains(self, file_id: int, name: str, number: int) -> list[dict[str, Any]]:
        y, x = (index.ravel() for index in np.indices((_HEIGHT, _WIDTH)))
        gains = self._generator.normal(9.0 - 0.06 * number, 0.2, x.size)
        gains[0] -= 5.0 * (number % 7 == 0)
        level = _LEVELS[number // 20]
        return [
            {
                "id": row_key(file_id, place),
                "file_id": file_id,
                "rootname": name,
                "segment": "FUVA",
                "dethv": level,
                "expstart": 58100.0 + 8.0 * number,
                "x": 300 + int(x[place]),
                "y": 236 + int(y[place]),
                "gain": float(gains[place]),
                "counts": 100,
                "std": 1.05,
            }
            for place in range(x.size)
        ]

    def _darks(self, file_id: int, name: str, number: int) -> list[dict[str, Any]]:
        counts = self._generator.poisson(180 * (3 if number % 11 == 0 else 1), 6)
        mjd = 58100.0 + 8.0 * number
        return [
            {
                "id": row_key(file_id, place),
                "file_id": file_id,
                "rootname": name,
                "detector": _SEGMENTS[number % 2],
                "region": ("inner", "top")[place % 2],
                "bin": place // 2,
                "mjd": mjd + place // 2 * 25 / 86400.0,
                "date": 2000 + (mjd - 51544.5) / 365.25,
                "exposure": 25.0,
                "npix": 3949815,
                "counts": int(counts[place]),
                "all_counts": int(counts[place]),
                "dark": counts[place] / 9.9e7,
                "latitude": 20.0,
                "longitude": 10.0,
                "saa_distance": 100.0 if place < 2 else 3000.0,
                "temp": 20.0,
                "hvlevel": 163,
            }
            for place in range(6)
        ]

    async def run(self, monitor: str) -> int:
        """Run a monitor; return how many of its parts it computed."""
        before = await self._parts(monitor)
        self._occasion += 1
        await run_monitor(
            self._database, self._messenger, self._store, monitor, occasion=self._occasion
        )
        after = await self._parts(monitor)
        return sum(before.get(key) != inputs for key, inputs in after.items())

    async def _parts(self, monitor: str) -> dict[str, str]:
        async with self._database.session() as session:
            query = select(MonitorPart.key, MonitorPart.inputs).where(
                MonitorPart.monitor == monitor
            )
            return {key: inputs for key, inputs in await session.execute(query)}  # noqa: C416 - rows, not pairs

    async def forget_parts(self) -> None:
        """Have all found again."""
        async with self._database.transaction() as session:
            await session.execute(delete(MonitorPart))

    async def found(self, monitor: str) -> dict[str, Any]:
        """Return everything that a monitor's runs left, but by which of them."""
        values = [
            MonitorValue.quantity,
            MonitorValue.key,
            MonitorValue.mjd,
            MonitorValue.value,
            MonitorValue.error,
            MonitorValue.outlier,
            MonitorValue.file_id,
            MonitorValue.hvlevel,
        ]
        queries = {
            "values": select(*values).where(MonitorValue.monitor == monitor),
            "figures": select(MonitorFigure.position, MonitorFigure.content).where(
                MonitorFigure.monitor == monitor
            ),
            "alerts": select(Alert.key, Alert.value).where(
                Alert.monitor == monitor, Alert.resolved_at.is_(None)
            ),
        }
        if monitor == "gain":
            queries |= {
                model.__tablename__: select(*model.__table__.columns)
                for model in (FlaggedPixel, GainTrend)
            }
        async with self._database.session() as session:
            found = {
                name: sorted(map(_text, await session.execute(query)))
                for name, query in queries.items()
            }
            artifacts = await session.execute(
                select(Artifact).where(Artifact.monitor == monitor, Artifact.current)
            )
            found["files"] = sorted(
                f"{one.name} {_content(self._folder / one.path / one.name)} {one.detail}"
                for one in artifacts.scalars()
            )
            last = (
                select(MonitorRun.statistics)
                .where(MonitorRun.monitor == monitor)
                .order_by(MonitorRun.id.desc())
            )
            found["statistics"] = [
                json.dumps((await session.execute(last.limit(1))).scalar_one(), sort_keys=True)
            ]
        return found

    async def hide(self, name: str) -> None:
        """Show the files of a dataset no more."""
        async with self._database.transaction() as session:
            await session.execute(update(File).where(File.rootname == name).values(shown=False))

    async def forget(self, name: str) -> None:
        """Delete a dataset, with its files and their rows."""
        async with self._database.transaction() as session:
            await session.execute(delete(Dataset).where(Dataset.rootname == name))

    async def repopulate(self) -> None:
        """Rewrite all rows, a bit different, as a repopulation does: no file changes."""
        async with self._database.transaction() as session:
            await session.execute(update(Gain).values(gain=Gain.gain - 0.25))
            await session.execute(
                update(Dark).values(counts=Dark.counts + 7, dark=Dark.dark + 7e-8)
            )
            tables = ["darks", "gain"]
            session.add(
                Repopulation(tables=tables, revision="", datasets=1, finished_at=func.now())
            )


def _text(row: Any) -> str:
    return json.dumps(list(row), sort_keys=True, default=repr)


def _content(path: Path) -> str:
    """Return the digest of the images of a FITS file, whose checksums tell when they were made."""
    digest = sha256()
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)  # once, not for each of its images
    with fits.open(BytesIO(content)) as hdus:
        for hdu in hdus[1:]:
            digest.update(np.ascontiguousarray(hdu.data).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("monitor", "ranges", "others"), [("gain", 10, 2), ("fuv-dark", 10, 0), ("dark-orbit", 10, 0)]
)
async def test_step_by_step_is_as_all_at_once(
    database: Database, messenger: Messenger, tmp_path: Path, monitor: str, ranges: int, others: int
) -> None:
    observatory = _Observatory(database, messenger, tmp_path)

    async def check() -> None:
        """Check that computing all again changes nothing."""
        found = await observatory.found(monitor)
        await observatory.forget_parts()
        assert await observatory.run(monitor) >= ranges - 1 + others
        assert await observatory.found(monitor) == found

    late = (5, 12)
    await observatory.add([number for number in range(38) if number not in late])
    assert ranges - 1 + others <= await observatory.run(monitor) <= ranges + others
    first = await observatory.found(monitor)
    await observatory.add([38])
    assert await observatory.run(monitor) == 1 + (others > 0)
    await observatory.add(late)  # old exposures that come late
    await observatory.add([20], again=True)  # a new generation takes the place of the old
    assert 2 <= await observatory.run(monitor) <= 3 + others
    second = await observatory.found(monitor)
    assert second["values"] != first["values"]
    await check()
    await observatory.forget("lp000031q")
    await observatory.hide("lp000038q")  # the newest
    assert 2 <= await observatory.run(monitor) <= 2 + others
    third = await observatory.found(monitor)
    assert third["values"] != second["values"]
    await check()
    await observatory.repopulate()
    assert await observatory.run(monitor) >= ranges - 1 + others
    assert (await observatory.found(monitor))["values"] != third["values"]
