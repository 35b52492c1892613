"""What the simulator puts in comes out of the tables, through CalCOS and the ingest of its
products.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from services.calibrator.calcos.contract import ChildRun
from services.calibrator.calcos.process import Child
from shared.cos.detector import ACTIVE_AREAS, DARK_REGIONS, X_BINNING
from simulator.files.support import GuideStars, support_file
from simulator.forward.fuv import dark_share
from simulator.nominal import FUV_DARK, FUV_GAIN, nominal_state
from simulator.observe import Observation, observe
from simulator.orbit import Orbit
from simulator.plan import ExposurePlan, Spectrum, Target
from simulator.references.catalogue import Catalogue
from simulator.sky import saa_distance, subsolar
from simulator.state import GRID_X, GRID_Y, InstrumentState, Viewing, uniform_grid
from simulator.verify.cases import CASES
from simulator.verify.running import unpack
from tests.services.ingestor.conftest import Archive

pytestmark = pytest.mark.e2e

_DARK = replace(CASES["FUV dark"].members[0], exptime=1000.0, rootname="lsv1daa0q")
_STAR = Target("WD0308-565", 47.4495, -56.39698, spectrum=Spectrum(4e-14, 0.0))
_SCIENCE = replace(
    CASES["FUV G140L/1105 LP2, segment A only"].members[0], rootname="lsv1gaa0q", target=_STAR
)
_ORBIT = Orbit()
_TEMPERATURES = {"FUVA": 24.8, "FUVB": 23.1}
_GAINS = (11.0, 5.5, 8.0)
"""Modal gains of three parts of the detector, along dispersion; most events are in the first."""

_GAIN_SIGMA = 1.2
_STIM_PULSE_HEIGHT = 12
_STEP = 4096


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("references")


def _dark_state() -> InstrumentState:
    """Return the background that differs from region to region.

    Brighter above, fainter below, bright at the left side.
    """
    state = nominal_state(_DARK.start)
    rows = np.linspace(0.5, 1.5, uniform_grid(0.0).shape[0], dtype=np.float32)[:, None]
    background = np.broadcast_to(rows, uniform_grid(0.0).shape).copy()
    background[:, : 1280 // GRID_X] *= 3.0
    detectors = {
        name: replace(state.detectors[name], dark_map=background, temperature=temperature)
        for name, temperature in _TEMPERATURES.items()
    }
    return replace(state, detectors={**state.detectors, **detectors})


def _science_state() -> InstrumentState:
    """Return the gain in three steps, each as wide as a quarter of the detector."""
    state = nominal_state(_SCIENCE.start)
    gain = uniform_grid(_GAINS[0])
    gain[:, _STEP // GRID_X : 2 * _STEP // GRID_X] = _GAINS[1]
    gain[:, 2 * _STEP // GRID_X :] = _GAINS[2]
    changed = replace(state.detectors["FUVA"], modal_gain=gain, gain_sigma=_GAIN_SIGMA)
    return replace(state, detectors={**state.detectors, "FUVA": changed})


async def _calibrated(
    plan: ExposurePlan, state: InstrumentState, references: Path, folder: Path
) -> tuple[Observation, Path]:
    """Take an exposure and calibrate it; its raw and calibrated files come to lie in one folder."""
    catalogue, raw, products = Catalogue(), folder / "raw", folder / "products"
    raw.mkdir()
    taken = observe(plan, state, Viewing(7.2, plan.start, 5720.0), raw, catalogue)
    support_file(plan, _ORBIT, state, GuideStars()).writeto(raw / f"{plan.rootname}_spt.fits")
    unpack(
        references,
        catalogue.write(references, catalogue.select(plan).values()),
        references / "plain",
    )
    products.mkdir()
    child = Child(
        ChildRun(taken.paths[0], products, references / "plain", 8192, 600.0, images=False)
    )
    await child.wait()
    assert child.end().status == 0
    for path in raw.glob("*.fits"):
        path.rename(products / path.name)
    return taken, products


async def _rows(archive: Archive, query: str) -> list[Any]:
    async with archive.database.session() as session:
        return list((await session.execute(text(query))).all())


async def _ingested(
    archive: Archive, plan: ExposurePlan, state: InstrumentState, references: Path, folder: Path
) -> Observation:
    taken, products = await _calibrated(plan, state, references, folder)
    wanted = ("_corrtag", "_spt", "_rawtag", "_x1d", "_lampflash")
    paths = [
        path
        for path in sorted(products.glob("*.fits"))
        if any(kind in path.name for kind in wanted)
    ]
    await archive.add(plan.rootname, paths)
    shutil.rmtree(products)
    return taken


def _mean_background(state: InstrumentState, segment: str, region: str) -> float:
    """Return the mean of the background map over a region, pixel by pixel."""
    box = DARK_REGIONS[segment][region]
    y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(int)
    return float(state.detectors[segment].dark_map[y // GRID_Y, x // GRID_X].mean())


async def test_darks_stims_and_pulse_heights(
    archive: Archive, references: Path, tmp_path: Path
) -> None:
    state = _dark_state()
    taken = await _ingested(archive, _DARK, state, references, tmp_path)
    for segment in ("FUVA", "FUVB"):
        live = taken.recordings[segment].live_time
        await _check_dark_rates(archive, state, segment, live)
        await _check_stims(archive, state, segment)
    await _check_where(archive)


async def _check_dark_rates(
    archive: Archive, state: InstrumentState, segment: str, live: float
) -> None:
    found = await _rows(
        archive,
        "SELECT region, count(*), sum(counts)::float, sum(all_counts)::float, avg(dark), "
        "avg(ta_dark), "
        f"min(temp), max(temp) FROM darks WHERE detector = '{segment}' GROUP BY region ORDER BY "
        "region",
    )
    assert [row[0] for row in found] == ["bottom", "inner", "left", "right", "top"]
    for region, bins, counts, every, dark, ta_dark, coldest, warmest in found:
        expected = FUV_DARK * _mean_background(state, segment, region) * live
        assert bins == 40, region
        assert ta_dark == pytest.approx(expected, rel=4 / every**0.5), (segment, region)
        assert dark == pytest.approx(
            expected * float(dark_share(3, 22, FUV_GAIN)), rel=4 / counts**0.5
        ), (
            segment,
            region,
        )
        assert coldest == warmest == pytest.approx(_TEMPERATURES[segment], abs=0.01)


async def _check_stims(archive: Archive, state: InstrumentState, segment: str) -> None:
    found = await _rows(
        archive,
        "SELECT count(*), avg(stim1_x), avg(stim1_y), avg(stim2_x), avg(stim2_y), "
        "sum(stim1_counts), sum(stim2_counts) "
        f"FROM stims WHERE segment = '{segment}'",
    )
    ((steps, x1, y1, x2, y2, first, second),) = found
    detector = state.detectors[segment]
    assert steps == 8  # of 120 s
    for stim, place, counts in zip(
        detector.stims, ((x1, y1), (x2, y2)), (first, second), strict=True
    ):
        assert float(counts) == pytest.approx(0.5 * detector.stim_rate * 960.0, rel=0.05)
        # Raw coordinates are whole: the mean of what is cut off is half a pixel or none, as the
        # reader rounds.
        assert place == pytest.approx((stim.x, stim.y), abs=0.05)


async def _check_where(archive: Archive) -> None:
    found = await _rows(
        archive,
        "SELECT mjd, latitude, longitude, sun_lat, sun_lon, saa_distance FROM darks "
        "WHERE detector = 'FUVA' AND region = 'inner' ORDER BY mjd",
    )
    mjd, latitude, longitude, sun_lat, sun_lon, distance = np.array(found, dtype=np.float64).T
    assert mjd[0] == _DARK.start
    assert np.diff(mjd) * 86400.0 == pytest.approx(25.0, abs=1e-3)
    true_latitude, true_longitude = _ORBIT.ground(mjd)
    assert np.abs(latitude - true_latitude).max() < 0.05
    assert np.abs((longitude - true_longitude + 180.0) % 360.0 - 180.0).max() < 0.5
    true_sun = subsolar(mjd)
    assert np.abs(sun_lat - true_sun[0]).max() < 0.1
    assert np.abs((sun_lon - true_sun[1] + 180.0) % 360.0 - 180.0).max() < 0.5
    assert distance == pytest.approx(
        saa_distance(_DARK.start, true_latitude, true_longitude), abs=30.0
    )


async def test_modal_gain_and_pulse_height_peak(
    archive: Archive, references: Path, tmp_path: Path
) -> None:
    taken = await _ingested(archive, _SCIENCE, _science_state(), references, tmp_path)
    for part, (gain, (first, last)) in enumerate(zip(_GAINS, _parts(), strict=True)):
        found = await _rows(
            archive,
            "SELECT gain, counts FROM gain WHERE segment = 'FUVA' AND dethv = 167 AND x BETWEEN "
            f"{first} AND {last}",
        )
        gains, counts = np.array(found, dtype=np.float64).T
        assert len(gains) > 1000, part
        assert np.median(gains) == pytest.approx(gain, abs=0.05), part
        error = _GAIN_SIGMA / np.sqrt(counts)
        assert np.mean(np.abs(gains - gain) < 4 * error) > 0.99, part
    await _check_pulse_heights(archive, taken)


def _parts() -> Iterator[tuple[int, int]]:
    """Yield the first and last column of superpixels of each part of the same gain, away from where
    the next one begins.
    """
    last = int(ACTIVE_AREAS["FUVA"].x1) // X_BINNING
    yield 0, _STEP // X_BINNING - 3
    yield _STEP // X_BINNING + 3, 2 * _STEP // X_BINNING - 3
    yield 2 * _STEP // X_BINNING + 3, last


async def _check_pulse_heights(archive: Archive, taken: Observation) -> None:
    names = ", ".join(f"pha_{height}" for height in range(32))
    ((hvlevel, life_adj, counts, *heights),) = await _rows(
        archive, f"SELECT hvlevel, life_adj, counts, {names} FROM phd"
    )
    assert (hvlevel, life_adj, counts) == (_SCIENCE.hv_level_a, _SCIENCE.life_adj, sum(heights))
    recorded = np.bincount(taken.recordings["FUVA"].pulse_height, minlength=32)
    recorded[_STIM_PULSE_HEIGHT] -= round(
        _science_state().detectors["FUVA"].stim_rate * _SCIENCE.exptime
    )
    # Stims are left out; an event of the edge may be put beyond it.
    assert np.abs(np.array(heights) - recorded).max() < 5e-3 * counts
    assert heights.index(max(heights)) == _GAINS[0]
