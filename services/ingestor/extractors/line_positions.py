"""Where lines of known wavelength lie in spectra of the lamp and of standards."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.line_lists import LAMP
from services.ingestor.extractors.rows import Contained, Rows, Source, keywords, root_of
from services.ingestor.extractors.tables import read_columns
from shared.cos.detector import FUV_SEGMENTS, NUV_STRIPES
from shared.cos.reference_names import base_name
from shared.database.models.science import LinePosition
from shared.fits import Columns

__all__ = ["EXTRACTORS", "Measured", "extract_lamp_lines", "extract_target_lines", "find_line"]

Floats = NDArray[np.float64]

_COMMON = frozenset(
    {
        "date",
        "proposid",
        "detector",
        "opt_elem",
        "cenwave",
        "fppos",
        "life_adj",
        "aperture",
        "disptab",
    }
)
_SEGMENTS = (*FUV_SEGMENTS, *NUV_STRIPES)

_HALF = 12
"""Pixels to both sides of a line whose centroid is taken: lines have a sigma of 2 to 4."""
_SIDE = 12
"""Pixels beyond these to both sides, whose median is the continuum."""
_REACH = 12
"""Pixels by which a line may be off and is still found."""
_STEPS = 8
"""Times that the window is put about the centroid."""
_LEAST_SIGMA = 5.0
"""Excess over its own error that a line needs."""


@dataclass(frozen=True)
class Measured:
    """A line.

    Attributes
    ----------
    pixel, error
        Its centroid and one-sigma error by the counts, pix.
    counts
        Above the continuum, or those that it lacks below it.
    """

    pixel: float
    error: float
    counts: float


def find_line(counts: Floats, expected: float) -> Measured | None:
    """Return the centroid of an emission or absorption line.

    Parameters
    ----------
    counts
        Spectrum, shape (n,).
    expected
        Where it should be, pix.

    Returns
    -------
    Measured or None
        None where it is too near the end, too faint, or too far from where it should be.
    """
    pixels = np.arange(len(counts))
    centre = expected
    for _ in range(_STEPS):
        # No further than the other lines that the list would not have.
        if abs(centre - expected) > _REACH:
            return None
        first = round(centre) - _HALF - _SIDE
        last = round(centre) + _HALF + _SIDE + 1
        if first < 0 or last > len(counts):
            return None
        near, x = counts[first:last], pixels[first:last]
        sides = np.abs(x - centre) > _HALF
        level = float(np.median(near[sides]))
        excess = near[~sides] - level
        total = float(excess.sum())
        noise = float(np.sqrt(max(near[~sides].sum(), 0.0) + max(level, 0.0) * len(excess)))
        if not np.isfinite(total) or abs(total) < max(_LEAST_SIGMA * noise, 1.0):
            return None
        before, centre = centre, float((x[~sides] * excess).sum() / total)
        if abs(centre - before) < 1e-3:
            break
    variance = float(((x[~sides] - centre) ** 2 * np.maximum(near[~sides], 0.0)).sum())
    return Measured(centre, float(np.sqrt(variance)) / abs(total), abs(total))


def _has_lines(source: Source, name: str) -> bool:
    """Return whether there is a list, with lines of a name."""
    with Contained(source, "the list of lines"):
        return source.references.lines().has(name)
    return False


def _lines_of(
    source: Source, name: str, common: dict[str, Any], segment: str, wavelength: Floats
) -> Iterator[tuple[float, float]]:
    """Yield wavelength and expected pixel of each line of a list that a spectrum has."""
    order = np.argsort(wavelength)
    for line in source.references.lines().of(name, segment, common["opt_elem"], common["cenwave"]):
        if wavelength[order[0]] < line < wavelength[order[-1]]:
            yield float(line), float(np.interp(line, wavelength[order], order))


def _row(
    wavelength: Floats, line: float, found: list[tuple[Measured, Floats]]
) -> dict[str, object]:
    """Return the mean of a line over spectra, each with its wavelengths, by their counts."""
    pixels = np.arange(len(wavelength))
    weights = np.array([one.counts for one, _ in found])
    places = [float(np.interp(one.pixel, pixels, own)) for one, own in found]
    errors = np.array([one.error for one, _ in found])
    position = float(np.average([one.pixel for one, _ in found], weights=weights))
    scale = float(np.interp(position, pixels, np.gradient(wavelength)))
    return {
        "catalogue": line,
        "measured": float(np.average(places, weights=weights)),
        "error": abs(scale) * float(np.sqrt(((weights * errors) ** 2).sum()) / weights.sum()),
        "dispersion": scale,
        "position": position,
        "counts": float(weights.sum()),
    }


def _rows(source: Source, table: Columns, name: str, counts: Floats, **changed: Any) -> Rows:
    common = keywords(LinePosition, source, _COMMON) | changed
    common["disptab"] = base_name(common["disptab"])
    segments = np.array([str(one).strip() for one in table["SEGMENT"]])
    spectra = table["WAVELENGTH"].reshape(len(segments), -1)
    rows: list[dict[str, object]] = []
    for segment in sorted(set(segments.tolist()) & set(_SEGMENTS)):
        mine = [
            place
            for place in np.flatnonzero(segments == segment).tolist()
            if spectra[place].any() and np.isfinite(spectra[place]).all()
        ]
        found: dict[float, list[tuple[Measured, Floats]]] = {}
        for place in mine:
            for line, expected in _lines_of(source, name, common, segment, spectra[place]):
                measured = find_line(counts[place], expected)
                if measured is not None:
                    found.setdefault(line, []).append((measured, spectra[place]))
        rows += [
            {"rootname": root_of(source), **common, "source": name, "segment": segment}
            | _row(spectra[mine[0]], line, flashes)
            for line, flashes in sorted(found.items())
        ]
    return Rows(LinePosition, rows)


def extract_lamp_lines(source: Source) -> Rows:
    """Return the rows of ``line_positions`` of lamp flashes.

    Those in which CalCOS found no spectrum are left out: their wavelengths are not calibrated.
    """
    if not _has_lines(source, LAMP):
        return Rows(LinePosition)
    table = read_columns(
        source,
        source.file.find("LAMPFLASH"),
        ["EXPTIME", "SPEC_FOUND"],
        arrays=["NET", "WAVELENGTH"],
        texts=["SEGMENT"],
    )
    if not {"EXPTIME", "NET", "WAVELENGTH", "SEGMENT", "SPEC_FOUND"} <= table.keys():
        return Rows(LinePosition)
    found = np.flatnonzero(table["SPEC_FOUND"] > 0)
    if not len(found):
        return Rows(LinePosition)
    kept = {name: column[found] for name, column in table.items()}
    counts = kept["NET"].reshape(len(found), -1) * kept["EXPTIME"][:, None]
    return _rows(source, kept, LAMP, counts, aperture="WCA")


def extract_target_lines(source: Source) -> Rows:
    """Return the rows of ``line_positions`` of a target of which the list has lines."""
    name = str(source.file.headers[0].get("TARGNAME") or "").strip()
    if not _has_lines(source, name):
        return Rows(LinePosition)
    table = read_columns(
        source,
        source.file.find("SCI"),
        ["EXPTIME"],
        arrays=["GROSS", "WAVELENGTH"],
        texts=["SEGMENT"],
    )
    if not {"EXPTIME", "GROSS", "WAVELENGTH", "SEGMENT"} <= table.keys():
        return Rows(LinePosition)
    counts = table["GROSS"].reshape(len(table["SEGMENT"]), -1) * table["EXPTIME"][:, None]
    return _rows(source, table, name, counts)


EXTRACTORS = (
    Extractor(table=LinePosition, suffixes=("lampflash",), extract=extract_lamp_lines),
    Extractor(table=LinePosition, suffixes=("x1d",), extract=extract_target_lines),
)
