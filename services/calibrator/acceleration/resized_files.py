"""FITS files whose headers grow: what is zero in them keeps taking no room.

Rewrites two lines of ``astropy.io.fits.hdu.hdulist.HDUList._flush_resize``, which copies a file
whose header needs another block, as those of the images of most FUV spectra do for their world
coordinates. The bytes are copied by the same calls, to a file that passes blocks of zeros over.
Saves no time, but the room that a third of each image file would take again.
"""

from services.calibrator.acceleration.holes import HoleyFile
from services.calibrator.acceleration.registry import Change, Function, Replacement, rewritten

__all__ = ["REPLACEMENT"]

_NEW = "            new_file = name\n"
_NEW_WITH_HOLES = '            new_file = _accelerated_HoleyFile(name, "w")\n'
_OPEN = 'mode="append") as hdulist:'
_OPEN_TO_WRITE = (
    'mode="ostream" if isinstance(new_file, _accelerated_HoleyFile) else "append") as hdulist:'
)


def _make(original: Function) -> Function:
    return rewritten(
        original, [(_NEW, _NEW_WITH_HOLES), (_OPEN, _OPEN_TO_WRITE)], HoleyFile=HoleyFile
    )


REPLACEMENT = Replacement(
    "resized_files",
    [
        Change(
            "astropy.io.fits.hdu.hdulist:HDUList._flush_resize",
            "da9f4a1f6ca5c24fa313f0c43f59527a889f260ea71621dedb50dcad6f92b1b5",
            _make,
        )
    ],
    {},
)
