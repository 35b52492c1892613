"""Support and jitter files: read back with COSMO's own extractors, and with CalCOS."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from calcos.orbit import HSTOrbit

from shared.fits import check_fits
from simulator.description import Instrument
from simulator.files.jitter import jitter_files
from simulator.files.support import GuideStars, support_file
from simulator.observatory import state_of, viewing_of
from simulator.plan import ExposurePlan, Flash, Target
from tests.services.ingestor.bench import extract_file, rows_of

INSTRUMENT = Instrument(seed=4)
PLAN = ExposurePlan(
    "ldab01a1q",
    14001,
    "01.002",
    57500.3,
    900.0,
    "FUV",
    "TIME-TAG",
    "EXTERNAL/SCI",
    "G130M",
    1291,
    Target("WD0308-565", 47.45, -56.3),
    fppos=4,
    life_adj=3,
    hv_level_a=167,
    hv_level_b=169,
    flashes=(Flash(0.0, 12.0),),
    association="ldab01010",
    member_type="EXP-FP",
)
GUIDING = GuideStars("S6VG000068F2", "S6V9000050F3", 123.4)


def test_support_file_feeds_the_ingestor_and_calcos(tmp_path: Path) -> None:
    path = tmp_path / "ldab01a1q_spt.fits"
    support_file(PLAN, INSTRUMENT.orbit, state_of(INSTRUMENT, PLAN), GUIDING).writeto(path)
    check_fits(path)
    (row,) = rows_of(extract_file(path), "spt")
    assert row["rootname"] == PLAN.rootname
    assert row["dominant_gs"] == "S6VG000068F2"
    assert row["start_time"] == "2016.113:07:10:40"
    assert 23.0 < float(str(row["ldcampat"])) < 28.0
    assert float(str(row["ldcampbt"])) < float(str(row["ldcampat"]))
    assert row["lapdlvdt"] == 2477.0
    assert all(
        value is not None for key, value in row.items() if key not in ("search_type", "prop_typ")
    )
    orbit = HSTOrbit(str(path))
    for mjd in (PLAN.start, PLAN.stop):
        assert np.linalg.norm(orbit.getPos(mjd)[0] - INSTRUMENT.orbit.position(mjd)) < 0.2


@pytest.mark.parametrize(
    ("exptype", "lamp_sets", "hdus"),
    [("ACQ/IMAGE", 1, 10), ("ACQ/PEAKXD", 1, 7), ("ACQ/PEAKD", 0, 4)],
)
def test_acquisitions_have_their_snapshots(
    tmp_path: Path, exptype: str, lamp_sets: int, hdus: int
) -> None:
    plan = replace(
        PLAN, exptype=exptype, obsmode="ACCUM", association="", member_type="", flashes=()
    )
    content = support_file(
        plan, INSTRUMENT.orbit, state_of(INSTRUMENT, plan), GUIDING, lamp_sets=lamp_sets
    )
    assert len(content) == hdus
    assert content[2].header["LAPMPOS"] == ("WCA" if lamp_sets else "PSA")
    assert content[3].header["LDCAMPAT"] == 129.42


def test_jitter_of_an_association_has_a_table_for_each_exposure(tmp_path: Path) -> None:
    second = replace(PLAN, rootname="ldab01a3q", start=PLAN.start + 0.02)
    table, image = jitter_files("ldab01010", (PLAN, second), INSTRUMENT, GUIDING)
    path = tmp_path / "ldab01010_jit.fits"
    table.writeto(path)
    image.writeto(tmp_path / "ldab01010_jif.fits")
    check_fits(path)
    check_fits(tmp_path / "ldab01010_jif.fits")
    with fits.open(path) as hdus:
        assert [hdu.header["EXPNAME"] for hdu in hdus[1:]] == ["ldab01a1j", "ldab01a3j"]
        data = hdus[1].data
        assert len(data.names) == 28
        assert len(data) == 300
        latitude, longitude = INSTRUMENT.orbit.ground(
            PLAN.start + data["Seconds"].astype(float) / 86400.0
        )
        assert np.allclose(data["Latitude"], latitude, atol=1e-4)
        assert np.allclose(data["Longitude"], longitude, atol=1e-3)
        assert abs(data["SI_V2_AVG"].std() - 0.0016) < 3e-4
        field = np.sqrt(sum(data[f"Mag_V{axis}"].astype(float) ** 2 for axis in (1, 2, 3)))
        assert 0.15 < field.min() < field.max() < 0.6
    assert image[1].data.sum() > 290


def test_unguided_exposures_hold_placeholders() -> None:
    table, _ = jitter_files(
        "ldab01a1j", (replace(PLAN, exptime=0.4),), INSTRUMENT, GUIDING, locked=False
    )
    assert table[1].data["SI_V2_AVG"][0] == pytest.approx(1.6e38)
    assert table[1].data["Seconds"][1] == pytest.approx(0.05)
    assert np.isfinite(table[1].data["Latitude"]).all()


def test_viewing_is_hubble_s() -> None:
    viewing = viewing_of(INSTRUMENT, PLAN)
    assert 5.0 < viewing.doppler_amplitude < 7.6
    assert 0.0 <= PLAN.start - viewing.doppler_zero < viewing.orbit_period / 86400.0
    assert 40.0 < viewing.sun_angle < 180.0
