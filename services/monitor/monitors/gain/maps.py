"""Maps of the gain at one voltage, and of all of them.

Images by superpixel, and the files that are made of them.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from isal import igzip

from services.monitor.framework.declaration import Columns, NewArtifact
from services.monitor.monitors.gain.levels import Level
from services.monitor.monitors.gain.pixels import REFERENCE_LEVEL, place_of, scaled
from services.monitor.monitors.gain.sums import Total, image_of, is_counted
from shared.cos.detector import GAIN_SHAPE, X_BINNING, Y_BINNING

__all__ = ["GainMap", "map_artifact", "map_of", "packed", "total_artifact"]


@dataclass(frozen=True)
class GainMap:
    """Superpixels of a segment at one voltage.

    Attributes
    ----------
    segment, level
        Segment, commanded level.
    mjd
        Of the newest gain.
    pixels, sums, files
        Its superpixels, what they gave so far, and the files that this is from
        (`gain_levels.Level`).
    """

    segment: str
    level: int
    mjd: float
    pixels: Columns
    sums: Columns
    files: Columns

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return f"gain_{self.segment.lower()}_{self.level}.fits.gz"

    def sagged(self) -> int:
        """Return how many superpixels have sagged."""
        return int(np.count_nonzero(np.isfinite(self.pixels["sagged"])))

    def image(self, name: str) -> np.ndarray:
        """Make an image, shape (512, 2048), NaN where nothing is known.

        Parameters
        ----------
        name
            Newest and first gain (``MOD_GAIN``, ``GAININIT``, bins), events of the newest
            (``COUNTS``) and their charge (``CHARGE``, coulomb), its date (``MJD``), when it had
            first sagged (``SAGGED``, MJD), projected date of a gain of 3 (``PROJBAD``, MJD) and its
            error (``PROJERR``, d), slope (``SLOPE``, bins per day) and intercept (``INTERCEPT``,
            bins, at MJD 0) of the trend.
        """
        _, y, x = place_of(self.pixels["pixel"])
        image = np.full(GAIN_SHAPE, np.nan, dtype=np.float64 if name in _DATES else np.float32)
        image[y, x] = self.pixels[_COLUMNS[name]]
        return image


_COLUMNS = {
    "MOD_GAIN": "last",
    "GAININIT": "first",
    "COUNTS": "counts",
    "CHARGE": "charge",
    "MJD": "mjd",
    "SAGGED": "sagged",
    "PROJBAD": "sag",
    "PROJERR": "sag_error",
    "SLOPE": "slope",
    "INTERCEPT": "intercept",
}
_UNITS = {
    "COUNTS": "count",
    "CHARGE": "C",
    "MJD": "d",
    "SAGGED": "d",
    "PROJBAD": "d",
    "PROJERR": "d",
    "SLOPE": "1 / d",
    "CUMLCNTS": "count",
    "CUMLCHRG": "C",
}
_DATES = ("MJD", "SAGGED", "PROJBAD")
_SUMS = {"CUMLCNTS": "counts", "CUMLCHRG": "charge"}


def map_of(level: Level) -> GainMap:
    """Make the map of a segment at one voltage."""
    return GainMap(level.segment, level.level, level.mjd, level.pixels, level.sums, level.files)


def _primary(kind: str) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU()
    hdu.header.update(
        TELESCOP="HST",
        INSTRUME="COS",
        DETECTOR="FUV",
        FILETYPE=kind,
        XBINNING=X_BINNING,
        YBINNING=Y_BINNING,
    )
    return hdu


def _image_hdu(name: str, image: np.ndarray, unit: str = "") -> fits.ImageHDU:
    hdu = fits.ImageHDU(image, name=name)
    if unit:
        hdu.header["BUNIT"] = unit
    return hdu


def map_artifact(one: GainMap) -> NewArtifact:
    """Return the map as a FITS file.

    The list of its files (``FILES``) says which of them are in the sums (``SUMMED``): not the
    exposures that a cumulative image collected. ``EXPTIME`` is there where that of each one is
    known.
    """
    primary = _primary("GAINMAP")
    primary.header.update(
        SEGMENT=one.segment,
        DETHV=one.level,
        EXPSTART=float(one.files["mjd"][0]),
        EXPEND=one.mjd,
        NUMFILES=len(one.files["mjd"]),
        COUNTS=float(one.sums["counts"].sum()),
    )
    summed = is_counted(one.files)
    if np.isfinite(one.files["exptime"][summed]).all():
        primary.header["EXPTIME"] = float(one.files["exptime"][summed].sum())
    columns = (
        ("ROOTNAME", "A26", None, "rootname"),
        ("EXPSTART", "D", "d", "mjd"),
        ("EXPTIME", "D", "s", "exptime"),
    )
    table = fits.BinTableHDU.from_columns(
        [
            *(
                fits.Column(name, form, unit, array=_plain(one.files[column]))
                for name, form, unit, column in columns
            ),
            fits.Column("SUMMED", "L", array=summed),
        ],
        name="FILES",
    )
    everywhere = scaled(one.image("MOD_GAIN"), np.array(one.level)).astype(np.float32)
    hdus = [
        primary,
        table,
        *(_image_hdu(name, one.image(name), _UNITS.get(name, "")) for name in _COLUMNS),
        _image_hdu(f"GAIN{REFERENCE_LEVEL:.0f}", everywhere),
        *(
            _image_hdu(name, image_of(one.sums, column).astype(np.float32), _UNITS[name])
            for name, column in _SUMS.items()
        ),
    ]
    detail = {"superpixels": len(one.pixels["pixel"]), "sagged": one.sagged()}
    return NewArtifact(
        kind="gain map", name=one.file_name, content=packed(fits.HDUList(hdus)), detail=detail
    )


def _plain(values: np.ndarray) -> np.ndarray:
    """Return the texts as FITS has them."""
    return values.astype(str) if values.dtype == object else values


def total_artifact(totals: Sequence[Total], newest: float) -> NewArtifact:
    """Return the gains of all voltages as at the reference level, and what superpixels gave so far,
    as a FITS file.

    Parameters
    ----------
    totals
        Of each segment.
    newest
        Time of the newest gain, MJD.
    """
    primary = _primary("TOTALGAIN")
    primary.header.update(DETHV=round(REFERENCE_LEVEL), EXPEND=newest)
    hdus = fits.HDUList([primary])
    for one in totals:
        images = (
            ("INIT", one.first, ""),
            ("LAST", one.last, ""),
            ("CNTS", one.counts, "count"),
            ("CHRG", one.charge, "C"),
        )
        hdus.extend(
            _image_hdu(one.segment + name, image.astype(np.float32), unit)
            for name, image, unit in images
        )
    detail = {
        "superpixels": {one.segment: int(np.count_nonzero(np.isfinite(one.last))) for one in totals}
    }
    return NewArtifact(
        kind="total gain map",
        name=f"total_gain_{REFERENCE_LEVEL:.0f}.fits.gz",
        content=packed(hdus),
        detail=detail,
    )


def packed(hdus: fits.HDUList) -> bytes:
    """Write a file that is gzipped."""
    buffer = io.BytesIO()
    hdus.writeto(buffer, checksum=True)
    # Most of an image is the same value.
    content: bytes = igzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)
    return content
