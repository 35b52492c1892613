"""Lamp flashes: where the lamp spectrum fell."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.lamp_templates import LampTemplate
from services.ingestor.extractors.rows import Contained, Rows, Source, keywords, root_of
from services.ingestor.extractors.tables import read_columns
from shared.cos.detector import FUV_SEGMENTS, NUV_STRIPES
from shared.cos.reference_names import base_name
from shared.database.models.science import Lampflash
from shared.errors import PermanentError
from shared.fits import Columns

__all__ = ["EXTRACTORS", "extract_lampflashes"]

_COMMON = frozenset(
    {
        "date",
        "proposid",
        "detector",
        "opt_elem",
        "cenwave",
        "fppos",
        "fpoffset",
        "life_adj",
        "cal_date",
        "lamptab",
        "exptype",
        "obset_id",
        "lampused",
        "lampset",
        "wcptab",
    }
)
_SEGMENTS = (*FUV_SEGMENTS, *NUV_STRIPES, "N/A")
"""Those of spectra, and what CalCOS writes where the lamp lit an image."""

_MEASURED = {
    "time": "TIME",
    "exptime": "EXPTIME",
    "lamp_on": "LAMP_ON",
    "lamp_off": "LAMP_OFF",
    "shift_disp": "SHIFT_DISP",
    "y_shift": "SHIFT_XDISP",
    "chi_square": "CHI_SQUARE",
}


def extract_lampflashes(source: Source) -> Rows:
    """Return the rows of ``lampflash``, numbered within each segment since the order of rows
    differs between the detectors.

    ``x_shift`` is without the commanded FP-POS displacement that SHIFT_DISP contains; what needs
    the lamp template is null where that is not at hand. A row of no segment is left out.

    Raises
    ------
    PermanentError
        If the table is missing or names no segments.
    """
    table = read_columns(
        source,
        source.file.find("LAMPFLASH"),
        ["SPEC_FOUND", "N_DEG_FREEDOM", *_MEASURED.values()],
        arrays=["NET", "GROSS"],
        texts=["SEGMENT"],
    )
    if "SEGMENT" not in table:
        raise PermanentError(f"{source.name}: LAMPFLASH names no segments")
    common = keywords(Lampflash, source, _COMMON)
    for reference in ("lamptab", "wcptab"):
        common[reference] = base_name(common[reference])
    templates = _templates(source, common)
    rates, gross = (_sums(table, name) for name in ("NET", "GROSS"))
    root = root_of(source)
    flashes: Counter[str] = Counter()
    rows: list[dict[str, object]] = []
    for index, segment in enumerate(str(text).strip() for text in table["SEGMENT"]):
        if segment not in _SEGMENTS:
            source.note(
                f"LAMPFLASH, row {index + 1}: SEGMENT is {segment!r}, not {', '.join(_SEGMENTS)}"
            )
            continue
        flashes[segment] += 1
        measured = {column: _finite(table, name, index) for column, name in _MEASURED.items()}
        found, degrees = (_finite(table, name, index) for name in ("SPEC_FOUND", "N_DEG_FREEDOM"))
        template = templates.get(segment)
        shift = None if template is None else _without(template, measured["shift_disp"])
        rows.append(
            {
                "rootname": root,
                **common,
                **measured,
                "segment": segment,
                "flash": flashes[segment],
                "x_shift": shift,
                "rate": rates[index],
                "gross": gross[index],
                **_match(table, index, template, shift),
                "n_deg_freedom": None if degrees is None else int(degrees),
                "found": None if found is None else bool(found),
                "filetype": "lampflash",
            }
        )
    return Rows(Lampflash, rows)


def _templates(source: Source, common: dict[str, Any]) -> Mapping[str, LampTemplate]:
    if common["opt_elem"] is None or common["cenwave"] is None:
        return {}
    with Contained(source, f"the lamp template {common['lamptab']}"):
        return source.references.lamp_templates(
            common["lamptab"], common["opt_elem"], common["cenwave"], common["fpoffset"]
        )
    return {}


def _without(template: LampTemplate, shift: float | None) -> float | None:
    """Return a shift without the displacement that FP-POS commands."""
    return None if shift is None else shift - template.fp_pixel_shift


def _match(
    table: Columns, index: int, template: LampTemplate | None, shift: float | None
) -> dict[str, object]:
    """Return whether the template of a flash has lines, and how bright they are over it.

    The variance of NET is that of the counts, GROSS, over the time.
    """
    if template is None:
        return {}
    found: dict[str, object] = {"has_lines": template.has_lines}
    seconds = _finite(table, "EXPTIME", index)
    if template.has_lines and shift is not None and seconds and {"NET", "GROSS"} <= table.keys():
        net, gross = (np.atleast_1d(table[name][index]) for name in ("NET", "GROSS"))
        scale = template.scale(net, gross / seconds, shift)
        if scale is not None:
            found["template_scale"], found["template_scale_error"] = scale
    return found


def _sums(table: Columns, name: str) -> list[float | None]:
    """Return the sum of a spectrum of each flash, without what is not a number.

    A flash of which nothing is has none.
    """
    if name not in table:
        return [None] * len(table["SEGMENT"])
    spectra: NDArray[np.float64] = table[name].reshape(len(table["SEGMENT"]), -1)
    known = np.isfinite(spectra)
    sums = np.where(known.any(axis=1), np.where(known, spectra, 0.0).sum(axis=1), np.nan)
    return [None if np.isnan(total) else total for total in sums.tolist()]


def _finite(table: Columns, name: str, index: int) -> float | None:
    """Return the cell of a column, where it is a finite number."""
    return float(table[name][index]) if name in table and np.isfinite(table[name][index]) else None


EXTRACTORS = (Extractor(table=Lampflash, suffixes=("lampflash",), extract=extract_lampflashes),)
