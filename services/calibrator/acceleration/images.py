"""Count and flat-fielded images: computed for the pixels that hold events, filled in elsewhere.

Replaces ``timetag.writeImages``, which makes a dozen full images (16.8 megapixels each for FUV) of
which 99 % of the pixels are empty. Rates, errors and flat-field ratios are the same expressions, of
the same precision, evaluated on one empty pixel and on those with events; each depends on its own
pixel alone. Events are added up in their own order, in single precision, as the compiled binning
does. Saves 3 s and most of the memory of a segment; the compiled binning clears its image column by
column, against the grain of memory. Blocks of zeros, a third of the files, take no room on the
disk.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io import fits
from calcos import cosutil, timetag
from calcos.calcosparam import SERIOUS_DQ_FLAGS, VERY_VERBOSE
from numpy.typing import NDArray

from services.calibrator.acceleration.binning import EventPixels, bins_alike, can_bin, locate
from services.calibrator.acceleration.forms import is_array
from services.calibrator.acceleration.holes import HoleyFile
from services.calibrator.acceleration.registry import Change, Function, Replacement
from services.calibrator.acceleration.unkept_images import has_pixels

__all__ = ["REPLACEMENT"]

_HEADERS = 4
"""Primary header, and those of the pixels, their errors and their flags.

Raw images may have more.
"""


def _make(original: Function) -> Function:
    def write_images(
        x: NDArray[Any],
        y: NDArray[Any],
        epsilon: NDArray[Any],
        dq: NDArray[Any],
        phdr: fits.Header,
        headers: Sequence[fits.Header],
        dq_array: NDArray[Any],
        npix: tuple[int, int],
        x_offset: int,
        exptime: float,
        outcounts: str | None = None,
        output: str | None = None,
    ) -> None:
        """Bin events to images and write them: counts and, weighted by epsilon, flat-fielded."""
        known = (
            can_bin(x, y, dq, epsilon)
            and is_array(dq_array, "i2", 2)
            and dq_array.shape == tuple(npix)
        )
        files = [path for path in (outcounts, output) if path is not None]
        # A file that is there already is refused by the original, in the words of Astropy.
        if (
            not known
            or outcounts is None
            or exptime <= 0
            or len(headers) < _HEADERS
            or any(map(os.path.exists, files))
        ):
            original(
                x,
                y,
                epsilon,
                dq,
                phdr,
                headers,
                dq_array,
                npix,
                x_offset,
                exptime,
                outcounts,
                output,
            )
            return
        cosutil.printMsg(f"writing file {outcounts} ...", VERY_VERBOSE)
        events = locate(x, y, npix, x_offset, dq, SERIOUS_DQ_FLAGS)
        counts = _with_empty(events.counts())
        err_upper = cosutil.errFrequentist(counts)[1]
        count_error = (err_upper / exptime).astype(np.float32)
        flags = dq_array.astype(dq_array.dtype.newbyteorder(">"), copy=False)

        def write(path: str, image: str, rate: NDArray[Any], error: NDArray[Any]) -> None:
            pixels = {
                "SCI": lambda: _image(npix, events, rate),
                "ERR": lambda: _image(npix, events, error),
            }
            _write(path, image, phdr, headers, {**pixels, "DQ": lambda: flags})

        write(outcounts, "counts", counts / exptime, count_error)
        if output is None:
            return
        cosutil.printMsg(f"writing file {output} ...", VERY_VERBOSE)
        effective = _with_empty(events.sums(epsilon))
        ratio = np.where(effective == 0.0, 1.0, effective) / np.where(counts == 0.0, 1.0, counts)
        write(output, "flt", effective / exptime, count_error * ratio)

    return write_images


def _with_empty(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values of pixels with events behind that of an empty one."""
    return np.concatenate([np.zeros(1, dtype=np.float32), values])


def _write(
    path: str,
    image: str,
    phdr: fits.Header,
    headers: Sequence[fits.Header],
    pixels: Mapping[str, Callable[[], NDArray[Any]]],
) -> None:
    """Write an image file, with the pixels that somebody reads."""
    hdus = fits.HDUList(fits.PrimaryHDU(header=phdr))
    hdus[0].header["nextend"] = 3
    cosutil.updateFilename(hdus[0].header, path)
    for header, (extension, make) in zip(headers[1:_HEADERS], pixels.items(), strict=True):
        data = make() if has_pixels(phdr, image, extension) else None
        timetag.makeImageHDU(hdus, header, data, name=extension)
    with HoleyFile(path) as file:
        hdus.writeto(file, output_verify="silentfix")


def _image(shape: tuple[int, int], events: EventPixels, values: NDArray[Any]) -> NDArray[Any]:
    """Make the image at once in the byte order of FITS, which saves swapping it."""
    single = values.astype(np.float32)
    empty = single[0]
    size = shape[0] * shape[1]
    image = np.zeros(size, dtype=">f4")
    if empty.view(np.uint32) != 0:
        image.fill(empty)
    image[events.pixels] = single[1:]
    return image.reshape(shape)


REPLACEMENT = Replacement(
    "images",
    [
        Change(
            "calcos.timetag:writeImages",
            "a9a23ca0b659d0cb57ba3b4adf58b3fe2e54b8329dea2dd7249c31913baf076b",
            _make,
        )
    ],
    {
        "calcos.timetag:makeImage": "c5628490779aebb9e7ddeafccd85c85a06097c3a94068646d97fffcb6340c515",
        "calcos.timetag:makeImageHDU": "f0edef3232a206cbc7fd08b3fb9bc38d136171ca4f3a70cb2d1a297f9860a45c",
        "calcos.cosutil:errFrequentist": "36d4dc9bc7693459c3c2c18ce9f0ac8e7b92cabde8b7dc45c55855c5bad11d26",
    },
    probe=bins_alike,
)
