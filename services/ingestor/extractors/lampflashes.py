"""Lamp flashes: where the lamp spectrum fell."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.declaration import Extractor
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

    ``x_shift`` is without the commanded FP-POS displacement that SHIFT_DISP contains; it is null
    where the lamp template is not at hand. A row of no segment is left out.

    Raises
    ------
    PermanentError
        If the table is missing or names no segments.
    """
    table = read_columns(
        source,
        source.file.find("LAMPFLASH"),
        ["SPEC_FOUND", "N_DEG_FREEDOM", *_MEASURED.values()],
        arrays=["NET"],
        texts=["SEGMENT"],
    )
    if "SEGMENT" not in table:
        raise PermanentError(f"{source.name}: LAMPFLASH names no segments")
    common = keywords(Lampflash, source, _COMMON)
    common["lamptab"] = base_name(common["lamptab"])
    commanded = _commanded(source, common)
    rates = _rates(table)
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
        shift = measured["shift_disp"]
        rows.append(
            {
                "rootname": root,
                **common,
                **measured,
                "segment": segment,
                "flash": flashes[segment],
                "x_shift": None
                if shift is None or segment not in commanded
                else shift - commanded[segment],
                "rate": rates[index],
                "n_deg_freedom": None if degrees is None else int(degrees),
                "found": None if found is None else bool(found),
                "filetype": "lampflash",
            }
        )
    return Rows(Lampflash, rows)


def _commanded(source: Source, common: dict[str, Any]) -> dict[str, float]:
    if common["opt_elem"] is None or common["cenwave"] is None:
        return {}
    with Contained(source, f"the lamp template {common['lamptab']}"):
        return source.references.commanded_shifts(
            common["lamptab"], common["opt_elem"], common["cenwave"], common["fpoffset"]
        )
    return {}


def _rates(table: Columns) -> list[float | None]:
    """Return the sum of NET of each flash, without what is not a number.

    A flash of which nothing is has none.
    """
    if "NET" not in table:
        return [None] * len(table["SEGMENT"])
    net: NDArray[np.float64] = table["NET"].reshape(len(table["SEGMENT"]), -1)
    known = np.isfinite(net)
    sums = np.where(known.any(axis=1), np.where(known, net, 0.0).sum(axis=1), np.nan)
    return [None if np.isnan(total) else total for total in sums.tolist()]


def _finite(table: Columns, name: str, index: int) -> float | None:
    """Return the cell of a column, where it is a finite number."""
    return float(table[name][index]) if name in table and np.isfinite(table[name][index]) else None


EXTRACTORS = (Extractor(table=Lampflash, suffixes=("lampflash",), extract=extract_lampflashes),)
