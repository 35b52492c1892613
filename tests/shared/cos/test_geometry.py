"""Positions of HST, of the Sun and of the SAA, and dates."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import FK5, EarthLocation, get_sun
from astropy.io import fits
from astropy.time import Time
from astropy.units import deg

from shared.cos.dates import decimal_year, parse_day_of_year
from shared.cos.orbit import (
    ELEMENTS,
    equinox_of_2000,
    ground_position,
    sidereal_time,
    subsolar_point,
)
from shared.cos.saa import saa_contour, saa_distance
from shared.errors import PermanentError

_EXPSTART = 58486.19196402


def test_hst_is_where_calcos_puts_it_but_for_the_equinox(data_dir: Path) -> None:
    header = fits.getheader(data_dir / "acquisitions" / "ldngz2szq_spt.fits.gz")
    times = np.array([_EXPSTART])
    here = ground_position(header, times)
    # What CalCOS writes into the TIMELINE table of this exposure.
    calcos = np.array([-10.811]), np.array([261.567])
    of_2000 = equinox_of_2000(*calcos, times)
    assert _apart(here, of_2000) == pytest.approx((0.0, 0.0), abs=0.001)
    turn = 360.0 * sidereal_time(times)
    by_astropy = FK5(
        ra=(calcos[1] + turn) * deg, dec=calcos[0] * deg, equinox=Time(times[0], format="mjd")
    )
    by_astropy = by_astropy.transform_to(FK5(equinox="J2000"))
    assert _apart(of_2000, (by_astropy.dec.deg, by_astropy.ra.deg - turn)) == pytest.approx(
        (0.0, 0.0), abs=1e-4
    )


@pytest.mark.parametrize(
    ("jitter", "exposures"),
    [
        (
            "jitter/ldngz2szj_jit",
            {"ldngz2szj": ("acquisitions/ldngz2szq_spt", "acquisitions/ldngz2szq_rawacq")},
        ),
        (
            "ldfd01010/raw/ldfd01010_jit",
            {
                f"ldfd01{end}j": (
                    f"ldfd01010/raw/ldfd01{end}q_spt",
                    f"ldfd01010/raw/ldfd01{end}q_rawtag_a",
                )
                for end in ("vn", "vp", "vr", "vt")
            },
        ),
    ],
)
def test_hst_is_where_the_jitter_tables_say(
    data_dir: Path, jitter: str, exposures: dict[str, tuple[str, str]]
) -> None:
    with fits.open(data_dir / f"{jitter}.fits.gz") as hdus:
        for hdu in hdus[1:]:
            support, raw = exposures[hdu.header["EXPNAME"].strip().lower()]
            start = fits.getval(data_dir / f"{raw}.fits.gz", "EXPSTART", 1)
            elements = fits.getheader(data_dir / f"{support}.fits.gz")
            seconds = hdu.data["Seconds"].astype(float)
            # A row stands for the time since the one before.
            times = start + (seconds - np.median(np.diff(seconds)) / 2) / 86400.0
            apart = _apart(
                ground_position(elements, times), (hdu.data["Latitude"], hdu.data["Longitude"])
            )
            assert apart[0] < 0.03
            assert apart[1] < 0.1


def _apart(here: Any, there: Any) -> tuple[float, float]:
    """Return the largest differences of latitude and longitude in degrees."""
    longitude = (here[1] - there[1] + 180.0) % 360.0 - 180.0
    return float(np.abs(here[0] - there[0]).max()), float(np.abs(longitude).max())


def test_missing_elements_are_named() -> None:
    elements: dict[str, object] = dict.fromkeys(ELEMENTS, 1.0)
    elements["MEANANOM"] = "N/A"
    with pytest.raises(PermanentError, match="no orbit without MEANANOM"):
        ground_position(elements, np.array([_EXPSTART]))


def test_the_sun_is_where_astropy_puts_it() -> None:
    latitude, longitude = subsolar_point(np.array([_EXPSTART]))
    assert (latitude[0], longitude[0]) == pytest.approx((-22.85, 111.96), abs=0.02)
    times = Time(np.linspace(54000.3, 61000.7, 50), format="mjd")
    sun = get_sun(times).itrs
    latitude, longitude = subsolar_point(times.mjd)
    where = EarthLocation(sun.x, sun.y, sun.z).to_geocentric()
    expected = np.degrees(np.arctan2(where[1].value, where[0].value))
    assert np.abs((longitude - expected + 180) % 360 - 180).max() < 0.02
    assert np.abs(latitude - sun.spherical.lat.deg).max() < 0.02
    sidereal = times.sidereal_time("mean", "greenwich").cycle
    assert np.abs((sidereal_time(times.mjd) - sidereal + 0.5) % 1 - 0.5).max() < 2e-5


def test_distance_to_the_saa() -> None:
    latitude = np.array([-20.0, 20.0, -15.0, -28.0, -9.6])
    longitude = np.array([320.0, 320.0, 100.0, 10.0, 341.0])
    distance = saa_distance(latitude, longitude, 58000.0)
    assert list(distance < 0) == [True, False, False, True, bool(distance[4] < 0)]
    assert abs(distance[4]) < 1.0
    north = saa_distance(np.array([6.5]), np.array([318.8]), 58000.0)[0]
    assert north == pytest.approx(10.0 * 111.19, rel=0.01)
    assert saa_contour(55000.0)[0, 1] == pytest.approx(20.0)
    assert len({float(saa_contour(mjd)[5, 0]) for mjd in (55500.0, 56000.0)}) == 2


def test_dates() -> None:
    assert parse_day_of_year("2018.113:18:25:03") == pytest.approx(
        Time("2018:113:18:25:03").mjd, abs=1e-9
    )
    with pytest.raises(PermanentError, match="not a date"):
        parse_day_of_year("2018.400:18:25:03")
    years = decimal_year(Time(["2016-01-01", "2016-07-02", "2017-12-31T12:00:00"]).mjd)
    assert list(years) == pytest.approx([2016.0, 2016.5, 2017 + 364.5 / 365])
