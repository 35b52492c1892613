"""Solar radio flux at 10.7 cm, month by month: what the dark rate of the FUV detector follows."""

from typing import Final

import numpy as np

from shared.cos.times import UNIX_MJD

__all__ = ["MONTHLY_FLUX", "monthly_flux", "smoothed_flux"]

MONTHLY_FLUX: Final[dict[int, tuple[float, ...]]] = {
    2009: (69.7, 69.8, 69.1, 69.6, 70.3, 68.6, 68.2, 67.4, 70.3, 72.1, 73.7, 76.8),
    2010: (81.3, 84.7, 83.0, 75.7, 73.6, 72.4, 79.6, 79.2, 81.0, 81.4, 82.6, 84.2),
    2011: (83.4, 94.5, 124.3, 112.8, 95.7, 95.9, 94.3, 101.6, 135.3, 137.4, 153.5, 141.5),
    2012: (134.8, 106.9, 115.7, 113.3, 121.4, 120.4, 137.6, 115.9, 123.4, 123.1, 121.2, 108.3),
    2013: (126.8, 104.4, 111.4, 125.0, 131.4, 110.7, 115.5, 114.9, 102.8, 132.9, 148.8, 148.1),
    2014: (162.7, 170.1, 150.5, 143.9, 130.1, 122.4, 137.8, 124.6, 146.6, 155.0, 155.7, 159.0),
    2015: (142.0, 128.9, 126.9, 129.1, 120.0, 128.5, 107.0, 105.9, 102.0, 104.0, 109.7, 112.5),
    2016: (103.6, 103.7, 91.4, 93.5, 93.4, 82.0, 86.3, 85.2, 87.5, 86.2, 78.6, 75.3),
    2017: (77.4, 77.0, 74.7, 80.9, 73.6, 74.8, 77.6, 78.2, 95.5, 76.4, 72.3, 71.7),
    2018: (70.0, 71.6, 68.3, 70.0, 71.0, 72.7, 69.6, 69.0, 68.2, 69.6, 69.0, 70.0),
    2019: (71.6, 70.6, 71.5, 72.5, 71.3, 68.1, 67.2, 67.0, 68.0, 67.5, 70.2, 70.9),
    2020: (72.3, 70.9, 70.2, 69.6, 69.2, 69.7, 69.5, 71.7, 70.6, 74.6, 90.1, 87.3),
    2021: (76.1, 74.3, 76.5, 74.7, 75.6, 79.8, 81.0, 77.9, 87.4, 90.0, 86.6, 102.9),
    2022: (104.0, 109.2, 117.8, 130.6, 134.0, 116.1, 125.6, 118.1, 134.7, 132.8, 123.6, 148.5),
    2023: (182.5, 172.1, 157.5, 145.9, 156.0, 162.4, 177.5, 153.9, 155.7, 141.6, 154.4, 159.3),
    2024: (164.0, 173.3, 155.2, 161.7, 188.4, 185.1, 198.6, 245.6, 196.7, 222.6, 199.9, 197.4),
    2025: (189.9, 185.1, 164.2, 162.5, 135.3, 131.3, 137.8, 158.3, 154.6, 140.1, 141.4, 160.4),
    2026: (151.1, 136.4, 131.0),
}
"""Means of the months of each year, from January on, in solar flux units (1e-22 W / m2 / Hz), as
observed at Penticton. Sources: until November 2024 ``f10.7`` of NOAA SWPC's
``observed-solar-cycle-indices.json`` (two copies, of July and December 2024, agree); then means of
the daily observed values in CelesTrak's ``SW-All.csv`` of April 2026, which until then differ from
NOAA's by 0.15 in the median; by more than 5 in three months with outbursts, which NOAA leaves
out."""

_SMOOTHING = 4
"""Months that the smoothed flux is the mean of (STScI's dark monitor)."""


def monthly_flux() -> tuple[np.ndarray, np.ndarray]:
    """Read the stored fluxes.

    Returns
    -------
    tuple of ndarray
        Middles of the months, MJD, and their fluxes in solar flux units, both of shape (n,).
    """
    flux = np.array([value for year in sorted(MONTHLY_FLUX) for value in MONTHLY_FLUX[year]])
    first = np.datetime64(f"{min(MONTHLY_FLUX)}-01", "M")
    edges = (first + np.arange(len(flux) + 1)).astype("datetime64[D]").astype(np.float64) + UNIX_MJD
    return (edges[:-1] + edges[1:]) / 2.0, flux


def smoothed_flux(mjd: np.ndarray) -> np.ndarray:
    """Return the flux at some times, along lines between means of four months.

    NaN where no flux is stored.

    Parameters
    ----------
    mjd
        Times, MJD, shape (n,).

    Returns
    -------
    ndarray
        Solar flux units, shape (n,).
    """
    months, flux = monthly_flux()
    means = np.convolve(flux, np.ones(_SMOOTHING) / _SMOOTHING, mode="valid")
    middles = np.convolve(months, np.ones(_SMOOTHING) / _SMOOTHING, mode="valid")
    values: np.ndarray = np.interp(mjd, middles, means, left=np.nan, right=np.nan)
    return values
