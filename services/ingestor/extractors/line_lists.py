"""Lists of spectral lines whose wavelengths are known."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import PermanentError
from shared.fits import FitsFile

__all__ = ["LAMP", "LINE_LIST", "NO_LINES", "LineList", "read_line_list"]

LINE_LIST = "cosmo_lines.fits"
"""Name of the list in the folder of reference files."""

LAMP = "lamp"
"""SOURCE of the lines of the wavelength calibration lamps."""

_KEYS = ("SOURCE", "SEGMENT", "OPT_ELEM")


@dataclass(frozen=True)
class LineList:
    """Lines that can be measured: alone within their width at the resolution of a setting.

    Arrays of shape (n,).

    Attributes
    ----------
    source
        `LAMP`, or TARGNAME of a standard.
    segment, opt_elem, cenwave
        The setting; empty and 0 stand for all.
    wavelength
        In vacuum, Angstrom; of standards as they come to the Sun.
    """

    source: NDArray[np.str_]
    segment: NDArray[np.str_]
    opt_elem: NDArray[np.str_]
    cenwave: NDArray[np.float64]
    wavelength: NDArray[np.float64]

    def has(self, source: str) -> bool:
        """Return whether there are lines of a source."""
        return bool((self.source == source).any())

    def of(
        self, source: str, segment: str, opt_elem: str | None, cenwave: int | None
    ) -> NDArray[np.float64]:
        """Return the wavelengths of a source's lines in a setting, ascending, Angstrom."""
        chosen = self.source == source
        for column, wanted in ((self.segment, segment), (self.opt_elem, opt_elem or "")):
            chosen &= (column == "") | (column == wanted)
        chosen &= (self.cenwave == 0) | (self.cenwave == (cenwave or 0))
        return np.unique(self.wavelength[chosen])


_NO_TEXTS: NDArray[np.str_] = np.empty(0, dtype=np.str_)
_NO_NUMBERS: NDArray[np.float64] = np.empty(0)
NO_LINES = LineList(_NO_TEXTS, _NO_TEXTS, _NO_TEXTS, _NO_NUMBERS, _NO_NUMBERS)
"""Where there is no list."""


@lru_cache(maxsize=2)
def read_line_list(path: Path, _modified: int) -> LineList:
    """Read a list.

    Parameters
    ----------
    path
        FITS file whose first extension has the columns SOURCE, SEGMENT, OPT_ELEM, CENWAVE and
        WAVELENGTH.

    Raises
    ------
    PermanentError
        If it cannot be read.
    """
    file = FitsFile(lambda: path.open("rb"), path.name)
    if len(file.hdus) < 2:
        raise PermanentError(f"{path.name}: no table in its first extension")
    table = file.table(file.hdus[1], [*_KEYS, "CENWAVE", "WAVELENGTH"])
    source, segment, opt_elem = (
        np.char.strip(np.asarray(table[name], dtype=str)) for name in _KEYS
    )
    cenwave, wavelength = (
        np.asarray(table[name], dtype=np.float64) for name in ("CENWAVE", "WAVELENGTH")
    )
    return LineList(source, segment, opt_elem, cenwave, wavelength)
