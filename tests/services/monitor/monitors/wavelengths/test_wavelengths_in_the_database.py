"""The monitor of wavelengths on rows of the database."""

from pathlib import Path

import pytest
from sqlalchemy import select

from shared.database.engine import Database
from shared.database.models.monitoring import Alert, Artifact, MonitorFigure, MonitorValue
from shared.database.models.science import LinePosition
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.monitors.bench import keep_product, run_monitor
from tests.services.monitor.monitors.wavelengths.test_wavelengths import exposure

pytestmark = pytest.mark.integration

_DISPTAB = "xaa18189l_disp.fits"


async def _keep(database: Database, number: int, off: float, *, shown: bool = True) -> None:
    """Store the lines of an exposure that are some pixels off, and the run that made them."""
    rows = exposure(number, off)
    name = rows[0]["rootname"]
    async with database.transaction() as session:
        file = await keep_product(session, f"{name}_x1d", ("DISPTAB", _DISPTAB), shown=shown)
        for place, row in enumerate(rows):
            session.add(LinePosition(**row | {"file_id": file.id, "id": file.id * 100 + place}))


async def test_means_alerts_and_a_table(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    """Five exposures 4 pix off; lines of an earlier generation, 90 pix off, are not looked at."""
    for number in range(1, 6):
        await _keep(database, number, 4.0)
    await _keep(database, 5, 90.0, shown=False)
    store = Store(f"file://{tmp_path}/store")
    references = data_dir / "references"
    await run_monitor(database, messenger, store, "wavelength", references=references)
    async with database.session() as session:
        values = (await session.execute(select(MonitorValue))).scalars().all()
        alerts = (await session.execute(select(Alert))).scalars().all()
        figures = set((await session.execute(select(MonitorFigure.name))).scalars())
        artifacts = (await session.execute(select(Artifact))).scalars().all()
    residuals = [row.value for row in values if row.quantity == "residual"]
    assert residuals == pytest.approx([4.0] * 5)
    assert sorted((row.severity, row.key) for row in alerts) == [
        *(("alert", f"wavelengths|FUVA WD0308-565|ld{number:06d}q") for number in range(1, 6)),
        ("warn", "zero-point|FUVA G140L 1105 LP3 PSA|"),
    ]
    assert figures == {"wavelength", "velocity", "date", "slope"}
    ((name, detail),) = [(row.name, row.detail) for row in artifacts]
    assert (name, detail["ready"], detail["active"]) == ("cosmo_fuv_lp3_disp.fits", True, _DISPTAB)
    (change,) = detail["difference"]["changes"]
    assert (change["median"], change["exposures"]) == (pytest.approx(4.0), 5)
