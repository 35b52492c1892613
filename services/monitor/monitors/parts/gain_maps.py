"""Maps of the gain at one voltage: images by superpixel, and the files that are made of them."""

import gzip
import io
from dataclasses import dataclass

import numpy as np
from astropy.io import fits

from services.monitor.monitors.framework.monitor import Columns, NewArtifact
from services.monitor.monitors.parts.gain_levels import Level
from services.monitor.monitors.parts.gain_pixels import REFERENCE_LEVEL, place_of, scaled
from shared.cos.detector import GAIN_SHAPE, X_BINNING, Y_BINNING

__all__ = ["GainMap", "map_artifact", "map_of", "packed"]


@dataclass(frozen=True)
class GainMap:
    """Superpixels of a segment at one voltage.

    Attributes
    ----------
    segment, level
        Segment, commanded level.
    mjd
        Of the newest gain.
    pixels
        Its superpixels (`gain_levels.Level`).
    """

    segment: str
    level: int
    mjd: float
    pixels: Columns

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"gain_{self.segment.lower()}_{self.level}.fits.gz"

    def sagged(self) -> int:
        """How many superpixels have sagged."""
        return int(np.count_nonzero(np.isfinite(self.pixels["sagged"])))

    def image(self, name: str) -> np.ndarray:
        """Make an image, shape (512, 2048), NaN where nothing is known.

        Parameters
        ----------
        name
            Newest and first gain (``MOD_GAIN``, ``GAININIT``, bins), date of the newest (``MJD``), when it had first
            sagged (``SAGGED``, MJD), projected date of a gain of 3 (``PROJBAD``, MJD) and its error (``PROJERR``, d),
            slope (``SLOPE``, bins per day) and intercept (``INTERCEPT``, bins, at MJD 0) of the trend.
        """
        _, y, x = place_of(self.pixels["pixel"])
        image = np.full(GAIN_SHAPE, np.nan, dtype=np.float64 if name in _DATES else np.float32)
        image[y, x] = self.pixels[_COLUMNS[name]]
        return image


_UNITS = {
    "MOD_GAIN": "", "GAININIT": "", "MJD": "d", "SAGGED": "d", "PROJBAD": "d", "PROJERR": "d", "SLOPE": "1 / d",
    "INTERCEPT": "",
}  # fmt: skip


_COLUMNS = {
    "MOD_GAIN": "last", "GAININIT": "first", "MJD": "mjd", "SAGGED": "sagged", "PROJBAD": "sag", "PROJERR": "sag_error",
    "SLOPE": "slope", "INTERCEPT": "intercept",
}  # fmt: skip
_DATES = ("MJD", "SAGGED", "PROJBAD")


def map_of(level: Level) -> GainMap:
    """Make the map of a segment at one voltage."""
    return GainMap(level.segment, level.level, level.mjd, level.pixels)


def map_artifact(one: GainMap) -> NewArtifact:
    """Map as a FITS file."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(
        TELESCOP="HST", INSTRUME="COS", DETECTOR="FUV", FILETYPE="GAINMAP", SEGMENT=one.segment, DETHV=one.level,
        XBINNING=X_BINNING, YBINNING=Y_BINNING, EXPEND=one.mjd,
    )  # fmt: skip
    for name in _COLUMNS:
        hdu = fits.ImageHDU(one.image(name), name=name)
        if _UNITS[name]:
            hdu.header["BUNIT"] = _UNITS[name]
        hdus.append(hdu)
    everywhere = scaled(one.image("MOD_GAIN"), np.array(one.level)).astype(np.float32)
    hdus.append(fits.ImageHDU(everywhere, name=f"GAIN{REFERENCE_LEVEL:.0f}"))
    detail = {"superpixels": len(one.pixels["pixel"]), "sagged": one.sagged()}
    return NewArtifact("gain map", one.file_name, packed(hdus), detail)


def packed(hdus: fits.HDUList) -> bytes:
    """Write a file that is gzipped."""
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=True)
    # Most of an image is the same value.
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)
