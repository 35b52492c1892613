"""Acquisitions: the algorithms find the offset that was put in, as well as they do on orbit."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.acquisitions import Dwells, ImageAcquisition, LampPeakup, transmission
from simulator.description import Instrument
from simulator.observatory import state_of
from simulator.plan import ExposurePlan, Spectrum, Target
from simulator.state import InstrumentState

INSTRUMENT = Instrument(seed=3)
STAR = Target("WD0308-565", 47.45, -56.3, spectrum=Spectrum(flux=2e-13), imaging_rate=900.0)
IMAGE = ExposurePlan(
    "ldab01a1q",
    14001,
    "01.001",
    57500.3,
    20.0,
    "NUV",
    "ACCUM",
    "ACQ/IMAGE",
    "MIRRORA",
    0,
    STAR,
    segment="N/A",
)
PEAKD = replace(
    IMAGE,
    exptype="ACQ/PEAKD",
    detector="FUV",
    opt_elem="G130M",
    cenwave=1291,
    segment="BOTH",
    life_adj=3,
)


def _state(plan: ExposurePlan, x: float, y: float) -> InstrumentState:
    return replace(state_of(INSTRUMENT, plan), target_offset=(x, y))


def test_image_acquisition_centres_the_target() -> None:
    outcome = ImageAcquisition.observe(IMAGE, _state(IMAGE, 0.42, -0.31), np.random.default_rng(1))
    assert outcome.success
    assert outcome.slew == pytest.approx((0.42, -0.31), abs=0.02)
    assert outcome.slew[0] == pytest.approx(
        (outcome.centroid[0] - outcome.preferred[0]) / 42.5, abs=6e-4
    )
    y, x = np.indices((1024, 1024))
    near = np.hypot(x - outcome.preferred[0], y - outcome.preferred[1]) < 15
    second = outcome.images[1] * near
    assert np.sum(x * second) / second.sum() == pytest.approx(outcome.preferred[0], abs=0.7)
    assert np.sum(y * second) / second.sum() == pytest.approx(outcome.preferred[1], abs=0.7)


def test_image_of_nothing_fails() -> None:
    plan = replace(IMAGE, target=Target("NOTHING"))
    outcome = ImageAcquisition.observe(plan, _state(plan, 0.0, 0.0), np.random.default_rng(1))
    assert not outcome.success
    assert outcome.slew == (0.0, 0.0)


@pytest.mark.parametrize(("offset", "axis"), [(0.35, 0), (-0.5, 0)])
def test_peakup_slews_towards_the_target(offset: float, axis: int) -> None:
    outcome = Dwells.observe(PEAKD, _state(PEAKD, offset, 0.0), np.random.default_rng(2))
    assert outcome.success
    assert outcome.floor > 0
    assert outcome.counts.min() == 0
    assert outcome.slew[axis] == pytest.approx(offset, abs=0.1)
    assert outcome.slew[1] == 0.0
    assert outcome.slew[0] == pytest.approx(
        np.sum(outcome.x * outcome.counts) / outcome.counts.sum()
    )


def test_peakup_across_dispersion_changed_in_2017() -> None:
    early = replace(PEAKD, exptype="ACQ/PEAKXD", exptime=10.0)
    lamp = LampPeakup.observe(early, _state(early, 0.0, 0.4), np.random.default_rng(3))
    assert lamp.slew == pytest.approx(0.4, abs=0.05)
    assert lamp.slew == pytest.approx((lamp.measured - lamp.preferred) * 0.0909, abs=1e-3)
    late = replace(early, start=58500.2, life_adj=4)
    dwells = Dwells.observe(late, _state(late, 0.0, 0.4), np.random.default_rng(3))
    assert len(dwells.counts) == 3
    assert 0.05 < dwells.slew[1] < 0.6


def test_search_finds_a_distant_target() -> None:
    search = replace(PEAKD, exptype="ACQ/SEARCH")
    outcome = Dwells.observe(search, _state(search, 1.6, -1.5), np.random.default_rng(4))
    assert len(outcome.counts) == 9
    assert outcome.slew == pytest.approx((1.6, -1.5), abs=0.45)


def test_aperture_loses_what_the_handbook_says() -> None:
    assert transmission(np.array([0.4, 0.65]), np.array([0.0, 0.0])) == pytest.approx(
        [0.99, 0.95], abs=0.01
    )
