"""What can be asked to go wrong does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from shared.errors import PermanentError
from shared.fits import check_fits
from simulator.files.associations import write_association
from simulator.forward.recording import Recording
from simulator.instrument import fuv
from simulator.nominal import FUV_DARK, FUV_GAIN, nominal_state
from simulator.observe import Observation, observe
from simulator.plan import Association, ExposurePlan, Fault, FaultKind
from simulator.references.catalogue import Catalogue
from simulator.state import Viewing
from simulator.verify.cases import CASES

FUV = replace(CASES["FUV G130M/1327 LP1 TAGFLASH BOXCAR"].members[0], exptime=60.0, flashes=())
NUV = replace(CASES["NUV G185M/1850 TAGFLASH"].members[0], exptime=60.0, flashes=())
DARK = replace(CASES["FUV dark"].members[0], exptime=300.0)


def take(plan: ExposurePlan, folder: Path, *faults: Fault) -> Observation:
    asked = replace(plan, faults=faults)
    return observe(
        asked, nominal_state(plan.start), Viewing(7.2, plan.start, 5720.0), folder, Catalogue()
    )


def background(recording: Recording) -> np.ndarray:
    """Give the times of the events between the stims."""
    return recording.time[(recording.y > 200) & (recording.y < 850)]


@pytest.mark.parametrize("segment", ["", "FUVB"])
def test_truncated(segment: str, tmp_path: Path) -> None:
    found = take(FUV, tmp_path, Fault(FaultKind.TRUNCATED, segment=segment))
    broken = tmp_path / f"{FUV.rootname}_rawtag_{'b' if segment else 'a'}.fits"
    with pytest.raises(PermanentError, match="truncated"):
        check_fits(broken)
    for path in found.paths:
        if path != broken:
            check_fits(path)


def test_missing_member_is_named_by_its_association(tmp_path: Path) -> None:
    root = "lsv102010"
    members = [
        replace(FUV, rootname=f"lsv102a{n}q", association=root, member_type="EXP-FP")
        for n in (0, 1)
    ]
    assert take(members[0], tmp_path).paths
    assert not take(members[1], tmp_path, Fault(FaultKind.MISSING)).paths
    with fits.open(write_association(Association(root, tuple(members)), tmp_path)) as hdus:
        rows = {row["MEMNAME"]: row["MEMPRSNT"] for row in hdus[1].data}
    assert rows == {"LSV102A0Q": True, "LSV102A1Q": True, "LSV102010": True}
    assert not list(tmp_path.glob("lsv102a1q*"))


def test_odd_files(tmp_path: Path) -> None:
    root = "lsv102010"
    members = [
        replace(
            NUV,
            rootname=f"lsv102a{n}q",
            association=root,
            member_type="EXP-FP",
            faults=(Fault(kind),),
        )
        for n, kind in enumerate((FaultKind.LEFT_OUT, FaultKind.UPPER_CASE, FaultKind.ODD_TIME))
    ]
    paths = [take(member, tmp_path, *member.faults).paths for member in members]
    with fits.open(write_association(Association(root, tuple(members)), tmp_path)) as hdus:
        rows = {row["MEMNAME"]: row["MEMPRSNT"] for row in hdus[1].data}
    assert rows == {"LSV102A0Q": False, "LSV102A1Q": True, "LSV102A2Q": True, "LSV102010": True}
    assert (tmp_path / "lsv102a0q_rawtag.fits") in paths[0]
    assert (tmp_path / "LSV102A1Q_rawtag.fits") in paths[1]
    assert fits.getval(tmp_path / "lsv102a2q_rawtag.fits", "EXPSTART", 1) == 1e9


@pytest.mark.parametrize("plan", [FUV, NUV], ids=["FUV", "NUV"])
def test_no_events(plan: ExposurePlan, tmp_path: Path) -> None:
    for path in take(plan, tmp_path, Fault(FaultKind.NO_EVENTS)).paths:
        with fits.open(path) as hdus:
            assert len(hdus["EVENTS"].data) == hdus["EVENTS"].header["NEVENTS"] == 0
            assert hdus["EVENTS"].header["EXPTIME"] == plan.exptime


def test_segment_off(tmp_path: Path) -> None:
    (path,) = take(FUV, tmp_path, Fault(FaultKind.SEGMENT_OFF, segment="FUVB")).paths
    assert path.name.endswith("_rawtag_a.fits")
    with fits.open(path) as hdus:
        assert hdus[0].header["DETECTHV"] == "NomA"
        assert (hdus[1].header["HVLEVELA"], hdus[1].header["HVLEVELB"]) == (FUV.hv_level_a, 100)
        assert hdus[1].header["EXPTIMEB"] == 0.0


@pytest.mark.parametrize("kind", [FaultKind.BURST, FaultKind.BAD_TIME])
def test_burst(kind: FaultKind, tmp_path: Path) -> None:
    recordings = take(DARK, tmp_path, Fault(kind, 100.0, 120.0, 500.0, segment="FUVA")).recordings
    quiet = FUV_DARK * fuv.SEGMENTS["FUVA"].active.pixels
    for segment, extra in (("FUVA", 500.0), ("FUVB", 0.0)):
        times = background(recordings[segment])
        expected = (quiet + extra) * 20.0
        assert (
            abs(((times >= 100.0) & (times < 120.0)).sum() - expected)
            < 5 * np.sqrt(expected) + 0.01 * expected
        )
        assert abs((times < 100.0).sum() - quiet * 100.0) < 5 * np.sqrt(quiet * 100.0)


def test_south_atlantic_anomaly(tmp_path: Path) -> None:
    recording = take(DARK, tmp_path, Fault(FaultKind.SAA, 200.0, 300.0, 20.0)).recordings["FUVB"]
    times = background(recording)
    expected = 20.0 * FUV_DARK * fuv.SEGMENTS["FUVB"].active.pixels * 100.0
    assert abs((times >= 200.0).sum() - expected) < 5 * np.sqrt(expected) + 0.01 * expected
    assert (times < 100.0).sum() < 0.1 * expected


def test_voltage_step_moves_the_pulse_heights(tmp_path: Path) -> None:
    fault = Fault(FaultKind.HV_STEP, 30.0, amount=8.0, segment="FUVA")
    found = take(FUV, tmp_path, fault)
    for segment, step in (("FUVA", 8.0 * fuv.GAIN_PER_LEVEL), ("FUVB", 0.0)):
        recording = found.recordings[segment]
        light = np.abs(recording.y - 485.0) < 60  # the spectrum
        before, after = (
            recording.pulse_height[light & late]
            for late in (recording.time < 30, recording.time >= 30)
        )
        assert np.median(before) == FUV_GAIN
        assert np.median(after) == FUV_GAIN + step
    assert fits.getheader(found.paths[0], 1)["EXPFLAG"] == "INTERRUPTED"
