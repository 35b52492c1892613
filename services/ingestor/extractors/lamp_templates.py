"""Commanded lamp displacements from reference files."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from shared.cos.reference_names import RemoteFolder, find_reference
from shared.errors import PermanentError
from shared.fits import FitsFile

__all__ = ["References"]

_Setting = tuple[str, int, int | None]


class References:
    """Reference files of a folder.

    Parameters
    ----------
    folder
        Folder with the files, plain or gzipped; None where there is none.
    """

    def __init__(self, folder: Path | RemoteFolder | None) -> None:
        self._folder = folder

    def commanded_shifts(
        self, lamptab: str | None, opt_elem: str, cenwave: int, fpoffset: int | None
    ) -> dict[str, float]:
        """Return the FP_PIXEL_SHIFT of each segment or stripe in pixels.

        Empty where the lamp template is not at hand.

        Parameters
        ----------
        lamptab
            Name of the lamp template table.
        opt_elem, cenwave, fpoffset
            Setting of the exposure.

        Raises
        ------
        PermanentError
            If the table cannot be read.
        """
        path = self._find(lamptab)
        if path is None:
            return {}
        shifts = _read_shifts(path, path.stat().st_mtime_ns)
        return shifts.get((opt_elem, cenwave, fpoffset), shifts.get((opt_elem, cenwave, None), {}))

    def _find(self, name: str | None) -> Path | None:
        if self._folder is None or not name:
            return None
        return find_reference(self._folder, name)


@lru_cache(maxsize=32)
def _read_shifts(path: Path, _modified: int) -> dict[_Setting, dict[str, float]]:
    """Return the shifts of every setting of a lamp template table.

    Tables of the first generation have no FP_PIXEL_SHIFT: the displacement was not part of their
    shifts, so it is 0; nor do they distinguish FPOFFSETs.
    """
    file = FitsFile(lambda: path.open("rb"), path.name)
    if len(file.hdus) < 2:
        raise PermanentError(f"{path.name}: no table in its first extension")
    hdu = file.hdus[1]
    layout = file.layout(hdu)
    optional = [name for name in ("FPOFFSET", "FP_PIXEL_SHIFT") if name in layout]
    table = file.table(hdu, ["SEGMENT", "OPT_ELEM", "CENWAVE", *optional])
    rows = len(table["SEGMENT"])
    offsets = [int(value) for value in table["FPOFFSET"]] if "FPOFFSET" in table else [None] * rows
    shifts = table.get("FP_PIXEL_SHIFT", np.zeros(rows))
    found: dict[_Setting, dict[str, float]] = {}
    for row in range(rows):
        setting = str(table["OPT_ELEM"][row]).strip(), int(table["CENWAVE"][row]), offsets[row]
        found.setdefault(setting, {})[str(table["SEGMENT"][row]).strip()] = float(shifts[row])
    return found
