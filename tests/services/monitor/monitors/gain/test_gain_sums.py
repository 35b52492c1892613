"""Counts and charge that superpixels gave.

Each event once, over all voltages, in maps and against the gain.
"""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from services.ingestor.extractors.events.gains import count_rows, gain_rows
from services.ingestor.extractors.rows import Rows
from services.monitor.figures import Line, Points
from services.monitor.figures.matplotlib import draw
from services.monitor.framework.declaration import Columns
from services.monitor.monitors.gain.ageing import ageing_figures
from services.monitor.monitors.gain.maps import GainMap, map_artifact
from services.monitor.monitors.gain.pixels import history_of
from services.monitor.monitors.gain.sums import Total, image_of, is_counted, sums_of, total_of
from shared.cos.detector import GAIN_SHAPE
from tests.services.monitor.monitors.gain_maps import findings_of, inputs_of

_PIXELS = np.array([208, 208, 209]) * GAIN_SHAPE[1] + np.array([500, 501, 500])
"""Superpixels at the fourth lifetime position of FUVA."""


def _histograms(counts: tuple[int, int, int], height: int) -> np.ndarray:
    """Return all events of a superpixel at one pulse height and the two beside it."""
    histograms = np.zeros((3, 32), dtype=int)
    for place, count in enumerate(counts):
        histograms[place, height - 1 : height + 2] = count // 4, count // 2, count // 4
    return histograms


_COUNTED = {
    ("le0000001", 58100.0, 163): ((400, 80, 120), 9),
    ("le0000002", 58110.0, 163): ((40, 200, 0), 8),
    ("le0000003", 58110.0, 167): ((100, 100, 40), 10),
    ("l_2018010000000_00_163_cci", 58120.0, 163): ((4000, 4000, 80), 8),
    ("l_2018020000000_02_163_cci", 58121.0, 163): ((80, 0, 40), 14),
}
_COLLECTED = {("le0000004", 58123.0, 163): ((1000, 1000, 400), 8)}
"""In the week of a cumulative image of TIME-TAG exposures."""


def _maps() -> list[Rows]:
    maps = []
    for (name, mjd, level), (counts, height) in (_COUNTED | _COLLECTED).items():
        make = count_rows if "_02_" in name else gain_rows
        histograms = _histograms(counts, height)
        rich = histograms.sum(axis=1) >= 30
        maps.append(make(name, "FUVA", level, mjd, _PIXELS[rich], histograms[rich]))
    return maps


def _of_level(
    inputs: dict[str, Columns], level: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    files = {
        name: column[inputs["files"]["hvlevel"] == level]
        for name, column in inputs["files"].items()
    }
    mine = np.isin(inputs["gains"]["file_id"], files["file_id"])
    return {name: column[mine] for name, column in inputs["gains"].items()}, files


def _expected(levels: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Add up counts and charge of the superpixels, event by event."""
    counts, charge = np.zeros(3), np.zeros(3)
    for (_, _, level), (numbers, height) in _COUNTED.items():
        if level in levels:
            for place, line in enumerate(_histograms(numbers, height)):
                counts[place] += line.sum()
                charge[place] += sum(
                    count * 1e-12 * 10 ** ((p - 11.75) / 20.5) for p, count in enumerate(line)
                )
    return counts, charge


def test_each_event_is_summed_once() -> None:
    inputs = inputs_of(_maps())
    gains, files = _of_level(inputs, 163)
    assert files["rootname"][~is_counted(files)].tolist() == ["le0000004"]
    sums = sums_of(gains, files)
    counts, charge = _expected((163,))
    assert (sums["pixel"] - 163 * GAIN_SHAPE[0] * GAIN_SHAPE[1]).tolist() == _PIXELS.tolist()
    assert sums["counts"].tolist() == counts.tolist()
    assert sums["charge"] == pytest.approx(charge, rel=1e-6)
    history = history_of("FUVA", gains, files, inputs["spots"])
    assert np.isfinite(history.gain).all(), "images of ACCUM exposures have no gain"
    assert len(history.gain) == 3 + 2 + 3 + 3
    assert (
        sums_of({name: column[:0] for name, column in gains.items()}, files)["pixel"].tolist() == []
    )


def test_an_unknown_charge_makes_the_sum_unknown() -> None:
    gains, files = _of_level(inputs_of(_maps()), 167)
    gains["charge"][1] = np.nan  # of a row that was written before there was a charge
    assert np.isnan(sums_of(gains, files)["charge"]).tolist() == [False, True, False]


def test_totals_join_the_voltages() -> None:
    inputs = inputs_of(_maps())
    parts = {level: sums_of(*_of_level(inputs, level)) for level in (163, 167)}
    base = GAIN_SHAPE[0] * GAIN_SHAPE[1]
    pixels = {
        163: {
            "pixel": 163 * base + _PIXELS,
            "first": np.full(3, 9.0),
            "last": np.full(3, 8.0),
            "begin": np.full(3, 58100.0),
            "mjd": np.full(3, 58105.0),
        },
        167: {
            "pixel": 167 * base + _PIXELS[:1],
            "first": np.array([10.0]),
            "last": np.array([10.0]),
            "begin": np.array([58110.0]),
            "mjd": np.array([58110.0]),
        },
    }
    joined = {name: np.concatenate([part[name] for part in parts.values()]) for name in parts[163]}
    total = total_of("FUVA", list(pixels.items()), joined)
    low, high = 0.393 * (178 - 163), 0.393 * (178 - 167)
    assert total.first.ravel()[_PIXELS] == pytest.approx(9.0 + low)
    assert total.last.ravel()[_PIXELS] == pytest.approx([10.0 + high, 8.0 + low, 8.0 + low])
    assert (
        total.counts.ravel()[_PIXELS].tolist()
        == image_of(joined, "counts").ravel()[_PIXELS].tolist()
    )
    assert np.count_nonzero(total.counts) == np.count_nonzero(np.isfinite(total.last)) == 3


def test_maps_hold_what_went_in() -> None:
    inputs = inputs_of(_maps())
    contents = {one.name: gzip.decompress(one.content) for one in findings_of(inputs).artifacts}
    counts, charge = _expected((163,))
    with fits.open(io.BytesIO(contents["gain_fuva_163.fits.gz"])) as hdus:
        header, members = hdus[0].header, hdus["FILES"].data
        assert (header["NUMFILES"], header["COUNTS"], header["EXPSTART"]) == (
            5,
            counts.sum(),
            58100.0,
        )
        assert "EXPTIME" not in header, "cumulative images have none in the database"
        names = [
            "le0000001",
            "le0000002",
            "l_2018010000000_00_163_cci",
            "l_2018020000000_02_163_cci",
            "le0000004",
        ]
        assert members["ROOTNAME"].tolist() == names
        assert members["SUMMED"].tolist() == [True] * 4 + [False]
        # The newest map is that of an exposure, though its events are in an image too.
        assert hdus["COUNTS"].data.ravel()[_PIXELS].tolist() == [1000, 1000, 400]
        newest = _histograms(*_COLLECTED["le0000004", 58123.0, 163])
        charges = newest @ (1e-12 * 10 ** ((np.arange(32) - 11.75) / 20.5))
        assert hdus["CHARGE"].data.ravel()[_PIXELS] == pytest.approx(charges, rel=1e-6)
        assert hdus["CUMLCNTS"].data.ravel()[_PIXELS].tolist() == counts.tolist()
        assert hdus["CUMLCHRG"].data.ravel()[_PIXELS] == pytest.approx(charge, rel=1e-6)
        assert np.count_nonzero(hdus["CUMLCNTS"].data) == 3
        assert hdus["CUMLCHRG"].header["BUNIT"] == "C"
    counts, charge = _expected((163, 167))
    with fits.open(io.BytesIO(contents["total_gain_178.fits.gz"])) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["FUVAINIT", "FUVALAST", "FUVACNTS", "FUVACHRG"]
        assert hdus["FUVACNTS"].data.ravel()[_PIXELS].tolist() == counts.tolist()
        assert hdus["FUVACHRG"].data.ravel()[_PIXELS] == pytest.approx(charge, rel=1e-6)
        assert hdus["FUVALAST"].data.ravel()[_PIXELS] == pytest.approx(8.0 + 0.393 * 15, abs=0.05)
        assert hdus["FUVAINIT"].data.ravel()[_PIXELS] == pytest.approx(9.0 + 0.393 * 15, abs=0.05)


def test_exposure_times_are_summed_where_they_are_known() -> None:
    exposures = [rows for rows in _maps() if not str(rows.common["rootname"]).startswith("l_")]
    gains, files = _of_level(inputs_of(exposures), 163)
    files["exptime"] = np.array([100.0, 200.0, 800.0])
    unknown = dict.fromkeys(
        ("sagged", "sag", "sag_error", "slope", "intercept"), np.full(3, np.nan)
    )
    known = dict.fromkeys(("first", "last", "counts", "charge", "mjd"), np.ones(3))
    pixels = {"pixel": 163 * GAIN_SHAPE[0] * GAIN_SHAPE[1] + _PIXELS} | known | unknown
    artifact = map_artifact(GainMap("FUVA", 163, 58123.0, pixels, sums_of(gains, files), files))
    with fits.open(io.BytesIO(gzip.decompress(artifact.content))) as hdus:
        assert hdus[0].header["EXPTIME"] == 100.0 + 200.0 + 800.0


def test_the_gain_is_shown_against_what_was_given() -> None:
    generator = np.random.default_rng(2)
    counts = np.zeros(GAIN_SHAPE)
    counts[205:220, 300:500] = 10 ** generator.uniform(3.0, 6.0, (15, 200))
    last = np.where(counts > 0, 14.0 - 2.0 * counts / 1e6, np.nan)
    last[10, 10], counts[10, 10] = 20.0, 5.0  # no spectrum falls here
    (figure,) = ageing_figures([Total("FUVA", last, last, counts, counts * 1e-12)])
    assert figure.name == "ageing-fuva"
    for panel, unit in zip(figure.panels, (1.0, 1e-12), strict=True):
        points, line = (
            panel.layers[0],
            next(one for one in panel.layers if isinstance(one, Line) and "4" in one.label),
        )
        assert isinstance(points, Points)
        assert len(points.x) == 15 * 200
        given, median = np.array(line.x, dtype=float), np.array(line.y, dtype=float)
        assert median == pytest.approx(14.0 - 2.0 * 10**given / unit / 1e6, abs=0.2)
    assert draw(figure, "png").startswith(b"\x89PNG")
    assert not list(ageing_figures([Total("FUVB", last * np.nan, last, counts, counts)]))
