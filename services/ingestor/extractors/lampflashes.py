"""Lamp flashes: where the lamp spectrum fell."""

from collections import Counter
from typing import Any

import numpy as np

from services.ingestor.extractors.reading import Rows, Source, keywords, root_of
from shared.cos.detector import FUV_SEGMENTS, NUV_STRIPES
from shared.cos.reference_names import base_name
from shared.database.models.science import Lampflash
from shared.errors import PermanentError

__all__ = ["extract_lampflashes"]

_COMMON = frozenset(
    {"date", "proposid", "detector", "opt_elem", "cenwave", "fppos", "fpoffset", "life_adj", "cal_date", "lamptab"}
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
    """Rows of ``lampflash``, numbered within each segment since the order of rows differs between the detectors.

    ``x_shift`` is without the commanded FP-POS displacement that SHIFT_DISP contains; it is null where the lamp
    template is not at hand.
    """
    hdu = source.file.find("LAMPFLASH")
    columns = ["SEGMENT", "NET", "SPEC_FOUND", "N_DEG_FREEDOM", *_MEASURED.values()]
    table = source.file.table(hdu, columns)
    common = keywords(Lampflash, source.headers, source.name, _COMMON)
    common["lamptab"] = base_name(common["lamptab"])
    commanded = _commanded(source, common)
    rates = np.nansum(table["NET"].astype(np.float64), axis=-1)
    root = root_of(source)
    flashes: Counter[str] = Counter()
    rows: list[dict[str, object]] = []
    for index, segment in enumerate(str(text).strip() for text in table["SEGMENT"]):
        if segment not in _SEGMENTS:
            raise PermanentError(f"{source.name}: SEGMENT of LAMPFLASH is {segment!r}, not {', '.join(_SEGMENTS)}")
        flashes[segment] += 1
        measured = {column: _finite(table[name][index]) for column, name in _MEASURED.items()}
        shift = measured["shift_disp"]
        rows.append(
            {
                "rootname": root,
                **common,
                **measured,
                "segment": segment,
                "flash": flashes[segment],
                "x_shift": None if shift is None or segment not in commanded else shift - commanded[segment],
                "rate": _finite(rates[index]),
                "n_deg_freedom": int(table["N_DEG_FREEDOM"][index]),
                "found": bool(table["SPEC_FOUND"][index]),
                "filetype": "lampflash",
            }
        )
    return Rows(Lampflash, rows)


def _commanded(source: Source, common: dict[str, Any]) -> dict[str, float]:
    if common["opt_elem"] is None or common["cenwave"] is None:
        return {}
    return source.references.commanded_shifts(
        common["lamptab"], common["opt_elem"], common["cenwave"], common["fpoffset"]
    )


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
