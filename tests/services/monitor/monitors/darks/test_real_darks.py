"""The dark rates that another team measured from 2009 to 2017, through the import and the
monitors.
"""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from services.ingestor.manual import add_file
from services.monitor.figures import Heatmap, Panel, figure_from_json
from services.monitor.figures.packing import unpack
from services.monitor.framework.loading import load
from services.monitor.library.exposure_values import take
from services.monitor.monitors.darks.rates import is_free_of_saa
from shared.cos.saa import saa_contour
from shared.database.engine import Database
from shared.database.models.monitoring import Artifact, MonitorFigure, MonitorValue
from shared.database.models.operations import Event, File
from shared.database.models.science import Dark
from shared.errors import PermanentError
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.monitors.bench import run_monitor

pytestmark = pytest.mark.integration

_MJD_2012, _MJD_2013, _MJD_2015_5 = 55927.0, 56293.0, 57204.0


async def test_trend_and_map(
    database: Database, messenger: Messenger, data_dir: Path, tmp_path: Path
) -> None:
    store = Store(f"file://{tmp_path}/store")
    measurements = data_dir / "darks" / "orbital_info.json.gz"
    for _ in range(2):
        assert (await add_file(database, store, measurements)).rows == {"darks": 3990}
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(Dark))).scalar_one() == 3990
        inside = select(func.count()).where(Dark.saa_distance < 0)
        assert (await session.execute(inside)).scalar_one() < 40  # the detector is off there
        events = (await session.execute(select(Event.name, Event.detail["rows"]["darks"]))).all()
        assert {tuple(event) for event in events} == {("tables.changed", 3990)}
        places = select(
            Dark.detector,
            Dark.latitude,
            Dark.longitude,
            Dark.sun_lat,
            Dark.sun_lon,
            Dark.saa_distance,
        ).where(Dark.latitude.is_not(None))
        bins = await load(session, places)

    for name in ("fuv-dark", "dark-orbit"):
        await run_monitor(database, messenger, store, name)
    async with database.session() as session:
        rates = (
            (await session.execute(select(MonitorValue).where(MonitorValue.monitor == "fuv-dark")))
            .scalars()
            .all()
        )
        artifacts = (await session.execute(select(Artifact.name))).scalars().all()
        figures = select(MonitorFigure.name, MonitorFigure.content).where(
            MonitorFigure.monitor == "dark-orbit"
        )
        maps = {
            name: figure_from_json(unpack(content))
            for name, content in (await session.execute(figures)).all()
        }
    assert len({value.rootname for value in rates}) > 1500
    fuva = [(value.mjd, value.value) for value in rates if value.segment == "FUVA"]
    quiet = np.median([rate for mjd, rate in fuva if mjd < _MJD_2012])
    active = np.median([rate for mjd, rate in fuva if _MJD_2013 < mjd < _MJD_2015_5])
    assert 1.0e-6 < quiet < 1.6e-6  # counts / (s pix), after the solar minimum
    assert 1.2 < active / quiet < 2.5  # and around the solar maximum
    assert sorted(artifacts) == ["dark_map_fuva_legacy.fits", "dark_map_fuvb_legacy.fits"]
    for segment in ("FUVA", "FUVB"):
        figure, mine = (
            maps[f"map-{segment.lower()}-legacy"],
            take(bins, bins["detector"] == segment),
        )
        assert _share_shown(figure.panels[0], mine["longitude"], mine["latitude"]) >= 0.9
        far = take(mine, is_free_of_saa(mine["latitude"], mine["longitude"], mine["saa_distance"]))
        x, y = (far["longitude"] - far["sun_lon"]) % 360.0, far["latitude"] - far["sun_lat"]
        assert _share_shown(figure.panels[1], x, y) >= 0.9
        # Smaller cells of the map over the ground would do for hardly more than half of the bins.
        assert "10 x 5 deg over the ground, 15 x 10 deg against the Sun" in figure.caption

    # HST looked from nowhere inside the anomaly, and from both of its sides
    west, east = saa_contour(_MJD_2013)[:, 1].min() % 360.0, saa_contour(_MJD_2013)[:, 1].max()
    southern = bins["longitude"][bins["latitude"] < -20.0]
    assert not ((southern > west + 15) & (southern < 355.0)).any()
    assert ((southern > east) & (southern < 90.0)).any()


def _share_shown(panel: Panel, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of the bins at some places that lie in cells with a rate."""
    (heatmap,) = (layer for layer in panel.layers if isinstance(layer, Heatmap))
    column = np.searchsorted(heatmap.x_edges, x, side="right") - 1
    row = np.searchsorted(heatmap.y_edges, y, side="right") - 1
    return float(np.mean([heatmap.z[j][i] is not None for i, j in zip(column, row, strict=True)]))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("{}", "not a list"),
        ('[{"rootname": "ldaaaaaaq"}]', "measurement 1: None as detector"),
    ],
)
async def test_file_without_a_measurement_leaves_nothing(
    database: Database, tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "orbital_info.json"
    path.write_text(content)
    with pytest.raises(PermanentError, match=reason):
        await add_file(database, Store(f"file://{tmp_path}/store"), path)
    async with database.session() as session:
        assert (await session.execute(select(func.count()).select_from(File))).scalar_one() == 0
