"""Stored solar flux, compared with the fluxes that another team lists beside its darks."""

import gzip
import json
from pathlib import Path

import numpy as np

from shared.cos.dates import mjd_of_year
from shared.cos.solar_flux import monthly_flux, smoothed_flux


def test_fluxes_are_those_beside_real_darks(data_dir: Path) -> None:
    rows = json.loads(gzip.decompress((data_dir / "darks" / "orbital_info.json.gz").read_bytes()))
    mjd = mjd_of_year(np.array([row["date"] for row in rows]))
    flux = np.array([row["fsol"] for row in rows])
    months, monthly = monthly_flux()
    away = flux - np.interp(mjd, months, monthly)
    # those are of single days, which go up and down with the Sun's rotation
    assert abs(np.median(away)) < 1.5
    assert np.std(away) < 16.0
    assert np.corrcoef(flux, smoothed_flux(mjd))[0, 1] > 0.85


def test_months_follow_each_other_and_nothing_is_made_up() -> None:
    months, monthly = monthly_flux()
    assert ((np.diff(months) > 27.9) & (np.diff(months) < 31.1)).all()
    assert months[0] == 54847.5  # the middle of January 2009
    assert (monthly > 60.0).all()
    assert np.isnan(smoothed_flux(np.array([months[0] - 1.0, months[-1] + 1.0]))).all()
    place = 30
    middle = months[place : place + 4].mean()
    assert np.isclose(smoothed_flux(np.array([middle]))[0], monthly[place : place + 4].mean())
