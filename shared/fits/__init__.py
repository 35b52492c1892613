"""FITS files read fast and strictly: header blocks, table columns, and whether a file is whole.

Source: FITS standard 4.0, sections 3 (file organisation), 4 (headers) and 7.3 (binary tables). What
the fast path does not understand it hands to astropy; what is not a FITS file it refuses with a
reason.
"""

from shared.fits.cards import Header, Value
from shared.fits.checking import check_fits
from shared.fits.file import FitsFile
from shared.fits.hdus import Hdu, read_hdus, read_header
from shared.fits.streams import inflated, open_fits
from shared.fits.tables import Columns

__all__ = [
    "Columns",
    "FitsFile",
    "Hdu",
    "Header",
    "Value",
    "check_fits",
    "inflated",
    "open_fits",
    "read_hdus",
    "read_header",
]
