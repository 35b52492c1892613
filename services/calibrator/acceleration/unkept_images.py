"""Images that nobody keeps: without pixels where CalCOS does not read them, unfinished where it does.

Nothing reads the images of a spectroscopic dark; they are written as those of an exposure without events are, with
headers only. Spectra are extracted from images, but their statistics (``cosutil.doImageStat``) and world coordinates
(``SpWCS.writeWCSKeywords``), which come later and concern nothing else, are left out: header cards for which each
image of 16.8 megapixels is read once and copied once. Saves two thirds of an FUV dark and a third of an FUV spectrum.
All other products are the same bytes.
"""

from typing import Any

from astropy.io import fits
from calcos import spwcs

from services.calibrator.acceleration.registry import Change, Function, Replacement

__all__ = ["REPLACEMENT", "has_pixels", "keep_images"]

_APERTURES = ("PSA", "BOA")
"""Those for which ``SpWCS.writeWCSKeywords`` says that it wrote."""

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


def has_pixels(header: fits.Header) -> bool:
    """Whether the images of an exposure are to be filled.

    Parameters
    ----------
    header
        Its primary header.
    """
    return _kept or (header.get("EXPTYPE"), header.get("OBSTYPE")) != ("DARK", "SPECTROSCOPIC")


def _make_statistics(original: Function) -> Function:
    def do_image_stat(input: str) -> None:  # noqa: A002 - the name that CalCOS gives it
        """Write statistics of an image to its header."""
        if _kept:
            original(input)

    return do_image_stat


def _make_coordinates(original: Function) -> Function:
    def write_wcs_keywords(self: Any) -> bool:
        """Write world coordinates to the header of a file, and tell whether."""
        if _kept or not isinstance(self, spwcs.SpWcsImage):
            return bool(original(self))
        return self.info["aperture"] in _APERTURES

    return write_wcs_keywords


REPLACEMENT = Replacement(
    "unkept_images",
    [
        Change(
            "calcos.cosutil:doImageStat",
            "27d36d89daea4796b06dfda873ec93e965868e1f0c200c9a6eb70858a460f392",
            _make_statistics,
        ),
        Change(
            "calcos.spwcs:SpWCS.writeWCSKeywords",
            "906773aef74478e92962dc040492fea090759c457403969b8c4d184fbe5b67b5",
            _make_coordinates,
        ),
    ],
    {
        "calcos.calcos:Calibration.writeWCS": "086bbc25cc02f43ee821c67fb3b91f562d74b4a2feeb6bc42b23d69b85ad83f2",
        "calcos.timetag:doStatflag": "366dbf224b4fe445e9f61ab3a89178d688650fb5cc0d22fb0d3d284c80ae04fc",
    },
)
