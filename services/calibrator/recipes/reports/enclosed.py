"""Flux that the two-zone extraction of CalCOS 3.6.2 gives in excess.

``extract.extractSegmentTwozone`` sums from the last row whose cumulative profile is below
LOWER_OUTER, that row included, and divides by the difference of the cumulative profiles at the last
and at this first row, which leaves the light of the first row out. At the edge of the profile (0)
there is no such row; at 0.1, as in the example of the COS Data Handbook (3.6), it holds some
hundredths of the light.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from services.calibrator.recipes.edits.tables import aperture_of, file_of, find_row
from services.calibrator.run.headers import Exposure

__all__ = ["enclosed_warnings", "excess"]

_WORTH_SAYING = 0.01
"""Excess that is reported; that of the default zones, 0.005 and 0.995, is a fraction of it."""


def excess(x1d: Path, lref: Path) -> dict[str, NDArray[np.float64]]:
    """Return the excess of net counts and flux over what the profile says, as a fraction, by
    segment and column.

    Parameters
    ----------
    x1d
        Spectra of one exposure.
    lref
        Folder of its reference files.

    Returns
    -------
    dict
        Segment to one number per column, zero where nothing is extracted; empty unless XTRCTALG is
        TWOZONE.
    """
    found: dict[str, NDArray[np.float64]] = {}
    with fits.open(x1d) as hdus:
        exposure = Exposure(x1d, x1d.name[:9], "x1d", hdus[0].header, hdus[1].header)
        if exposure.algorithm != "TWOZONE":
            return found
        profiles = fits.getdata(lref / file_of(exposure, "PROFTAB"), 1)
        for spectrum in hdus[1].data:
            segment = str(spectrum["SEGMENT"]).strip()
            row = find_row(profiles, exposure, segment, aperture_of(exposure))
            if row is not None:
                place = [
                    exposure.data_header[f"SP_{name}_{segment[-1]}"] for name in ("LOC", "HGT")
                ]
                found[segment] = _excess(spectrum, profiles[row], *place)
    return found


def _excess(
    spectrum: fits.FITS_record, profile: fits.FITS_record, centre: float, height: int
) -> NDArray[np.float64]:
    image = np.asarray(profile["PROFILE"], np.float64)
    edge = round(centre - profile["ROW_0"]) - height // 2
    whole = image[edge : edge + 2 * (height // 2) + 1].sum(axis=0)
    lower = np.clip(
        np.asarray(spectrum["Y_LOWER_OUTER"], np.int64) - profile["ROW_0"], edge, len(image) - 1
    )
    light = image[lower, np.arange(image.shape[1])]
    enclosed = np.asarray(spectrum["ACTUAL_EE"], np.float64) * whole
    counted = (lower > edge) & (enclosed > 0)
    return np.where(counted, light / np.where(counted, enclosed, 1.0), 0.0)


def enclosed_warnings(outdir: Path, lref: Path) -> Iterator[str]:
    """Say where the flux is higher than the profile has it.

    Parameters
    ----------
    outdir
        Folder that CalCOS wrote to.
    lref
        Folder of the reference files.
    """
    found: dict[str, dict[str, float]] = {}
    for path in sorted(outdir.glob("*_x1d.fits")):
        fractions = excess(path, lref)
        for spectrum in fits.getdata(path, 1) if fractions else ():
            segment = str(spectrum["SEGMENT"]).strip()
            net = np.asarray(spectrum["NET"], np.float64)
            right = float((net / (1.0 + fractions.get(segment, 0.0))).sum())
            mean = float(net.sum()) / right - 1.0 if right > 0 else 0.0
            if mean > _WORTH_SAYING:
                found.setdefault(segment, {})[path.name] = mean
    for segment, means in found.items():
        listed = ", ".join(f"{mean:.1%} in {name}" for name, mean in means.items())
        yield (
            f"the flux of {segment} is too high, by {listed}: CalCOS sums the row of LOWER_OUTER "
            "and leaves its light "
            "out of the fraction that it divides by; at LOWER_OUTER 0 it does not"
        )
