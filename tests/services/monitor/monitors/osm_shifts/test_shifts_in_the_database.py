"""Monitors of shifts on rows of real exposures, through the database."""

from pathlib import Path

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.monitoring import Alert, Artifact, MonitorFigure, MonitorValue
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.flashes import keep_flashes

pytestmark = pytest.mark.integration


async def test_shifts_boxes_and_empty_tables(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    """A second exposure lies 0.9 pix from the side of the box, -100, which the WCPTAB of the run
    says; a third one has an empty table.
    """
    references = data_dir / "references"
    path = sample(data_dir, "lcwj02qvq_lampflash")
    rows = rows_of(extract_file(path, references), "lampflash")
    await keep_flashes(database, "lcwj02qvq", rows, "03p1706jl_wcp.fits")
    moved = [
        {**row, "rootname": "lcwj02qwq", "x_shift": -99.1, "date": row["date"] + 1.0}
        for row in rows[:1]
    ]
    await keep_flashes(database, "lcwj02qwq", moved, "03p1706jl_wcp.fits")
    await keep_flashes(database, "lcwj02qxq", [], "03p1706jl_wcp.fits")
    store = Store(f"file://{tmp_path}/store")
    await run_monitor(database, messenger, store, "nuv-osm-shift", references=references)
    async with database.session() as session:
        values = (await session.execute(select(MonitorValue))).scalars().all()
        alerts = (await session.execute(select(Alert))).scalars().all()
        figures = set((await session.execute(select(MonitorFigure.name))).scalars())
        artifacts = (await session.execute(select(Artifact))).scalars().all()
    found = {
        (row.rootname, row.quantity, row.segment, row.region): (row.value, row.outlier)
        for row in values
    }
    # 17.088602 - 50.65564, and 17.088602 - 16.31519 - (50.65564 - 51.89941).
    shift, outlier = found["lcwj02qvq", "shift", "NUVB", "flash 1"]
    assert shift == pytest.approx(-33.567038, abs=1e-5)
    assert not outlier
    assert found["lcwj02qvq", "difference_corrected", "B-C", "flash 1"][0] == pytest.approx(
        2.017182, abs=1e-5
    )
    assert found["lcwj02qwq", "shift", "NUVA", "flash 1"] == (-99.1, True)
    assert found["lcwj02qxq", "flashes", None, None] == (0.0, False)
    assert all(row.error for row in values if row.quantity != "flashes")
    assert [(row.rootname, row.severity) for row in alerts] == [("lcwj02qwq", "alert")]
    assert alerts[0].value == pytest.approx(0.9)
    assert figures == {"shift", "settings", "fp-pos", "difference", "across", "both"}
    assert [(row.name, row.detail) for row in artifacts] == [
        ("nuv-osm-shift-outliers.csv", {"outliers": 1})
    ]
    await run_monitor(database, messenger, store, "fuv-osm-shift", references=references)
    async with database.session() as session:
        of_fuv = select(MonitorValue.value).where(MonitorValue.monitor == "fuv-osm-shift")
        assert (await session.execute(of_fuv)).scalars().all() == []
