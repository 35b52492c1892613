"""What the instrument does over the years has the signs and sizes that the monitors of the real one
saw.
"""

import numpy as np
import pytest

from shared.cos.instrument_history import LIFETIME_POSITIONS
from simulator import background, evolution
from simulator.description import Instrument
from simulator.sky import in_saa, saa_distance

MADE = Instrument(seed=3)
YEAR = 365.25


def _gain(mjd: float, position: int, x: float = 7000.0, instrument: Instrument = MADE) -> float:
    row = evolution.spectrum_row("FUVA", LIFETIME_POSITIONS[position - 1])
    return float(evolution.modal_gain(instrument, "FUVA", mjd, x, row))


def test_gain_falls_where_light_falls() -> None:
    begin, end = 57100.0, 58000.0
    lost = _gain(begin, 3) - _gain(end, 3)
    assert lost == pytest.approx(0.9 * (end - begin) / YEAR, rel=0.01)
    assert _gain(begin, 3, x=2500.0) - _gain(end, 3, x=2500.0) > 2.5 * lost
    assert _gain(begin, 4) - _gain(end, 4) < 0.1
    assert _gain(59000.0, 3) - _gain(59100.0, 3) == pytest.approx(0.0, abs=0.02)
    assert _gain(begin, 3, instrument=Instrument(seed=3, sag=2.0)) < _gain(begin, 3)


def test_gain_follows_the_voltage() -> None:
    """A step of four levels at MJD 58700 lifts fresh detector everywhere by 0.393 bins a level."""
    steps = [
        float(evolution.modal_gain(MADE, "FUVA", mjd, 7000.0, 700.0)) for mjd in (58699.0, 58701.0)
    ]
    assert (
        evolution.hv_level(MADE, "FUVA", 58701.0) - evolution.hv_level(MADE, "FUVA", 58699.0) == 4
    )
    assert steps[1] - steps[0] == pytest.approx(4 * 0.393, abs=0.01)


def test_dark_rate_of_the_fuv() -> None:
    times = 57500.0 + np.arange(0.0, 2.0, 1 / 1440)
    rate = background.dark_rate(MADE, "FUVA", times)
    inside = in_saa(57500.0, *MADE.orbit.ground(times))
    assert 0.02 < inside.mean() < 0.2
    assert rate[inside].mean() > 1.5 * np.median(rate[~inside])
    assert 0.8e-6 < np.median(rate) < 1.6e-6
    solar = [
        np.median(background.dark_rate(MADE, "FUVA", mjd + np.arange(0.0, 2.0, 1 / 1440)))
        for mjd in (56600, 58600)
    ]
    assert solar[0] > 1.3 * solar[1]  # maximum of the cycle in 2013 and 2014, minimum in 2019
    assert (
        np.median(background.dark_rate(MADE, "FUVB", 60250.0 + np.arange(0.0, 1.0, 1 / 1440)))
        > 3e-6
    )


def test_dark_rate_of_the_nuv_follows_age_and_warmth() -> None:
    early, late = (
        background.dark_rate(MADE, "NUV", mjd + np.arange(0.0, YEAR, 5.0))
        for mjd in (55000.0, 60000.0)
    )
    assert 2.0 < late.mean() / early.mean() < 4.0
    assert 0.9e-3 < late.mean() < 1.5e-3
    times = 57000.0 + np.arange(0.0, 55.0, 0.1)
    times = times[saa_distance(57000.0, *MADE.orbit.ground(times)) > 2000.0]
    warmth, rate = (
        background.tube_temperature(MADE, times),
        np.log(background.dark_rate(MADE, "NUV", times)),
    )
    assert len(times) > 100
    assert np.corrcoef(warmth, rate)[0, 1] > 0.98
    assert np.polyfit(warmth, rate, 1)[0] == pytest.approx(1 / 9, rel=0.1)


def test_spectra_drift_across_dispersion_by_tenths_of_a_pixel() -> None:
    moved = 58000.0
    times = moved + np.array([0.0, 3000.0, 86400.0]) / 86400.0
    start, one_constant, end = evolution.osm_drift_across(MADE, "G225M", moved, times)
    assert start == 0.0
    assert 0.1 < end < 0.8
    assert one_constant / end == pytest.approx(1.0 - np.exp(-1.0), rel=1e-3)


def test_dispersion_changes_from_a_date_on() -> None:
    changes = (("G160M", 58000.0, 4.0, 3e-5), ("G160M", 59000.0, 2.0, 0.0))
    made = Instrument(seed=3, dispersions=changes)
    expected = {57999.0: (0.0, 0.0), 58000.0: (4.0, 3e-5), 59001.0: (2.0, 0.0)}
    for mjd, change in expected.items():
        assert evolution.dispersion_change(made, "G160M", mjd) == change
        assert evolution.dispersion_change(made, "G130M", mjd) == (0.0, 0.0)


def test_spectra_drift_after_a_move_and_settle() -> None:
    moved = 57500.0
    drift = evolution.osm_drift(MADE, "G130M", moved, moved + np.array([0.0, 0.05, 0.2, 0.4]))
    assert drift[0] == 0.0
    assert -5.0 < drift[2] < drift[1] < -0.5
    assert abs(drift[3] - drift[2]) < 0.02
    assert evolution.landing(MADE, "G130M", moved) == evolution.landing(MADE, "G130M", moved)
    assert evolution.landing(MADE, "G130M", moved) != evolution.landing(MADE, "G130M", moved + 1.0)
    spread = np.std([evolution.landing(MADE, "G130M", moved + day)[0] for day in range(400)])
    assert spread == pytest.approx(2.5, rel=0.1)


def test_zero_points_step() -> None:
    values = np.array(
        [evolution.zero_point(MADE, "G130M", mjd)[0] for mjd in np.arange(55000.0, 60000.0, 5.0)]
    )
    steps = np.flatnonzero(np.diff(values))
    assert 4 <= len(steps) <= 20
    creep = (
        evolution.zero_point(MADE, "G230L", 58000.001)[0]
        - evolution.zero_point(MADE, "G230L", 58000.0)[0]
    )
    assert creep == pytest.approx(-4.5 * 0.001 / YEAR, rel=1e-6)


def test_stims_follow_the_temperature() -> None:
    times = 57000.0 + np.arange(0.0, 300.0, 3.0)
    warmth = [float(background.amplifier_temperature(MADE, "FUVA", mjd)) for mjd in times]
    (left, right) = np.array(
        [evolution.stim_offsets(MADE, "FUVA", mjd) for mjd in times]
    ).transpose(1, 2, 0)
    stretch = right[0] - left[0]
    slope, ageing, _ = np.linalg.lstsq(
        np.column_stack([warmth, times / YEAR, np.ones_like(times)]), stretch
    )[0]
    assert (slope, ageing) == (pytest.approx(2.4), pytest.approx(0.35, rel=1e-3))


def test_sensitivity_declines_and_since_2022_faster_than_its_table() -> None:
    early, late = evolution.sensitivity("FUV", 55000.0), evolution.sensitivity("FUV", 59000.0)
    assert all(b < a for a, b in zip(early.values, late.values, strict=True))
    table = evolution.sensitivity("FUV", 59580.0).values[0]
    assert evolution.sensitivity("FUV", 59580.0 + YEAR).values[0] < 0.985 * table


def test_lamps_fade() -> None:
    assert float(evolution.lamp_output("P1", 54952.0 + 10 * YEAR)) == pytest.approx(np.exp(-0.12))
    assert float(evolution.lamp_output("P2", 59000.0)) > float(evolution.lamp_output("P1", 59000.0))


def test_guiding_is_aligned_again() -> None:
    """FGS 1 creeps within its alignments and jumps at 2019.352, MJD 58835."""
    around = [
        np.array(evolution.blind_pointing(MADE, "F1", mjd))
        for mjd in (58833.0, 58834.0, 58836.0, 58837.0)
    ]
    creep, jump = around[1] - around[0], around[2] - around[1]
    assert np.hypot(*jump) > 50 * np.hypot(*creep)
