"""Dark rates that another team measured: a JSON list, from which the first map over HST's orbit was made.

Each measurement is an object with ``rootname``, ``detector`` (FUVA, FUVB or NUV), ``date`` (decimal year), ``dark`` and
``ta_dark`` (counts / (s pix)), ``latitude``, ``longitude``, ``sun_lat``, ``sun_lon`` (deg) and ``temp`` (deg C); other
members are passed over. The region is called ``legacy``: it is about the inner one, and not exactly known.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from services.ingestor.extractors.reading import Rows, Source
from shared.cos.dates import mjd_of_year
from shared.cos.saa import saa_distance
from shared.database.models.science import Dark
from shared.errors import PermanentError

__all__ = ["extract_measurements"]

_LARGEST = 256 << 20
_DETECTORS = ("FUVA", "FUVB", "NUV")
_NUMBERS = ("date", "dark", "ta_dark", "latitude", "longitude", "sun_lat", "sun_lon", "temp")


def extract_measurements(source: Source) -> Rows:
    """Rows of ``darks``, one for each measurement; counts, exposure time and area are unknown.

    Raises
    ------
    PermanentError
        If it is no list of such measurements; the message names the first wrong one. Nothing of it is used then.
    """
    items = _items(source)
    columns = {name: np.array([_number(item, name, source.name, place) for place, item in items]) for name in _NUMBERS}
    mjd = mjd_of_year(columns["date"])
    distance = np.full(len(mjd), np.nan)
    # Contours are dated; each measurement is held against the one of its month.
    months = np.floor(mjd / 30.0)
    for month in np.unique(months):
        mine = months == month
        distance[mine] = saa_distance(columns["latitude"][mine], columns["longitude"][mine], float(mjd[mine].min()))
    columns["longitude"] %= 360.0
    columns["sun_lon"] %= 360.0
    return Rows(
        Dark,
        common={"region": "legacy"},
        columns={
            **{name: values.tolist() for name, values in columns.items()},
            "rootname": [_text(item, "rootname", source.name, place) for place, item in items],
            "detector": [_detector(item, source.name, place) for place, item in items],
            "mjd": mjd.tolist(),
            "saa_distance": distance.tolist(),
        },
    )


def _items(source: Source) -> Sequence[tuple[int, Mapping[str, Any]]]:
    with source.opener() as stream:
        content = stream.read(_LARGEST + 1)
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        found = json.loads(content) if len(content) <= _LARGEST else None
    except (ValueError, OSError, EOFError) as error:
        raise PermanentError(f"{source.name}: not JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise PermanentError(f"{source.name}: not a list of measurements of at most {_LARGEST >> 20} MB")
    return list(enumerate(found, start=1))


def _text(item: Mapping[str, Any], name: str, file: str, place: int) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise PermanentError(f"{file}: measurement {place} has {value!r} as {name}")
    return value.strip().lower()


def _detector(item: Mapping[str, Any], file: str, place: int) -> str:
    value = item.get("detector")
    if value not in _DETECTORS:
        raise PermanentError(f"{file}: measurement {place} has {value!r} as detector, not {', '.join(_DETECTORS)}")
    return str(value)


def _number(item: Mapping[str, Any], name: str, file: str, place: int) -> float:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise PermanentError(f"{file}: measurement {place} has {value!r} as {name}, which is no number")
    return float(value)
