"""Gain monitor on gains whose truth is known."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import select

from services.monitor.figures import Heatmap
from services.monitor.monitors import monitors
from services.monitor.monitors.framework.monitor import Columns, Findings
from services.monitor.monitors.parts.gains import BINS_PER_LEVEL, regions_of
from shared.broker import Messenger
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, Artifact, MonitorValue, Severity
from shared.store import Store
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.gain_maps import add_maps

_START, _DAYS, _COUNT = 58100.0, 3.0, 240
_LEVELS = np.where(np.arange(_COUNT) < 120, 163.0, 167.0)
_SCATTER, _PIXELS = 0.9, 400.0
_NEWEST = _START + _DAYS * (_COUNT - 1)


def _texts(value: str, count: int) -> np.ndarray:
    return np.full(count, value, dtype=object)


def _exposures(per_year: float, last: float, block: float = 2.0, seed: int = 5) -> dict[str, np.ndarray]:
    """Columns of `regions_query`: a gain at level 167 that ends at ``last``, with the error of medians."""
    mjd = _START + _DAYS * np.arange(_COUNT)
    error = 1.2533 * _SCATTER / np.sqrt(_PIXELS)
    truth = last + per_year * (mjd - _NEWEST) / 365.25 + BINS_PER_LEVEL * (_LEVELS - 167.0)
    return {
        "file_id": np.arange(_COUNT, dtype=float),
        "rootname": np.array([f"le{number:06d}q" for number in range(_COUNT)], dtype=object),
        "segment": _texts("FUVA", _COUNT),
        "hvlevel": _LEVELS,
        "life_adj": np.full(_COUNT, 4.0),
        "block": np.full(_COUNT, block),
        "mjd": mjd,
        "gain": np.random.default_rng(seed).normal(truth, error),
        "scatter": np.full(_COUNT, _SCATTER),
        "pixels": np.full(_COUNT, _PIXELS),
    }


def _pixels(sagged: float = np.nan) -> dict[str, np.ndarray]:
    """Columns of `pixels_query`: a patch of the map with a hole of one superpixel."""
    x, y = (grid.ravel().astype(float) for grid in np.meshgrid(np.arange(400, 500), np.arange(203, 221)))
    hole = (x == 450) & (y == 210)
    return {
        "segment": _texts("FUVA", len(x)),
        "hvlevel": np.full(len(x), 167.0),
        "x": x,
        "y": y,
        "mjd": np.full(len(x), _NEWEST),
        "gain": np.where(hole, 2.9, 11.0),
        "sagged": np.where(hole, sagged, np.nan),
    }


def _changes(mjd: float | None = None) -> Columns:
    count = 0 if mjd is None else 1
    return {
        "rootname": _texts("le000239q", count),
        "segment": _texts("FUVA", count),
        "hvlevel": np.full(count, 167.0),
        "mjd": np.full(count, mjd or 0.0),
        "pixels": np.full(count, 12.0),
        "change": np.full(count, 6.5),
    }


def _compute(regions: Columns, pixels: Columns | None = None, changes: Columns | None = None) -> Findings:
    inputs = {"regions": regions, "pixels": pixels or _pixels(), "changes": changes or _changes()}
    return monitors()["gain"].compute(inputs)


def test_loss_and_date_of_sagging_are_recovered_over_a_step_of_voltage() -> None:
    deviations = []
    for seed in range(40):
        (region,) = regions_of(_exposures(-1.5, 8.0, seed=seed))
        assert region.trend is not None
        assert region.level == 167.0
        date, error = region.trend.sag_date(region.level)
        assert error < 60.0
        truth = _NEWEST + 365.25 * (8.0 - 3.0) / 1.5
        deviations.append(
            ((region.trend.slope * 365.25 + 1.5) / region.trend.slope_error / 365.25, (date - truth) / error)
        )
    assert np.abs(np.mean(deviations, axis=0)).max() < 0.5  # no bias: 3 sigma of 40 tries
    assert np.std(deviations, axis=0) == pytest.approx([1.0, 1.0], abs=0.35)


def test_a_gain_that_does_not_fall_has_no_date() -> None:
    _, slope, date = _compute(_exposures(0.2, 10.0)).values
    assert slope.value[0] > 0
    assert np.isnan(date.value).all()


def test_outliers_are_flagged_and_do_not_pull_the_trend() -> None:
    columns = _exposures(-1.0, 9.0)
    wrong = np.arange(30, _COUNT, 30)
    columns["gain"][wrong] += np.where(np.arange(len(wrong)) % 2, 2.0, -2.0)
    measured, slope, _ = _compute(columns).values
    assert measured.outlier[wrong].all()
    assert np.delete(measured.outlier, wrong).mean() <= 0.01
    assert abs(slope.value[0] + 1.0) < 3 * slope.error[0]


@pytest.mark.parametrize(
    ("per_year", "last", "rules"),
    [
        (-1.0, 9.0, {}),
        (-0.1, 4.8, {"low-gain": Severity.ALERT}),
        (-10.0, 5.3, {"sag-date": Severity.WARN}),
        (-10.0, 6.5, {}),
    ],
    ids=["healthy", "low", "sags within 90 d", "sags after 128 d"],
)
def test_rules_of_regions(per_year: float, last: float, rules: dict[str, Severity]) -> None:
    found = {finding.rule: finding for finding in _compute(_exposures(per_year, last)).findings}
    assert {rule: finding.severity for rule, finding in found.items()} == rules
    assert all(finding.source and finding.threshold for finding in found.values())


def test_regions_out_of_use_do_not_alarm() -> None:
    columns = _exposures(-0.1, 4.8)
    columns["mjd"] -= 200.0
    assert not _compute(columns).findings


@pytest.mark.parametrize(("days", "hit"), [(10.0, True), (40.0, False)])
def test_rules_of_superpixels_look_at_the_last_month(days: float, hit: bool) -> None:
    sagged = _compute(_exposures(-1.0, 9.0), pixels=_pixels(_NEWEST - days)).findings
    rapid = _compute(_exposures(-1.0, 9.0), changes=_changes(_NEWEST - days)).findings
    assert [finding.rule for finding in sagged] == ["sagged"] * hit
    assert [(finding.rule, finding.rootname) for finding in rapid] == [("rapid-change", "le000239q")] * hit


def test_maps_show_the_hole() -> None:
    findings = _compute(_exposures(-1.0, 9.0), pixels=_pixels(58500.0))
    (artifact,) = findings.artifacts
    assert (artifact.name, artifact.detail) == ("gain_fuva_167.fits.gz", {"superpixels": 1800, "sagged": 1})
    with fits.open(io.BytesIO(gzip.decompress(artifact.content))) as hdus:
        gain, sagged = hdus["MOD_GAIN"].data, hdus["SAGGED"].data
        assert gain.shape == (512, 2048)
        assert gain[210, 450] == pytest.approx(2.9)
        assert np.argwhere(np.isfinite(sagged)).tolist() == [[210, 450]]
        assert np.count_nonzero(np.isfinite(gain)) == 1800
    heatmap = findings.figures[0].panels[0].layers[0]
    assert isinstance(heatmap, Heatmap)
    row = int(np.searchsorted(heatmap.y_edges, 2 * 210, side="right")) - 1
    column = int(np.searchsorted(heatmap.x_edges, 8 * 450, side="right")) - 1
    assert heatmap.z[row][column] == 2.9
    assert [value for line in heatmap.z for value in line if value is not None].count(2.9) == 1


def test_nothing_measured_is_no_data() -> None:
    empty = {name: column[:0] for name, column in _pixels().items()}
    assert _compute({}, pixels=empty).newest_mjd is None


@pytest.mark.integration
async def test_a_run_reads_maps_from_the_database(database: Database, messenger: Messenger, tmp_path: Path) -> None:
    gains = (9.0, 8.9, 8.8, 8.7, 8.6, 8.5, 8.4)
    maps = [np.full((4, 10), gain) for gain in gains]
    maps[-1][2, 3] = 2.5  # a rapid change, and sagged
    await add_maps(database, maps)
    await run_monitor(database, messenger, Store(f"file://{tmp_path}/store"), "gain")
    async with database.session() as session:
        values = (await session.execute(select(MonitorValue).order_by(MonitorValue.mjd))).scalars().all()
        artifact = (await session.execute(select(Artifact))).scalar_one()
        rules = (await session.execute(select(Alert.key))).scalars().all()
    measured = [value for value in values if value.quantity == "modal_gain"]
    assert [value.value for value in measured] == pytest.approx(gains)
    assert {(value.region, value.hvlevel, value.life_adj) for value in measured} == {("LP4 X 2048-4095", 163, 4)}
    (slope,) = [value for value in values if value.quantity == "gain_slope"]
    assert slope.value == pytest.approx(-0.1 / 10 * 365.25, rel=1e-4)
    assert artifact.detail == {"superpixels": 40, "sagged": 1}
    assert sorted(key.split("|")[0] for key in rules) == ["rapid-change", "sagged"]
