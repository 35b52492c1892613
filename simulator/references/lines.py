"""List of the lines whose wavelengths are known: those of the lamp, and of standards."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from simulator.instrument.lamp import lamp_lines
from simulator.instrument.modes import Setting, settings_of
from simulator.plan import Target
from simulator.references.writing import primary, table, write

__all__ = ["LINE_LIST", "write_line_list"]

LINE_LIST = "cosmo_lines.fits"

_STRONGEST = 12
"""Lines of a setting at most."""
_ALONE = 36.0
"""Pixels within which another line must be far fainter."""
_FAINT = 0.05
"""Strength of another line over that of a line that is alone."""
_RANGE = (1100.0, 3400.0)
"""Wavelengths of lines of standards, Angstrom."""

_Row = tuple[str, str, str, int, float]


def write_line_list(folder: Path, standards: tuple[Target, ...]) -> None:
    """Write the list, gzipped.

    Parameters
    ----------
    folder
        Folder of reference files.
    standards
        Targets whose lines it shall have.
    """
    rows = [row for detector in ("FUV", "NUV") for row in _lamp(detector)]
    rows += [row for target in standards for row in _target(target)]
    columns = [
        ("SOURCE", "16A", ""),
        ("SEGMENT", "4A", ""),
        ("OPT_ELEM", "5A", ""),
        ("CENWAVE", "1J", "Angstrom"),
        ("WAVELENGTH", "1D", "Angstrom"),
    ]
    hdus = fits.HDUList([primary("LIST OF LINES", "N/A"), table(columns, rows)])
    write(hdus, folder / LINE_LIST)


def _lamp(detector: str) -> Iterator[_Row]:
    for mode in settings_of(detector):
        if mode.has_lamp_lines:
            for pixel in _alone(mode):
                wavelength = float(mode.wavelength(pixel))
                yield "lamp", mode.channel, mode.grating.name, mode.cenwave, wavelength


def _alone(mode: Setting) -> list[float]:
    """Return the positions of the strongest lines that are alone, pixels."""
    positions, strengths = lamp_lines(mode)
    near = np.abs(positions - positions[:, None]) < _ALONE
    rival = np.where(near & ~np.eye(len(positions), dtype=bool), strengths, 0.0).max(axis=1)
    edge = 2.0 * mode.middle
    good = (rival < _FAINT * strengths) & (positions > _ALONE) & (positions < edge - _ALONE)
    best = np.argsort(np.where(good, -strengths, np.inf))[:_STRONGEST]
    return sorted(positions[best][good[best]].tolist())


def _target(target: Target) -> Iterator[_Row]:
    spectrum = target.spectrum
    if spectrum is None or not spectrum.line_spacing:
        return
    first, last = (round(side / spectrum.line_spacing) for side in _RANGE)
    for number in range(first, last + 1):
        yield target.name, "", "", 0, number * spectrum.line_spacing
