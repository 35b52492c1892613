"""Lamp templates: where the lamp's spectrum should fall in each segment, and what it looks like."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.line_lists import (
    LINE_LIST,
    NO_LINES,
    LineList,
    read_line_list,
)
from shared.cos.reference_names import RemoteFolder, find_reference
from shared.errors import PermanentError
from shared.fits import FitsFile

__all__ = ["LampTemplate", "References"]

_Setting = tuple[str, int, int | None]

_CALIBRATED_OFFSET = {1024: 100.0, 16384: 0.0}
"""Pixels by which spectra are further right than templates of so many pixels: spectra of the NUV
are 1274 pixels wide (CalCOS 3.6.2, ``calcosparam.NUV_X_OFFSET``)."""


@dataclass(frozen=True)
class LampTemplate:
    """Template of the lamp's spectrum in a segment or stripe.

    Attributes
    ----------
    fp_pixel_shift
        Displacement that FP-POS commands, pix; 0 where the table has none.
    has_lines
        Whether there is anything to find: HAS_LINES, where the table has it, and any intensity.
    intensity
        INTENSITY against pixel, shape (n,); the displacement is in it.
    """

    fp_pixel_shift: float
    has_lines: bool
    intensity: NDArray[np.float32]

    def scale(
        self, net: NDArray[np.float64], variance: NDArray[np.float64], shift: float
    ) -> tuple[float, float] | None:
        """Return the factor of the template that fits a spectrum best, and its one-sigma error.

        The least squares have equal weights: sum(net t) / sum(t t), where t is the template at the
        place of the spectrum; None where nothing of it is on the spectrum.

        Parameters
        ----------
        net, variance
            Spectrum and the variance of its values, shape (m,).
        shift
            How far it is from the template, pix: SHIFT_DISP - FP_PIXEL_SHIFT.
        """
        size = len(self.intensity)
        offset = shift + (_CALIBRATED_OFFSET.get(size, 0.0) if len(net) != size else 0.0)
        moved = np.interp(
            np.arange(len(net)) - offset, np.arange(size), self.intensity, left=0.0, right=0.0
        )
        known = np.isfinite(net) & np.isfinite(variance)
        norm = float(np.sum(moved[known] ** 2))
        if not norm:
            return None
        error = np.sqrt(np.sum(moved[known] ** 2 * np.maximum(variance[known], 0.0)))
        return float(np.sum(moved[known] * net[known])) / norm, float(error) / norm


class References:
    """Reference files of a folder.

    Parameters
    ----------
    folder
        Folder with the files, plain or gzipped; None where there is none.
    """

    def __init__(self, folder: Path | RemoteFolder | None) -> None:
        self._folder = folder

    def lamp_templates(
        self, lamptab: str | None, opt_elem: str, cenwave: int, fpoffset: int | None
    ) -> Mapping[str, LampTemplate]:
        """Return the template of each segment or stripe.

        Empty where the table is not at hand.

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
        found = _read_templates(path, path.stat().st_mtime_ns)
        return found.get((opt_elem, cenwave, fpoffset), found.get((opt_elem, cenwave, None), {}))

    def lines(self) -> LineList:
        """Return the lines of known wavelength; none where there is no list.

        Raises
        ------
        PermanentError
            If the list cannot be read.
        """
        path = self._find(LINE_LIST)
        return NO_LINES if path is None else read_line_list(path, path.stat().st_mtime_ns)

    def _find(self, name: str | None) -> Path | None:
        if self._folder is None or not name:
            return None
        return find_reference(self._folder, name)


@lru_cache(maxsize=8)
def _read_templates(path: Path, _modified: int) -> dict[_Setting, dict[str, LampTemplate]]:
    """Return the templates of every setting of a lamp template table.

    Tables of the first generation have no FP_PIXEL_SHIFT: the displacement was not part of their
    shifts, so it is 0; nor do they distinguish FPOFFSETs. Those of the NUV have no HAS_LINES.
    """
    file = FitsFile(lambda: path.open("rb"), path.name)
    if len(file.hdus) < 2:
        raise PermanentError(f"{path.name}: no table in its first extension")
    hdu = file.hdus[1]
    layout = file.layout(hdu)
    optional = [name for name in ("FPOFFSET", "FP_PIXEL_SHIFT", "HAS_LINES") if name in layout]
    table = file.table(hdu, ["SEGMENT", "OPT_ELEM", "CENWAVE", "INTENSITY", *optional])
    rows = len(table["SEGMENT"])
    offsets = [int(value) for value in table["FPOFFSET"]] if "FPOFFSET" in table else [None] * rows
    shifts = table.get("FP_PIXEL_SHIFT", np.zeros(rows))
    lines = table.get("HAS_LINES", np.ones(rows, dtype=bool))
    intensity = table["INTENSITY"].astype(np.float32).reshape(rows, -1)
    found: dict[_Setting, dict[str, LampTemplate]] = {}
    for row in range(rows):
        setting = str(table["OPT_ELEM"][row]).strip(), int(table["CENWAVE"][row]), offsets[row]
        found.setdefault(setting, {})[str(table["SEGMENT"][row]).strip()] = LampTemplate(
            float(shifts[row]), bool(lines[row]) and bool(intensity[row].any()), intensity[row]
        )
    return found
