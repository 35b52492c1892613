"""Monitors of FUV events and headers on the rows of real exposures, through the database."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.monitoring import Alert, MonitorValue
from shared.database.models.operations import Dataset, File
from shared.database.models.science import (
    SCIENCE_TABLES,
    EventRates,
    ExposureQuality,
    Header,
    SpectrumSummary,
)
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.ingestor.bench import extract_file, rows_of, sample
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_TABLES = ("headers", "quality", "stims", "phd", "event_rates")


async def _keep(database: Database, path: Path) -> None:
    """Store the rows of a corrtag file, shown to readers."""
    extraction = extract_file(path)
    async with database.transaction() as session:
        dataset = await _dataset(session, path.name[:9])
        file = await _file(session, dataset, path.name, "corrtag_a")
        for table in _TABLES:
            model = SCIENCE_TABLES[table]
            extra = {"preferred": True} if "preferred" in model.__table__.columns else {}
            session.add_all(
                model(file_id=file, **extra, **row) for row in rows_of(extraction, table)
            )


async def _dataset(session: AsyncSession, rootname: str) -> int:
    dataset = Dataset(rootname=rootname, kind="exposure")
    session.add(dataset)
    await session.flush()
    return dataset.id


async def _file(
    session: AsyncSession, dataset: int, name: str, suffix: str, *, shown: bool = True
) -> int:
    file = File(
        dataset_id=dataset,
        origin="product",
        path=f"products/{'new' if shown else 'old'}/{name}",
        name=name,
        rootname=name[:9],
        suffix=suffix,
        size=1,
        sha256="2" * 64,
        current=shown,
        shown=shown,
    )
    session.add(file)
    await session.flush()
    return file.id


async def _values(database: Database, monitor: str) -> dict[tuple[str, str | None], float]:
    async with database.session() as session:
        found = (
            (await session.execute(select(MonitorValue).where(MonitorValue.monitor == monitor)))
            .scalars()
            .all()
        )
    return {(row.quantity, row.region): row.value for row in found}


async def _rules(database: Database, monitor: str) -> list[str]:
    async with database.session() as session:
        return list(
            (await session.execute(select(Alert.rule).where(Alert.monitor == monitor))).scalars()
        )


async def _names(database: Database, monitor: str) -> list[str]:
    """Return the short names of the rules that alerts are of."""
    async with database.session() as session:
        keys = await session.execute(select(Alert.key).where(Alert.monitor == monitor))
    return sorted(key.split("|")[0] for key in keys.scalars())


async def test_stims(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    await _keep(database, sample(data_dir, "ld9m10ujq_corrtag_a"))
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "stims")
    values = await _values(database, "stims")
    assert values["stretch", "x"] == pytest.approx(15631, abs=10)  # of real headers: 15623 to 15639
    assert values["position", "stim1_x"] == pytest.approx(
        408.713, abs=0.1
    )  # STIMA_LX of its header
    assert values["scatter", "stim1_x"] < 2.0
    assert values["missing", "stim1"] == values["missing", "stim2"] == 0.0
    assert values["live_time", None] == pytest.approx(1.0, abs=0.1)  # as near as CalCOS asks for
    assert np.isfinite(list(values.values())).all()
    assert await _rules(database, "stims") == []


async def test_pulse_heights(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
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


async def test_quality(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    await _keep(database, sample(data_dir, "ld9m10ujq_corrtag_a"))
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "exposure-quality")
    values = await _values(database, "exposure-quality")
    assert values["time_difference", None] == pytest.approx(
        0.152, abs=0.01
    )  # 1881.152 s for 1881 s
    assert values["live_time", None] == pytest.approx(0.996775, abs=1e-5)  # LIVETM_B
    assert await _rules(database, "exposure-quality") == []


async def test_count_rates(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    await _keep(database, sample(data_dir, "ld9m10ujq_corrtag_a"))
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "count-rate")
    values = await _values(database, "count-rate")
    assert values["rate", None] == pytest.approx(415.0531)  # GLOBRT_B; the file is of segment A
    assert values["second", None] == 39.0  # the file is a part of the exposure's events
    assert ("local", None) not in values  # its brightest place has 10 counts
    assert await _rules(database, "count-rate") == []


async def test_a_spectrum_is_joined_with_its_events_and_its_stripes(
    database: Database, messenger: Messenger, tmp_path: Path
) -> None:
    """Headers and stripes are those of the x1d file, rates those of the corrtag file that is
    shown.
    """
    name = "lcwj02qvq"
    common = {"rootname": name, "expstart": 58000.0}
    async with database.transaction() as session:
        dataset = await _dataset(session, name)
        spectrum = await _file(session, dataset, f"{name}_x1d.fits", "x1d")
        setting = {
            "detector": "NUV",
            "exptype": "EXTERNAL/SCI",
            "file_id": spectrum,
            "preferred": True,
            **common,
        }
        session.add(
            Header(
                obstype="SPECTROSCOPIC",
                obsmode="TIME-TAG",
                cenwave=2373,
                opt_elem="G225M",
                **setting,
            )
        )
        session.add(
            ExposureQuality(
                globrate=17_000.0,
                expend=58000.0 + 100 / 86400,
                exptime=100.0,
                ninterpt=1,
                overflow=0,
                **setting,
            )
        )
        rates = {"gross_a": 900.0, "gross_b": 15_500.0, "gross_c": 20.0}
        session.add(SpectrumSummary(file_id=spectrum, rootname=name, **rates))
        for shown, counts in ((False, 99_000), (True, 26_000)):
            file = await _file(session, dataset, f"{name}_corrtag.fits", "corrtag", shown=shown)
            session.add(
                EventRates(
                    file_id=file,
                    segment="NUV",
                    exptime=100.0,
                    good_time=98.0,
                    intervals=1,
                    raw_time=100.0,
                    raw_intervals=1,
                    second_counts=counts,
                    local_rate=60.0,
                    local_counts=6000,
                    **common,
                )
            )
    store = Store(f"file://{tmp_path}/store")
    await run_monitor(database, messenger, store, "count-rate")
    values = await _values(database, "count-rate")
    assert values == {
        ("rate", None): 17_000.0,
        ("fraction", None): pytest.approx(17 / 30),
        ("second", None): 26_000.0,
        ("local", None): 60.0,
        ("stripe", None): 15_500.0,
    }
    assert await _names(database, "count-rate") == [
        "brightest-second",
        "global-rate",
        "irregular",
        "local-rate",
        "stripe-rate",
    ]
    await run_monitor(database, messenger, store, "exposure-quality")
    assert await _names(database, "exposure-quality") == [
        "good-time",
        "interrupted",
        "interruptions",
    ]
