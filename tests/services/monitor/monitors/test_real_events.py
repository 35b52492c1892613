"""Monitors of FUV events and headers on the rows of real exposures, through the database."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from shared.broker import Messenger
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, MonitorValue
from shared.database.models.operations import Dataset, File
from shared.database.models.science import SCIENCE_TABLES
from shared.store import Store
from tests.services.ingestor.reading import extract_file, rows_of, sample
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_TABLES = ("headers", "quality", "stims", "phd")


async def _keep(database: Database, path: Path) -> None:
    """Rows of a corrtag file, as readers see them."""
    extraction = extract_file(path)
    async with database.transaction() as session:
        dataset = Dataset(rootname=path.name[:9], kind="exposure")
        session.add(dataset)
        await session.flush()
        file = File(
            dataset_id=dataset.id, origin="product", path=f"products/{path.name}", name=path.name,
            rootname=path.name[:9], suffix="corrtag_a", size=1, sha256="2" * 64, current=True, shown=True,
        )  # fmt: skip
        session.add(file)
        await session.flush()
        for table in _TABLES:
            model = SCIENCE_TABLES[table]
            extra = {"preferred": True} if "preferred" in model.__table__.columns else {}
            session.add_all(model(file_id=file.id, **extra, **row) for row in rows_of(extraction, table))


async def _values(database: Database, monitor: str) -> dict[tuple[str, str | None], float]:
    async with database.session() as session:
        found = (await session.execute(select(MonitorValue).where(MonitorValue.monitor == monitor))).scalars().all()
    return {(row.quantity, row.region): row.value for row in found}


async def _rules(database: Database, monitor: str) -> list[str]:
    async with database.session() as session:
        return list((await session.execute(select(Alert.rule).where(Alert.monitor == monitor))).scalars())


async def test_stims(database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path) -> None:
    await _keep(database, sample(data_dir, "ld9m10ujq_corrtag_a"))
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "stims")
    values = await _values(database, "stims")
    assert values["stretch", "x"] == pytest.approx(15631, abs=10)  # of real headers: 15623 to 15639
    assert values["position", "stim1_x"] == pytest.approx(408.713, abs=0.1)  # STIMA_LX of its header
    assert values["scatter", "stim1_x"] < 2.0
    assert values["missing", "stim1"] == values["missing", "stim2"] == 0.0
    assert values["live_time", None] == pytest.approx(1.0, abs=0.1)  # as near as CalCOS asks for
    assert np.isfinite(list(values.values())).all()
    assert await _rules(database, "stims") == []


async def test_pulse_heights(database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path) -> None:
    await _keep(database, sample(data_dir, "ld9m10ujq_corrtag_a"))
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "phd")
    values = await _values(database, "phd")
    assert 5.0 < values["peak", None] < 20.0
    assert values["mean", None] == pytest.approx(values["peak", None], abs=values["width", None])
    screened = values["lost_low", None] + values["lost_high", None]
    assert values["rejected", None] == pytest.approx(
        screened, abs=0.05
    )  # of all events, not of those in the active area
    assert await _rules(database, "phd") == []


async def test_quality(database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path) -> None:
    await _keep(database, sample(data_dir, "ld9m10ujq_corrtag_a"))
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "exposure-quality")
    values = await _values(database, "exposure-quality")
    assert values["time_difference", None] == pytest.approx(0.152, abs=0.01)  # 1881.152 s for 1881 s
    assert values["live_time", None] == pytest.approx(0.996775, abs=1e-5)  # LIVETM_B
    assert await _rules(database, "exposure-quality") == []
