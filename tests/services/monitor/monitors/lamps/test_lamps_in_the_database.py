"""Monitor of lamps on rows of a real exposure, its header and its schedule report."""

from pathlib import Path

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.monitoring import Alert, MonitorFigure, MonitorValue
from shared.database.models.operations import File
from shared.database.models.science import ExposureQuality
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.flashes import keep_flashes, keep_report

pytestmark = pytest.mark.integration


async def test_rates_and_hours(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    """Two flashes of 11.8 and 12 s by the header of ld1ce4dkq.

    A plan of longer ones was replaced, so that nobody is alarmed.
    """
    path = sample(data_dir, "ld1ce4dkq_lampflash")
    rows = rows_of(extract_file(path, data_dir / "references"), "lampflash")
    await keep_flashes(database, "ld1ce4dkq", rows, "u1t1616ql_wcp.fits", "FUV")
    async with database.transaction() as session:
        file = (await session.execute(select(File.id))).scalar_one()
        session.add(
            ExposureQuality(
                file_id=file,
                rootname="ld1ce4dkq",
                preferred=True,
                expstart=57643.3942105,
                exptype="EXTERNAL/SCI",
                exptime=2900.16,
                lamp_seconds=23.8,
                numflash=2,
                lampused="P1",
                lampset="Medium",
            )
        )
    plan = {"rootname": "ld1ce4dkq", "exposure": "D1CE401", "expstart": 57643.3942105}
    for report, seconds, preferred in (("162567b1", 30.0, False), ("162567b2", 12.0, True)):
        row = plan | {"report": report, "flash_duration": seconds}
        await keep_report(database, row, preferred=preferred)
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "lamps")
    async with database.session() as session:
        values = (await session.execute(select(MonitorValue))).scalars().all()
        alerts = (await session.execute(select(Alert))).scalars().all()
        figures = set((await session.execute(select(MonitorFigure.name))).scalars())
    found = {(row.quantity, row.segment, row.region): row.value for row in values}
    assert found["rate", "FUVB", "flash 2"] == pytest.approx(54.6213, abs=1e-4)
    assert found["hours", None, "P1 Medium"] == pytest.approx(23.8 / 3600.0)
    assert found["warm_up", "FUVA", None] == pytest.approx(113.44545 / 111.403656, rel=1e-6)
    assert alerts == []
    assert figures == {"rate", "rate-hours", "hours", "template"}
