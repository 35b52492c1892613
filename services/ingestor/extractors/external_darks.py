"""Dark rates that another team measured.

A JSON list, from which the first map over HST's orbit was made.

Each measurement is an object with ``rootname``, ``detector`` (FUVA, FUVB or NUV), ``date`` (decimal
year), ``dark`` and ``ta_dark`` (counts / (s pix)), ``latitude``, ``longitude``, ``sun_lat``,
``sun_lon`` (deg) and ``temp`` (deg C); other members are passed over. The region is called
``legacy``: it is about the inner one, and not exactly known.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, MINYEAR
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source, finite
from services.ingestor.extractors.unreadable import Unreadable
from shared.cos.dates import mjd_of_year
from shared.cos.saa import saa_distance
from shared.database.models.science import Dark
from shared.errors import PermanentError
from shared.fits import inflated
from shared.fits.streams import reading

__all__ = ["EXTRACTORS", "extract_measurements"]

_LARGEST = 16 << 20
"""Most bytes of JSON, unpacked: ten times the one list that there is.

Objects take 25 times the room of their text.
"""

_DETECTORS = ("FUVA", "FUVB", "NUV")
_NUMBERS = ("date", "dark", "ta_dark", "latitude", "longitude", "sun_lat", "sun_lon", "temp")

Floats = NDArray[np.float64]


def extract_measurements(source: Source) -> Rows:
    """Return the rows of ``darks``, one for each measurement.

    Counts, exposure time and area are unknown.

    A measurement without rootname, detector, date or rate is left out, and noted.

    Raises
    ------
    PermanentError
        If it is no list of measurements, or none of them can be read.
    """
    unreadable = Unreadable("measurement", "dark rate")
    items: list[Mapping[str, Any]] = []
    for place, item in enumerate(_items(source), start=1):
        if why := _fault(item):
            unreadable.add(place, why)
        else:
            items.append(item)
    unreadable.report(source, len(items))
    numbers = {name: _column(items, name) for name in _NUMBERS}
    mjd = mjd_of_year(numbers["date"])
    numbers["longitude"] %= 360.0
    numbers["sun_lon"] %= 360.0
    distance = _distances(numbers["latitude"], numbers["longitude"], mjd)
    return Rows(
        Dark,
        common={"region": "legacy"},
        columns={
            **{name: _known(values) for name, values in numbers.items()},
            "rootname": [item["rootname"].strip().lower() for item in items],
            "detector": [item["detector"] for item in items],
            "mjd": mjd.tolist(),
            "saa_distance": _known(distance),
        },
    )


def _items(source: Source) -> Sequence[Any]:
    with reading(source.name), source.opener() as stream, inflated(stream) as content:
        text = content.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise PermanentError(f"{source.name}: more than {_LARGEST >> 20} MB of JSON; split it")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PermanentError(f"{source.name}: not JSON: {error}") from error
    if not isinstance(found, list):
        raise PermanentError(f"{source.name}: not a list of measurements")
    return found


def _fault(item: object) -> str | None:
    """Return the reason why a measurement is of no use; None where it is."""
    if not isinstance(item, dict):
        return f"{item!r:.40} is no object"
    root, detector = item.get("rootname"), item.get("detector")
    if not isinstance(root, str) or not root.strip() or not root.isprintable():
        return f"{root!r:.40} as rootname"
    if detector not in _DETECTORS:
        return f"{detector!r:.40} as detector, not {', '.join(_DETECTORS)}"
    date = finite(item.get("date"))
    if date is None or not MINYEAR <= date < MAXYEAR:
        return f"{item.get('date')!r:.40} as date, which is no year"
    return (
        None
        if finite(item.get("dark")) is not None
        else f"{item.get('dark')!r:.40} as dark, which is no number"
    )


def _column(items: Sequence[Mapping[str, Any]], name: str) -> Floats:
    """Return the numbers of every measurement; NaN where there is none."""
    return np.array(
        [np.nan if (value := finite(item.get(name))) is None else value for item in items]
    )


def _distances(latitude: Floats, longitude: Floats, mjd: Floats) -> Floats:
    """Return the distances to the SAA.

    Its contours are dated, and those of each measurement's month are taken.
    """
    distance = np.full(len(mjd), np.nan)
    months = np.floor(mjd / 30.0)
    for month in np.unique(months):
        mine = (months == month) & np.isfinite(latitude + longitude)
        if mine.any():
            distance[mine] = saa_distance(latitude[mine], longitude[mine], float(mjd[mine].min()))
    return distance


def _known(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


EXTRACTORS = (
    Extractor(table=Dark, suffixes=("darkrates",), extract=extract_measurements, fits=False),
)
