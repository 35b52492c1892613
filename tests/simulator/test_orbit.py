"""The simulated orbit against CalCOS's own reading of it, and against an ephemeris."""

from pathlib import Path

import numpy as np
from astropy.coordinates import get_body, get_sun
from astropy.io import fits
from astropy.time import Time
from calcos.orbit import HSTOrbit

from simulator.orbit import Orbit
from simulator.sky import is_day, moon_direction, saa_distance, subsolar, sun_direction

ORBIT = Orbit()


def test_calcos_reads_the_true_position_from_the_elements(tmp_path: Path) -> None:
    for epoch in (55000.0, 57123.0, 59990.0):
        header = fits.Header(ORBIT.elements(epoch).keywords())
        path = tmp_path / f"{epoch:.0f}_spt.fits"
        fits.PrimaryHDU(header=header).writeto(path)
        calcos = HSTOrbit(str(path))
        for mjd in epoch + np.linspace(0.0, 1.0, 7):
            position, velocity = calcos.getPos(mjd)
            assert np.allclose(position, ORBIT.position(mjd), atol=0.1)
            assert np.allclose(velocity, ORBIT.velocity(mjd), atol=2e-3)
        assert abs(calcos.getOrbitper() - ORBIT.period(epoch)) < 1e-6


def test_orbit_is_hubble_s() -> None:
    days = 56000.0 + np.arange(0.0, 2.0, 1.0 / 1440.0)
    latitude, longitude = ORBIT.ground(days)
    assert 28.0 < latitude.max() < 28.6
    assert -28.6 < latitude.min() < -28.0
    assert longitude.min() < 2.0
    assert longitude.max() > 358.0
    assert 5690.0 < ORBIT.period(56000.0) < 5760.0
    height = np.linalg.norm(ORBIT.position(days), axis=-1) - 6378.137
    assert 540.0 < height.mean() < 575.0
    assert np.linalg.norm(ORBIT.position(60900.0)) < height.mean() + 6378.137 - 30.0


def test_sun_agrees_with_an_ephemeris() -> None:
    times = np.linspace(55000.0, 61000.0, 9)
    ra, dec = sun_direction(times)
    truth = get_sun(Time(times, format="mjd"))
    years = (times - 51544.5) / 365.25
    assert np.all(np.abs((ra - truth.ra.deg + 180.0) % 360.0 - 180.0) < 0.02 + years * 0.0155)
    assert np.all(np.abs(dec - truth.dec.deg) < 0.02 + years * 0.0056)
    latitude, longitude = subsolar(58486.19196402)
    assert abs(longitude - 111.96) < 0.05
    assert abs(latitude + 22.85) < 0.05


def test_day_is_longer_than_night() -> None:
    days = 57000.0 + np.arange(0.0, 1.0, 1.0 / 1440.0)
    assert 0.55 < is_day(ORBIT, days).mean() < 0.75


def test_saa_distance_has_a_sign_and_kilometres() -> None:
    inside, coast, far = saa_distance(57000.0, [-16.0, 10.0, 20.0], [320.0, 320.0, 160.0])
    assert inside < -1000.0
    assert abs(coast - 13.5 * 111.2) < 40.0
    assert far > 8000.0
    assert saa_distance(55000.0, -7.0, 322.0) < 0.0 < saa_distance(55500.0, -5.0, 319.0)


def test_doppler_follows_the_velocity() -> None:
    mjd, ra, dec = 57200.3, 120.0, -33.0
    magnitude, zero = ORBIT.doppler(mjd, ra, dec)
    times = mjd + np.linspace(0.0, 2000.0, 30) / 86400.0
    a, d = np.radians([ra, dec])
    away = -ORBIT.velocity(times) @ [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)]
    model = magnitude * np.sin(2.0 * np.pi * (times - zero) * 86400.0 / ORBIT.period(mjd))
    assert np.abs(away - model).max() < 0.05
    assert zero <= mjd


def test_moon_agrees_with_an_ephemeris() -> None:
    times = np.linspace(55000.0, 61000.0, 40)
    ra, dec = moon_direction(times)
    truth = get_body("moon", Time(times, format="mjd"))
    assert np.all(np.abs((ra - truth.ra.deg + 180.0) % 360.0 - 180.0) < 1.6)
    assert np.all(np.abs(dec - truth.dec.deg) < 1.2)
