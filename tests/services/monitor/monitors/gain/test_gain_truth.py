"""Ten years of a simulated instrument's gain, through the tables: what the monitor finds is what
was put in.
"""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from services.monitor.monitors.gain.rules import SAGGED
from services.monitor.monitors.gain.trends import trend_start
from shared.database.engine import Database
from shared.database.models.monitoring import MonitorValue
from shared.database.models.science import FlaggedPixel, GainTrend
from shared.store import Store
from shared.worker.broker import Messenger
from simulator.evolution import GAIN_PER_LEVEL
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.gain_maps import MapTruth, add_rows

pytestmark = pytest.mark.integration

_SHIFTS = {40: 1.5, 150: -1.5, 222: 1.2}
"""Maps of which all pulse heights are off, by these bins."""


Place = tuple[object, object, object]
"""Level, y and x of a superpixel."""


class _Trends:
    """Rows of ``gain_trends`` with what they should say; arrays of shape (n,)."""

    def __init__(self, truth: MapTruth, rows: list[GainTrend], newest: dict[Place, float]) -> None:
        self.last = np.array([newest[row.dethv, row.y, row.x] for row in rows])
        self.level = np.array([row.dethv for row in rows])
        measured = np.array(
            [(row.slope, row.slope_error, row.mjd, row.mjd_error) for row in rows], dtype=float
        )
        x, y = np.array([(row.x, row.y) for row in rows]).T
        # The gain falls evenly between two moves; at the same voltage all along.
        middle = 0.5 * (self.last + trend_start(self.last))
        early, late = (
            np.array(
                [
                    float(truth.gain(mjd, *place)) + GAIN_PER_LEVEL * (level - truth.level(mjd))
                    for mjd, level, *place in zip(times, self.level, x, y, strict=True)
                ]
            )
            for times in (middle, self.last)
        )
        slope = (late - early) / (self.last - middle)
        self.late = late
        self.slope_pull = (measured[:, 0] - slope) / measured[:, 1]
        self.date_pull = (measured[:, 2] - (self.last + (SAGGED.now - late) / slope)) / measured[
            :, 3
        ]


async def test_ten_years_are_recovered(
    database: Database, messenger: Messenger, tmp_path: Path
) -> None:
    truth = MapTruth("FUVA", maps=245, days=15.0, columns=np.arange(140, 1900, 55), shifts=_SHIFTS)
    maps = list(truth.rows())
    await add_rows(database, maps)
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "gain")
    async with database.session() as session:
        trends = list((await session.execute(select(GainTrend))).scalars())
        flagged = list((await session.execute(select(FlaggedPixel))).scalars())
        query = select(MonitorValue).where(MonitorValue.quantity == "modal_gain")
        values = list((await session.execute(query)).scalars())
    newest: dict[Place, float] = {}
    first_low: dict[Place, float] = {}
    for rows in maps:
        mjd, level = float(str(rows.common["expstart"])), int(str(rows.common["dethv"]))
        for y, x, gain in zip(*(rows.columns[name] for name in ("y", "x", "gain")), strict=True):
            newest[level, y, x] = mjd
            if gain <= SAGGED.now:
                first_low.setdefault((level, y, x), mjd)
    found = _Trends(truth, trends, newest)
    assert set(found.level) == {163, 167}
    # Errors of dates are those to the late side.
    for pull, least in (
        (found.slope_pull, 0.8),
        (found.date_pull[np.isfinite(found.date_pull)], 0.6),
    ):
        assert len(pull) > 500
        assert abs(np.median(pull)) < 0.3
        assert least < np.percentile(np.abs(pull), 68.3) < 1.2
        assert np.mean(np.abs(pull) > 4.0) < 0.02
    assert {(row.dethv, row.y, row.x): row.mjd for row in flagged} == first_low
    assert len(flagged) > 5
    # A peak of some hundred counts is placed to a few tenths of a bin, and less well where a part
    # of it is missing.
    true = [truth.gain(row.mjd or 0.0, np.array([row.x]), np.array([row.y]))[0] for row in flagged]
    assert np.median(true) < SAGGED.now + 0.3
    assert max(true) < SAGGED.now + 2.0
    shifted = {str(maps[number].common["rootname"]) for number in _SHIFTS}
    outliers = {value.rootname for value in values if value.outlier}
    assert shifted <= outliers
    others = [value.outlier for value in values if value.rootname not in shifted]
    assert np.mean(others) <= 0.01
