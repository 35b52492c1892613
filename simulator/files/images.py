"""Writer of ``rawaccum`` and ``pha`` files."""

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from simulator.forward.recording import Recording

__all__ = ["histogram_hdu", "image_hdus"]

_HISTOGRAM_BINS = 128


def image_hdus(
    recording: Recording, shape: tuple[int, int]
) -> tuple[fits.ImageHDU, fits.ImageHDU, fits.ImageHDU]:
    """Return SCI, ERR and DQ extensions of a raw ACCUM file.

    The last two are empty, as in raw files they are constant.

    Parameters
    ----------
    recording
        What the detector recorded.
    shape
        Of the image, (y, x).
    """
    science = fits.ImageHDU(_image(recording, shape), name="SCI")
    science.header["EXTVER"] = 1
    science.header["BUNIT"] = "COUNTS"
    return science, _constant("ERR", shape), _constant("DQ", shape)


def _image(recording: Recording, shape: tuple[int, int]) -> NDArray[np.int16] | NDArray[np.float32]:
    """Count the events of each pixel, in 16-bit integers where they fit."""
    index = recording.y.astype(np.int64) * shape[1] + recording.x
    counts = np.bincount(index, minlength=shape[0] * shape[1])
    image = counts.reshape(shape)
    return (
        image.astype(np.int16)
        if counts.max() <= np.iinfo(np.int16).max
        else image.astype(np.float32)
    )


def _constant(name: str, shape: tuple[int, int]) -> fits.ImageHDU:
    hdu = fits.ImageHDU(name=name)
    header = hdu.header
    header["EXTVER"] = 1
    header["NPIX1"] = (shape[1], "length of constant array axis 1")
    header["NPIX2"] = (shape[0], "length of constant array axis 2")
    header["PIXVALUE"] = (0 if name == "DQ" else 0.0, "value of every pixel")
    return hdu


def histogram_hdu(recording: Recording) -> fits.ImageHDU:
    """Return SCI extension of a ``pha`` file.

    128 bins of pulse height, four for each of the 32 of TIME-TAG.
    """
    counts = np.zeros(_HISTOGRAM_BINS, dtype=np.int32)
    counts[::4] = np.bincount(recording.pulse_height, minlength=_HISTOGRAM_BINS // 4)
    hdu = fits.ImageHDU(counts, name="SCI")
    hdu.header["EXTVER"] = 1
    return hdu
