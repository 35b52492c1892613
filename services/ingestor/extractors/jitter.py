"""Pointing jitter."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from services.ingestor.extractors.reading import Rows, Source
from shared.database.models.science import Jitter
from shared.errors import PermanentError
from shared.fits import Columns, Hdu, Header

__all__ = ["extract_jitter"]

_PLACEHOLDER = 1e30
"""Values from here on were not measured: jitter tables write 1.6e38."""

_COLUMNS = [
    "Seconds", "SI_V2_AVG", "SI_V2_RMS", "SI_V3_AVG", "SI_V3_RMS", "Latitude", "Longitude", "Recenter", "TakeData",
    "SlewFlag",
]  # fmt: skip


def extract_jitter(source: Source) -> Rows:
    """Rows of ``jitter``: one for each exposure of the file.

    Raises
    ------
    PermanentError
        If an extension does not name its exposure.
    """
    primary = source.file.headers[0]
    detector = str(primary.get("CONFIG") or "").rpartition("/")[2].strip() or None
    proposid = primary.get("PROPOSID")
    common = {"detector": detector, "proposid": proposid if isinstance(proposid, int) else None}
    tables = [hdu for hdu in source.file.hdus[1:] if hdu.name == "JIT"]
    return Rows(Jitter, [{**common, **_exposure(source, hdu)} for hdu in tables])


def _exposure(source: Source, hdu: Hdu) -> dict[str, object]:
    expname = str(hdu.header.get("EXPNAME") or "").strip().lower()
    if not expname:
        raise PermanentError(f"{source.name}: a table jit without EXPNAME")
    raw = source.companions(expname[:8], "raw")
    table = source.file.table(hdu, _COLUMNS)
    return {
        "rootname": f"{expname[:8]}q" if expname.endswith("j") else expname,
        "expname": expname,
        "expstart": _keyword(raw, "EXPSTART", float),
        "exptype": _keyword(raw, "EXPTYPE", str),
        **_timing(table),
        **_statistics("v2", table["SI_V2_AVG"], table["SI_V2_RMS"]),
        **_statistics("v3", table["SI_V3_AVG"], table["SI_V3_RMS"]),
        **_flags(table),
        "latitude": _first(table["Latitude"]),
        "longitude": _first(table["Longitude"]),
    }


def _keyword(headers: Any, keyword: str, kind: type) -> Any:
    header: Header = {key: value for header in reversed(headers or ()) for key, value in header.items()}
    value = header.get(keyword)
    return value if isinstance(value, kind) and value not in ("", 0.0) else None


def _measured(values: Any) -> Any:
    values = values.astype(np.float64)
    return values[np.isfinite(values) & (np.abs(values) < _PLACEHOLDER)]


def _timing(table: Columns) -> dict[str, object]:
    seconds = _measured(table["Seconds"])
    several = seconds.size > 1
    return {
        "samples": len(table["Seconds"]),
        "sampling": float(np.median(np.diff(seconds))) if several else None,
        "duration": float(seconds[-1] - seconds[0]) if several else None,
    }


def _statistics(axis: str, averages: Any, scatter: Any) -> Mapping[str, object]:
    averages, scatter = _measured(averages), _measured(scatter)
    some = averages.size > 0
    return {
        f"{axis}_samples": int(averages.size),
        f"{axis}_mean": float(averages.mean()) if some else None,
        f"{axis}_std": float(averages.std()) if some else None,
        f"{axis}_max": float(averages.max()) if some else None,
        f"{axis}_rms": float(scatter.mean()) if scatter.size else None,
    }


def _flags(table: Columns) -> dict[str, object]:
    taken = table["TakeData"] == 1
    return {
        "recenters": int((taken & (table["Recenter"] != 0)).sum()),
        "slews": int((taken & (table["SlewFlag"] != 0)).sum()),
    }


def _first(values: Any) -> float | None:
    found = _measured(values)
    return float(found[0]) if found.size else None
