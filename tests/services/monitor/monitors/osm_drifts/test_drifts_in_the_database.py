"""Monitor of FUV drifts on rows of a real exposure whose schedule report comes later."""

from pathlib import Path

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.monitoring import Alert, MonitorFigure, MonitorValue
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.flashes import keep_flashes, keep_report

pytestmark = pytest.mark.integration

_ROOT = "ld1ce1rcq"


async def _values(database: Database) -> dict[tuple[str, str | None, str | None], float]:
    async with database.session() as session:
        rows = (await session.execute(select(MonitorValue))).scalars().all()
    return {(row.quantity, row.segment, row.region): row.value for row in rows}


async def test_pending_until_the_report_comes(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    """186400 s from the move to the start, and 2406.528 s from there to the second flash; a report
    that a newer one replaced says nothing, and nobody is alarmed.
    """
    path = sample(data_dir, f"{_ROOT}_lampflash")
    rows = rows_of(extract_file(path, data_dir / "references"), "lampflash")
    await keep_flashes(database, _ROOT, rows, "u1t1616ql_wcp.fits", "FUV")
    scheduled = rows_of(extract_file(data_dir / "sms" / "153067a8.txt"), "sms")
    (row,) = [one for one in scheduled if one["rootname"] == _ROOT]
    store = Store(f"file://{tmp_path}/store")
    await keep_report(database, row | {"report": "153067a7", "tsinceosm1": 5.0}, preferred=False)
    await run_monitor(database, messenger, store, "fuv-osm-drift")
    values = await _values(database)
    drift = values["drift", "FUVA", "flash 2, pending"]
    assert drift == pytest.approx(-1.324367e-3, rel=1e-6)
    assert not any(quantity.startswith("since") for quantity, *_ in values)
    await keep_report(database, row, preferred=True)
    await run_monitor(database, messenger, store, "fuv-osm-drift", occasion=1)
    values = await _values(database)
    assert values["drift", "FUVA", "flash 2"] == drift
    assert values["since_osm1", "FUVA", "flash 2"] == pytest.approx(188806.528, abs=1e-3)
    assert values["since_osm1", "FUVB", "flash 2"] == pytest.approx(188806.816, abs=1e-3)
    assert not any("pending" in str(region) for *_, region in values)
    async with database.session() as session:
        names = set((await session.execute(select(MonitorFigure.name))).scalars())
        assert (await session.execute(select(Alert))).scalars().all() == []
    assert names == {"drift", "groups", "date"}
