"""Pointing jitter."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Contained, Rows, Source, finite, keywords
from services.ingestor.extractors.tables import read_columns
from shared.database.models.science import Jitter
from shared.errors import PermanentError
from shared.fits import Columns, Hdu, Header

__all__ = ["EXTRACTORS", "extract_jitter"]

_PLACEHOLDER = 1e30
"""Values from here on were not measured: jitter tables write 1.6e38."""

_COLUMNS = [
    "Seconds",
    "SI_V2_AVG",
    "SI_V2_RMS",
    "SI_V3_AVG",
    "SI_V3_RMS",
    "Latitude",
    "Longitude",
    "Recenter",
    "TakeData",
    "SlewFlag",
]


def extract_jitter(source: Source) -> Rows:
    """Return the rows of ``jitter``: one for each exposure of the file.

    An extension that does not name its exposure has none.
    """
    primary = source.file.headers[0]
    detector = str(primary.get("CONFIG") or "").rpartition("/")[2].strip() or None
    common = {
        "detector": detector,
        **keywords(Jitter, source, frozenset({"proposid"}), headers=[primary]),
    }
    rows: list[Mapping[str, object]] = []
    for number, hdu in enumerate(source.file.hdus):
        if number and hdu.name == "JIT":
            with Contained(source, f"HDU {number} (jit)"):
                rows.append({**common, **_exposure(source, number, hdu)})
    return Rows(Jitter, rows)


def _exposure(source: Source, number: int, hdu: Hdu) -> dict[str, object]:
    expname = str(hdu.header.get("EXPNAME") or "").strip().lower()
    if expname in ("", "n/a"):
        raise PermanentError(f"{source.name}, HDU {number}: a table jit without EXPNAME")
    raw = source.companions(expname[:8], "raw")
    table = read_columns(source, hdu, _COLUMNS)
    return {
        "rootname": f"{expname[:8]}q" if expname.endswith("j") else expname,
        "expname": expname,
        "expstart": _keyword(raw, "EXPSTART", float),
        "exptype": _keyword(raw, "EXPTYPE", str),
        "samples": source.file.layout(hdu).rows,
        **_timing(table),
        **_statistics("v2", table),
        **_statistics("v3", table),
        **_flags(table),
        "latitude": _first(table, "Latitude"),
        "longitude": _first(table, "Longitude"),
    }


def _keyword(headers: Any, keyword: str, kind: type) -> Any:
    header: Header = {
        key: value for header in reversed(headers or ()) for key, value in header.items()
    }
    value = finite(header.get(keyword)) if kind is float else header.get(keyword)
    return value if isinstance(value, kind) and value not in ("", 0.0) else None


def _measured(table: Columns, name: str) -> "NDArray[np.float64]":
    """Return the values of a column that are measurements; none where the column cannot be read."""
    values = table.get(name, np.zeros(0))
    return values[np.isfinite(values) & (np.abs(values) < _PLACEHOLDER)]


def _timing(table: Columns) -> dict[str, object]:
    seconds = _measured(table, "Seconds")
    several = seconds.size > 1
    return {
        "sampling": float(np.median(np.diff(seconds))) if several else None,
        "duration": float(seconds[-1] - seconds[0]) if several else None,
    }


def _statistics(axis: str, table: Columns) -> Mapping[str, object]:
    average = f"SI_{axis.upper()}_AVG"
    averages, scatter = _measured(table, average), _measured(table, f"SI_{axis.upper()}_RMS")
    some = averages.size > 0
    return {
        f"{axis}_samples": int(averages.size) if average in table else None,
        f"{axis}_mean": float(averages.mean()) if some else None,
        f"{axis}_std": float(averages.std()) if averages.size > 1 else None,
        f"{axis}_max": float(averages.max()) if some else None,
        f"{axis}_rms": float(scatter.mean()) if scatter.size else None,
    }


def _flags(table: Columns) -> dict[str, object]:
    return {
        column: int(((table["TakeData"] == 1) & (table[name] != 0)).sum())
        for column, name in (("recenters", "Recenter"), ("slews", "SlewFlag"))
        if name in table and "TakeData" in table
    }


def _first(table: Columns, name: str) -> float | None:
    found = _measured(table, name)
    return float(found[0]) if found.size else None


EXTRACTORS = (Extractor(table=Jitter, suffixes=("jit",), extract=extract_jitter),)
