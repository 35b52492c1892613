"""The forward model: deterministic, physical, and what its parts say."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.forward.fuv import to_raw
from simulator.forward.photons import Photons
from simulator.forward.recording import register
from simulator.instrument import fuv, nuv
from simulator.nominal import FUV_DARK, nominal_state
from simulator.observe import expose
from simulator.plan import ExposurePlan
from simulator.state import Curve, HotSpot, Viewing
from simulator.verify.cases import CASES

_VIEWING = Viewing(7.2, 57000.0, 5720.0, 12.0)


def plan_of(case: str, **changes: object) -> ExposurePlan:
    return replace(CASES[case].members[0], **changes)  # type: ignore[arg-type]


FUV = plan_of("FUV G130M/1327 LP1 TAGFLASH BOXCAR", exptime=40.0, flashes=())
NUV = plan_of("NUV G185M/1850 TAGFLASH", exptime=40.0, flashes=())


@pytest.mark.parametrize("plan", [FUV, NUV], ids=["FUV", "NUV"])
def test_same_seed_gives_same_events(plan: ExposurePlan) -> None:
    state = nominal_state(plan.start)
    first, again, other = (expose(plan, state, _VIEWING, seed) for seed in (1, 1, 2))
    for name, recording in first.items():
        for field in ("time", "x", "y", "pulse_height"):
            assert np.array_equal(getattr(recording, field), getattr(again[name], field))
        assert not np.array_equal(recording.x[:100], other[name].x[:100])
        assert np.all(np.diff(recording.time) >= 0)
        assert 0 <= recording.time[0] < recording.time[-1] < plan.exptime


def test_stims_and_dark_of_a_dark_exposure() -> None:
    plan = replace(CASES["FUV dark"].members[0], exptime=1000.0)
    state = nominal_state(plan.start)
    recording = expose(plan, state, _VIEWING, 3)["FUVA"]
    stim = state.detectors["FUVA"].stims[0]
    near = (np.abs(recording.x - stim.x) < 10) & (np.abs(recording.y - stim.y) < 5)
    count = near.sum()
    assert abs(count - 30.0 * 1000.0) < 4 * np.sqrt(30000)
    assert abs(recording.x[near].mean() - stim.x) < 4 * stim.sigma_x / np.sqrt(count)
    dark = FUV_DARK * fuv.SEGMENTS["FUVA"].active.pixels * 1000.0 * recording.live_time
    background = (recording.y > 200) & (recording.y < 850)
    assert abs(background.sum() - dark) < 4 * np.sqrt(dark)


def test_register_loses_what_the_dead_time_takes() -> None:
    generator = np.random.default_rng(0)
    count, exptime = 400_000, 20.0
    time = generator.random(count) * exptime
    photons = Photons(time, np.full(count, 10.0), np.where(np.arange(count) % 2, 20.0, 2000.0))
    found = register(photons, np.zeros(count, "u1"), nuv.SHAPE, exptime, fuv.live_time, generator)
    rate = count / 2 / exptime  # the other half falls beside the detector and costs no dead time
    live = 1.0
    for _ in range(20):
        live = float(fuv.live_time(rate * live))
    assert found.live_time == pytest.approx(live, abs=1e-4)
    assert abs(found.time.size / (count / 2) - live) < 4 * np.sqrt(live * (1 - live) / (count / 2))


def test_curves() -> None:
    curve = Curve((0.0, 10.0), (1.0, 3.0))
    assert curve.mean(0.0, 10.0) == pytest.approx(2.0)
    assert curve.mean(5.0, 20.0) == pytest.approx((5 * 2.5 + 10 * 3.0) / 15)
    assert Curve.constant(4.0)(np.zeros((2, 3))).shape == (2, 3)


def test_distortion_is_undone() -> None:
    """What the forward model adds, CalCOS's order of corrections takes away again."""
    generator = np.random.default_rng(4)
    segment, detector = fuv.SEGMENTS["FUVB"], nominal_state(57000.0).detectors["FUVB"]
    area = segment.active
    x = generator.uniform(area.left, area.right, 1000)
    y = generator.uniform(area.low, area.high, 1000)
    pulse = generator.integers(0, 32, 1000).astype(np.uint8)
    raw_x, raw_y = to_raw("FUVB", detector, Photons(np.zeros(1000), x, y), pulse)
    (ref1, ref2), (stim1, stim2) = segment.stims, detector.stims
    back_x = ref1[0] + (raw_x - stim1.x) * (ref2[0] - ref1[0]) / (stim2.x - stim1.x)
    back_y = ref1[1] + (raw_y - stim1.y) * (ref2[1] - ref1[1]) / (stim2.y - stim1.y)
    for function in (fuv.distortion, fuv.delta_distortion):
        dx, dy = function("FUVB", back_x, back_y)
        back_x, back_y = back_x - dx, back_y - dy
    walked_x, walked_y = fuv.walk_x("FUVB", pulse, back_x), fuv.walk_y("FUVB", pulse, back_y)
    assert np.abs(back_x - walked_x - x).max() < 0.01
    assert np.abs(back_y - walked_y - y).max() < 0.03


@pytest.mark.parametrize(("plan", "name"), [(FUV, "FUVA"), (NUV, "NUV")], ids=["FUV", "NUV"])
def test_hot_spot_counts_while_it_is_there(plan: ExposurePlan, name: str) -> None:
    """It comes in the middle of the exposure, and stays."""
    middle = plan.start + 0.5 * plan.exptime / 86400.0
    spot = HotSpot(name, 700.0, 600.0, 50.0, middle, middle + 1.0)  # type: ignore[arg-type]
    state = nominal_state(plan.start)
    hot = {**state.detectors, name: replace(state.detectors[name], spots=(spot,))}
    quiet, found = (
        expose(plan, made, _VIEWING, 5)[name] for made in (state, replace(state, detectors=hot))
    )
    extra = found.time.size - quiet.time.size
    assert extra == pytest.approx(
        spot.rate * 0.5 * plan.exptime, abs=5 * (25 * plan.exptime) ** 0.5
    )
    early = [int(np.count_nonzero(one.time < 0.5 * plan.exptime - 0.1)) for one in (quiet, found)]
    assert early[0] == pytest.approx(early[1], abs=0.01 * early[0] + 1)
