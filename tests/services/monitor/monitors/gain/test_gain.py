"""Gain monitor on gains whose truth is known."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from sqlalchemy import func, select

from services.ingestor.extractors.events.gains import count_rows
from services.ingestor.extractors.rows import Rows
from services.monitor.figures import Heatmap
from services.monitor.figures.matplotlib import draw
from services.monitor.framework.declaration import Columns, NewArtifact, RunOutput
from services.monitor.monitors import monitors
from services.monitor.monitors.gain import limits as gain_limits
from services.monitor.monitors.gain import pixels as gain_pixels
from services.monitor.monitors.gain import trends as gain_trends
from services.monitor.monitors.gain.pixels import BINS_PER_LEVEL, SPOTS, keys_of
from services.monitor.monitors.gain.trends import REPEATS, fit_trend, trends_of
from shared.database.engine import Database
from shared.database.models.monitoring import Alert, Artifact, MonitorValue, Severity
from shared.database.models.operations import Event
from shared.database.models.science import FlaggedPixel, Gain, GainTrend
from shared.store import Store
from shared.worker.broker import Messenger
from tests.services.monitor.monitors.bench import run_monitor
from tests.services.monitor.monitors.gain_maps import add_maps, findings_of, inputs_of

_START, _DAYS, _COUNT = 58100.0, 3.0, 240
_LEVELS = np.where(np.arange(_COUNT) < 120, 163, 167)
_MJD = _START + _DAYS * np.arange(_COUNT)
_NEWEST = float(_MJD[-1])
_ERROR = 0.056
"""Error of the gain of one exposure: that of the median of 400 superpixels with a scatter of 0.9
bins.
"""

_Y, _X = (
    grid.ravel() for grid in np.meshgrid(np.arange(205, 211), np.arange(520, 530), indexing="ij")
)
"""Superpixels at the fourth lifetime position of FUVA, in columns 4160 to 4239."""


def _truth(per_year: float, last: float) -> np.ndarray:
    """Return the gain of each exposure that falls evenly to what it is at level 167 in the end."""
    truth: np.ndarray = (
        last + per_year * (_MJD - _NEWEST) / 365.25 + BINS_PER_LEVEL * (_LEVELS - 167.0)
    )
    return truth


def _maps(per_year: float, last: float, seed: int = 5) -> np.ndarray:
    """Return the gains by exposure and superpixel; every exposure is off a bit as a whole."""
    generator = np.random.default_rng(seed)
    truth = _truth(per_year, last) + generator.normal(0.0, _ERROR, _COUNT)
    return generator.normal(truth[:, None], 0.2, (_COUNT, len(_X)))


def _inputs(
    gains: np.ndarray, mjd: np.ndarray = _MJD, spots: Columns | None = None
) -> dict[str, Columns]:
    maps = [
        Rows(
            Gain,
            common={
                "rootname": f"le{number:06d}q",
                "segment": "FUVA",
                "dethv": _LEVELS[number],
                "expstart": mjd[number],
            },
            columns={
                "x": _X.tolist(),
                "y": _Y.tolist(),
                "gain": one.tolist(),
                "counts": [100] * len(_X),
                "charge": [1e-10] * len(_X),
            },
        )
        for number, one in enumerate(gains)
    ]
    return inputs_of(maps, spots)


def _compute(gains: np.ndarray, mjd: np.ndarray = _MJD, spots: Columns | None = None) -> RunOutput:
    return findings_of(_inputs(gains, mjd, spots))


def _rules(findings: RunOutput) -> dict[str, Severity]:
    return {finding.rule: finding.severity for finding in findings.findings}


def test_loss_and_date_of_sagging_are_recovered_over_a_step_of_voltage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gain_trends, "REPEATS", 0.0)
    deviations = []
    for seed in range(40):
        gain = np.random.default_rng(seed).normal(_truth(-1.5, 8.0), _ERROR)
        trend = fit_trend(_MJD, gain_pixels.scaled(gain, _LEVELS))
        assert trend is not None
        date, error = trend.sag_date(167.0)
        assert error < 60.0
        true = _NEWEST + 365.25 * (8.0 - 3.0) / 1.5
        deviations.append(
            ((trend.slope * 365.25 + 1.5) / trend.slope_error / 365.25, (date - true) / error)
        )
    assert np.abs(np.mean(deviations, axis=0)).max() < 0.5  # no bias: 3 sigma of 40 tries
    assert np.std(deviations, axis=0) == pytest.approx([1.0, 1.0], abs=0.35)


def test_a_drift_that_does_not_average_out_is_within_the_errors() -> None:
    """A thousand exposures tell the slope to a thousandth of a bin a year, if nothing else moves
    their gain.
    """
    mjd = np.linspace(_NEWEST - 700.0, _NEWEST, 1000)
    true = 8.0 - 1.5 / 365.25 * (mjd - _NEWEST)
    trend = fit_trend(mjd, true + REPEATS * 8.0 * np.linspace(0.0, 1.0, 1000))
    assert trend is not None
    date, error = trend.sag_date(178.0)
    off = (
        (trend.slope + 1.5 / 365.25) / trend.slope_error,
        (date - _NEWEST - 365.25 * 5.0 / 1.5) / error,
    )
    assert off == pytest.approx((1.0, 1.0), abs=0.35)


def test_a_gain_that_does_not_fall_has_no_date() -> None:
    found = _compute(_maps(0.2, 10.0))
    quantities = {values.quantity: values for values in found.values}
    assert quantities["gain_slope"].value[0] > 0
    assert np.isnan(quantities["sag_date"].value).all()
    assert np.isnan(quantities["years_per_level"].value).all()
    trends = found.tables["gain_trends"]
    assert len(trends["slope"]) == 2 * len(_X)
    assert np.isfinite(trends["slope"]).all()
    assert np.isnan(trends["mjd"]).mean() > 0.9


def test_a_level_of_voltage_buys_time() -> None:
    (bought,) = (
        one for one in _compute(_maps(-1.5, 8.0)).values if one.quantity == "years_per_level"
    )
    assert bought.value[0] == pytest.approx(0.393 / 1.5, abs=3 * bought.error[0])


def test_no_line_reaches_beyond_a_move_of_spectra() -> None:
    # They left the third position on MJD 58028: what fell before does not fall on.
    mjd = 57800.0 + _DAYS * np.arange(_COUNT)
    gain = np.where(mjd < 58028.0, 10.0 - 0.01 * (mjd - 57800.0), 7.72)
    gains = np.random.default_rng(1).normal(gain[:, None], 0.1, (_COUNT, len(_X)))
    trend = fit_trend(mjd, gains[:, 0])
    assert trend is not None
    assert trend.start >= 58028.0
    inputs = _inputs(gains, mjd)
    history = gain_pixels.history_of("FUVA", inputs["gains"], inputs["files"], SPOTS.read([]))
    late = trends_of(history).pixel // (512 * 2048) == 167
    assert np.abs(trends_of(history).slope[late]).max() < 0.0005


def test_outliers_are_flagged_and_do_not_pull_the_trend() -> None:
    gains = _maps(-1.0, 9.0)
    wrong = np.arange(30, _COUNT, 30)
    gains[wrong] += np.where(np.arange(len(wrong)) % 2, 2.0, -2.0)[:, None]
    measured, slope, *_ = _compute(gains).values
    assert measured.outlier[wrong].all()
    assert np.delete(measured.outlier, wrong).mean() <= 0.01
    assert abs(slope.value[0] + 1.0) < 3 * slope.error[0]


def test_outliers_are_told_within_a_setting() -> None:
    """Every other exposure lights superpixels that have lost more of their gain."""
    gains = _maps(-1.0, 9.0)
    gains[::2] -= 1.5
    gains[31] -= 1.5
    inputs = _inputs(gains)
    gratings = np.where(np.arange(_COUNT) % 2, "G130M", "G160M").astype(object)
    measured = findings_of({**inputs, "files": {**inputs["files"], "opt_elem": gratings}}).values[0]
    assert np.flatnonzero(measured.outlier).tolist() == [31]


def test_a_rare_configuration_is_compared_with_all() -> None:
    gains = _maps(-1.0, 9.0)
    gains[-3:] -= 4.0
    inputs = _inputs(gains)
    gratings = np.array(["G130M"] * (_COUNT - 3) + ["G160M"] * 3, dtype=object)
    measured, slope, *_ = findings_of(
        {**inputs, "files": {**inputs["files"], "opt_elem": gratings}}
    ).values
    assert measured.outlier[-3:].all()
    assert abs(slope.value[0] + 1.0) < 3 * slope.error[0]


@pytest.mark.parametrize(
    ("per_year", "last", "rules"),
    [
        (-1.0, 9.0, {}),
        (-0.1, 4.8, {"low-gain": Severity.ALERT}),
        (-10.0, 5.3, {"sag-date": Severity.WARN, "columns-sag": Severity.WARN}),
        (-10.0, 6.8, {}),
    ],
    ids=["healthy", "low", "sags within 90 d", "sags after 139 d"],
)
def test_rules_of_what_is_in_use(per_year: float, last: float, rules: dict[str, Severity]) -> None:
    findings = _compute(_maps(per_year, last))
    assert _rules(findings) == rules
    assert all(finding.source and finding.threshold for finding in findings.findings)
    assert {finding.text for finding in findings.findings} <= {
        rule.words for rule in monitors()["gain"].rules
    }


def test_what_is_out_of_use_does_not_alarm() -> None:
    maps = _inputs(_maps(-0.1, 4.8), _MJD - 200.0)
    later = _inputs(np.full((1, len(_X)), 9.0), np.array([_NEWEST]))
    names = {"file_id": 1000.0, "pixel": 30.0 * 2048}
    joined = {
        table: {
            name: np.concatenate([column, later[table][name] + names.get(name, 0.0)])
            if column.dtype.kind == "f"
            else np.concatenate([column, later[table][name]])
            for name, column in maps[table].items()
        }
        for table in ("files", "gains")
    }
    assert not findings_of({**maps, **joined}).findings


@pytest.mark.parametrize(("before", "hit"), [(3, True), (15, False)])
def test_rules_of_superpixels_look_at_the_last_month(before: int, hit: bool) -> None:
    gains = _maps(-1.0, 9.0)
    gains[-before, 7] = 2.9  # comes back: a rapid change twice
    findings = _compute(gains)
    assert _rules(findings) == (
        {"sagged": Severity.WARN, "rapid-change": Severity.WARN} if hit else {}
    )
    names = [finding.rootname for finding in findings.findings if finding.rule == "rapid-change"]
    assert names == [f"le{number:06d}q" for number in (_COUNT - before, _COUNT - before + 1)] * hit
    flagged = findings.tables["flagged"]
    assert (flagged["mjd"].tolist(), flagged["x"].tolist()) == ([_MJD[-before]], [_X[7]])


def test_a_hole_where_no_spectrum_falls_is_not_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "_Y", _Y + 130)
    assert len(_compute(np.full((_COUNT, len(_X)), 2.5)).tables["flagged"]["mjd"]) == 0


def test_what_was_measured_in_a_hot_spot_takes_no_part() -> None:
    gains = _maps(-1.0, 9.0)
    spot = {
        "segment": np.array(["FUVA", "FUVB"], dtype=object),
        "start": np.array([_MJD[100], 50000.0]),
        "stop": np.array([_MJD[110], 70000.0]),
        "lx": np.array([4170.0, 0.0]),
        "ly": np.array([413.0, 0.0]),
        "dx": np.array([6.0, 16384.0]),
        "dy": np.array([2.0, 1024.0]),
    }
    # X 4170 to 4175 is superpixel 521, Y 413 to 414 are 206 and 207; with one on each side.
    hot = (np.abs(_X - 521) <= 1) & (_Y >= 205) & (_Y <= 208)
    gains[100:111, hot] = 2.5
    gains[99, np.flatnonzero(hot)[0]] = 2.8
    flagged = _compute(gains, spots=spot).tables["flagged"]
    assert flagged["mjd"].tolist() == [_MJD[99]]
    assert len(_compute(gains).tables["flagged"]["mjd"]) == np.count_nonzero(hot)


def test_spots_are_those_of_the_real_table(data_dir: Path) -> None:
    columns = SPOTS.read([data_dir / "references" / "zas1615jl_spot.fits.gz"])
    assert set(columns["segment"]) <= {"FUVA", "FUVB"}
    assert len(columns["start"]) > 0
    assert (columns["start"] <= columns["stop"]).all()
    assert (columns["dx"] * columns["dy"] > 0).all()


def _check_difference(new: NewArtifact, inputs: dict[str, Columns], folder: Path) -> None:
    """Hold limits against an active file: without one they are not ready, with one it is told what
    they narrow.
    """
    assert (new.detail["wrong"], new.detail["difference"], new.detail["ready"]) == ([], None, False)
    with fits.open(io.BytesIO(gzip.decompress(new.content))) as hdus:
        hdus["FUVA", 2].data[2 * _Y[8] : 2 * _Y[8] + 2, 8 * _X[8] : 8 * _X[8] + 8] += 1
        hdus["FUVB", 1].data[0:4, 0:8] += 1
        hdus.writeto(folder / "active_phf.fits.gz")
    again = findings_of(
        inputs | {"limits": gain_limits.LIMITS.read([folder / "active_phf.fits.gz"])}
    )
    detail = again.artifacts[-1].detail
    assert (detail["active"], detail["ready"]) == ("active_phf.fits.gz", True)
    assert detail["difference"] == {
        "narrowed": {"FUVA": 1, "FUVB": 0},
        "widened": {"FUVA": 0, "FUVB": 2},
    }


def test_maps_and_limits_are_written(tmp_path: Path) -> None:
    gains = _maps(-1.0, 9.0)
    gains[-1, 7] = 2.9
    inputs = _inputs(gains)
    for table in ("files", "gains"):
        inputs[table] = {
            name: np.concatenate([column, column]) for name, column in inputs[table].items()
        }
        inputs[table]["file_id"][len(inputs[table]["file_id"]) // 2 :] += _COUNT
    inputs["files"]["segment"][_COUNT:] = "FUVB"
    found = findings_of(inputs)
    names = [artifact.name for artifact in found.artifacts]
    assert names == [f"gain_fuv{side}_{level}.fits.gz" for side in "ab" for level in (167, 163)] + [
        "total_gain_178.fits.gz",
        "cosmo_phf.fits.gz",
    ]
    assert found.artifacts[0].detail == {"superpixels": len(_X), "sagged": 1}
    with fits.open(io.BytesIO(gzip.decompress(found.artifacts[0].content))) as hdus:
        gain, sagged = hdus["MOD_GAIN"].data, hdus["SAGGED"].data
        assert gain.shape == (512, 2048)
        scaled = hdus["GAIN178"].data
        assert scaled[_Y[7], _X[7]] == pytest.approx(2.9 + 0.393 * (178 - hdus[0].header["DETHV"]))
        assert gain[_Y[7], _X[7]] == pytest.approx(2.9)
        assert np.argwhere(np.isfinite(sagged)).tolist() == [[_Y[7], _X[7]]]
        assert np.count_nonzero(np.isfinite(gain)) == len(_X)
        assert np.nanmedian(hdus["SLOPE"].data) == pytest.approx(-1.0 / 365.25, rel=0.1)
        assert np.nanmedian(hdus["PROJBAD"].data) == pytest.approx(_NEWEST + 6 * 365.25, abs=200.0)
    with fits.open(io.BytesIO(gzip.decompress(found.artifacts[-1].content))) as hdus:
        assert hdus[0].header["FILETYPE"] == "PULSE HEIGHT THRESHOLD REFERENCE IMAGE"
        low, high = (hdus["FUVB", version].data for version in (1, 2))
        assert (low.shape, low.dtype, low[0, 0], high[0, 0]) == ((1024, 16384), np.uint8, 2, 23)
        place = 2 * _Y[8], 8 * _X[8]
        assert (low[place], high[place]) == (
            max(np.floor(gains[-1, 8] - 7), 2),
            np.ceil(gains[-1, 8] + 3),
        )
        assert gain_limits.check(hdus) == []
        hdus[0].header["FILETYPE"] = "GAINMAP"
        del hdus[0].header["DETHVB"], hdus["FUVB", 2]
        hdus["FUVA", 1].data[5, 6] = 24
        wrong = " / ".join(gain_limits.check(hdus))
        for reason in (
            "FILETYPE",
            "DETHVB is missing",
            "no image 2 of FUVB",
            "FUVA: a lowest pulse height is above",
        ):
            assert reason in wrong
    _check_difference(found.artifacts[-1], inputs, tmp_path)
    heatmap = found.figures[0].panels[0].layers[0]
    assert isinstance(heatmap, Heatmap)
    row = int(np.searchsorted(heatmap.y_edges, 2 * _Y[7], side="right")) - 1
    column = int(np.searchsorted(heatmap.x_edges, 8 * _X[7], side="right")) - 1
    assert heatmap.z[row][column] == 2.9
    assert [value for line in heatmap.z for value in line if value is not None].count(2.9) == 1
    for figure in found.figures:
        assert draw(figure, "png").startswith(b"\x89PNG")


@pytest.mark.integration
async def test_a_run_reads_maps_from_the_database(
    database: Database, messenger: Messenger, tmp_path: Path
) -> None:
    gains = (9.0, 8.9, 8.8, 8.7, 8.6, 8.5, 8.4)
    maps = [np.full((4, 10), gain) for gain in gains]
    maps[-1][2, 3] = 2.5  # a rapid change, and sagged
    histogram = np.where(np.arange(32) == 10, 60, 0)[None]
    accumulated = count_rows(
        "l_2018030000000_02_163_cci", "FUVA", 163, 58150.0, np.array([212 * 2048 + 303]), histogram
    )
    await add_maps(database, maps, others=[accumulated])
    store = Store(f"file://{tmp_path}/store")
    await run_monitor(database, messenger, store, "gain")
    async with database.session() as session:
        values = (
            (await session.execute(select(MonitorValue).order_by(MonitorValue.mjd))).scalars().all()
        )
        artifact = (
            await session.execute(select(Artifact).where(Artifact.kind == "gain map"))
        ).scalar_one()
        rules = (await session.execute(select(Alert.key))).scalars().all()
        flagged = (await session.execute(select(FlaggedPixel))).scalar_one()
        trends = (await session.execute(select(GainTrend).order_by(GainTrend.id))).scalars().all()
        rows = (
            await session.execute(select(Event.detail["rows"]).order_by(Event.id.desc()).limit(1))
        ).scalar_one()
    measured = [value for value in values if value.quantity == "modal_gain"]
    assert [value.value for value in measured] == pytest.approx(gains)
    assert {(value.region, value.hvlevel, value.life_adj) for value in measured} == {
        ("LP4 X 2048-4095", 163, 4)
    }
    (slope,) = [value for value in values if value.quantity == "gain_slope"]
    assert slope.value == pytest.approx(-0.1 / 10 * 365.25, rel=1e-4)
    assert artifact.detail == {"superpixels": 40, "sagged": 1}
    with fits.open(tmp_path / "store" / artifact.path / artifact.name) as hdus:
        assert hdus["FILES"].data["SUMMED"].tolist() == [True] * 8
        counts, charge = hdus["CUMLCNTS"].data, hdus["CUMLCHRG"].data
    assert (counts.sum(), counts[212, 303]) == (40 * 700 + 60, 760)
    assert charge[212, 303] == pytest.approx(7e-10 + 6e-11 * 10 ** (-1.75 / 20.5))
    assert sorted(key.split("|")[0] for key in rules) == ["rapid-change", "sagged"]
    pixel = np.array([(163 * 512 + 212) * 2048 + 303])
    assert (flagged.id, flagged.x, flagged.y, flagged.mjd) == (
        keys_of("FUVA", pixel)[0],
        303,
        212,
        58160.0,
    )
    assert len(trends) == 40
    assert [trend.slope for trend in trends] == pytest.approx([-0.01] * 40, rel=1e-4)
    assert trends[0].mjd == pytest.approx(58160.0 + 5.4 / 0.01, abs=0.5)
    assert rows == {"flagged": 1, "gain_trends": 40}
    await run_monitor(database, messenger, store, "gain", occasion=1)
    async with database.session() as session:
        assert (
            await session.execute(select(func.count()).select_from(GainTrend))
        ).scalar_one() == 40
        rows = (
            await session.execute(select(Event.detail["rows"]).order_by(Event.id.desc()).limit(1))
        ).scalar_one()
    assert rows == {}, "the same rows again are nothing new"
