"""Images that nobody keeps: without the pixels that CalCOS does not read itself, and unfinished.

The extraction reads rates and flags of flat-fielded images and the rates of count images; nothing
reads those of darks. The others are written as those of an exposure without events are, with their
header only, and the flags of a dark's image are not looked for (``cosutil.flagOutOfBounds``). World
coordinates of images (``SpWCS.writeWCSKeywords``), which come after the extraction and concern
nothing else, are worked out, so that what is wrong with their table is found, and not written: some
header cards, for which each image of 16.8 megapixels is copied once more. Statistics stay, because
the headers of spectra begin as copies of those of images. All other products are the same bytes.
"""

from collections.abc import Mapping
from typing import Any

from astropy.io import fits
from calcos import spwcs
from numpy.typing import NDArray

from services.calibrator.acceleration.registry import Change, Function, Replacement, rewritten

__all__ = ["REPLACEMENT", "has_pixels", "keep_images"]

_OPEN = 'fits.open(self.filename, mode="update")'
_OPEN_TO_READ = "fits.open(self.filename, mode=_accelerated_mode(self))"

_READ = {("counts", "SCI"), ("flt", "SCI"), ("flt", "DQ")}
"""What the extraction reads (``extract.doExtract``)."""

_kept = True


def keep_images(kept: bool) -> None:
    """Set whether any image of the next run is kept.

    Parameters
    ----------
    kept
        Whether they are to be whole.
    """
    global _kept  # noqa: PLW0603 - CalCOS has no argument to carry it
    _kept = kept


def has_pixels(header: fits.Header | Mapping[str, Any], image: str, extension: str) -> bool:
    """Return whether an extension of an image of an exposure is to be filled.

    Parameters
    ----------
    header
        Primary header of the exposure, or what CalCOS notes of it.
    image
        ``counts`` or ``flt``.
    extension
        SCI, ERR or DQ.
    """
    if _kept or header.get("obstype") != "SPECTROSCOPIC":
        return True
    return header.get("exptype") != "DARK" and (image, extension) in _READ


def _make_flags(original: Function) -> Function:
    def flag_out_of_bounds(
        hdr: fits.Header,
        dq_array: NDArray[Any],
        info: Mapping[str, Any],
        *others: Any,
        **named: Any,
    ) -> None:
        """Flag the pixels of an image that are outside all subarrays.

        Flags of events come from elsewhere.
        """
        if has_pixels(info, "flt", "DQ"):
            original(hdr, dq_array, info, *others, **named)

    return flag_out_of_bounds


def _make_coordinates(original: Function) -> Function:
    return rewritten(original, [(_OPEN, _OPEN_TO_READ)], mode=_mode)


def _mode(coordinates: Any) -> str:
    """Return how to open the file that coordinates are worked out for.

    Only if it is kept are they written.
    """
    return "update" if _kept or not isinstance(coordinates, spwcs.SpWcsImage) else "readonly"


REPLACEMENT = Replacement(
    "unkept_images",
    [
        Change(
            "calcos.spwcs:SpWCS.writeWCSKeywords",
            "906773aef74478e92962dc040492fea090759c457403969b8c4d184fbe5b67b5",
            _make_coordinates,
        ),
        Change(
            "calcos.cosutil:flagOutOfBounds",
            "02e30cc31122fa3074ef1f986b72d471629ee237b455f2318235598a9670a948",
            _make_flags,
        ),
    ],
    {
        "calcos.timetag:doDqicorr": "5481a473c6227e2d597e4007edb03f19bc7e9b49610894933e3821376f941a8e",
        "calcos.extract:extract1D": "aa04c0ea2cdce1a228f1fcccdb797346d9305ea55a10111c526f831c4c110f80",
        "calcos.extract:doExtract": "12beb2018ac378cd181e73f6dbebaf10cdf1ecf597b80ff4054c448b1737ec4d",
        "calcos.average:avgImage": "6fefc851c40a33f227063068c859c0f5cd4d8d472c52e0686dc88b8e2169841e",
        "calcos.calcos:Calibration.writeWCS": "086bbc25cc02f43ee821c67fb3b91f562d74b4a2feeb6bc42b23d69b85ad83f2",
    },
)
