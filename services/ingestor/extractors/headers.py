"""Header keywords of raw and calibrated files."""

import json
from math import isfinite
from typing import Any

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source, finite, keywords, root_of
from shared.cos.detector import FUV_SEGMENTS
from shared.cos.reference_names import base_name
from shared.database.models.science import (
    AperturePosition,
    ExposureQuality,
    Header,
    HighVoltage,
    Keywords,
)

__all__ = [
    "EXTRACTORS",
    "HEADER_PREFERENCE",
    "document",
    "extract_aperture",
    "extract_headers",
    "extract_high_voltage",
    "extract_keywords",
    "extract_quality",
]

HEADER_PREFERENCE = (
    "x1d",
    "corrtag_a",
    "corrtag_b",
    "corrtag",
    "rawtag_a",
    "rawtag_b",
    "rawtag",
    "rawaccum_a",
    "rawaccum_b",
    "rawaccum",
    "rawacq",
)
"""Kinds of file that a rootname's header is read from; readers see the first one that there is."""

_VOLTAGES = frozenset({"hvlevel", "dethvl", "dethvc", "dethvn"})
"""Columns of a segment, whose keywords end with its letter."""

_MEASURED = ("shift1", "shift2", "dpixel1")
"""Columns, up to the letter of segment or stripe, in which raw files have 0.0 until CalCOS measures
them.
"""


def extract_headers(source: Source) -> Rows:
    """Return the row of ``headers``: keywords of the primary and the first extension header."""
    row = keywords(Header, source)
    row["lamptab"] = base_name(row["lamptab"])
    return Rows(Header, [{"rootname": root_of(source), **_without_placeholders(row)}])


def _without_placeholders(row: dict[str, object]) -> dict[str, object]:
    """Return the row in which 0.0 that was never measured is None.

    Before calibration, and of the segment that is not there.
    """
    other = {"FUVA": "b", "FUVB": "a"}.get(str(row["segment"]), "")
    letters = "abc" if row["cal_ver"] is None else other
    placeholders = {f"{name}{letter}" for name in _MEASURED for letter in letters}
    return {
        column: None if column in placeholders and value == 0.0 else value
        for column, value in row.items()
    }


def extract_quality(source: Source) -> Rows:
    """Return the row of ``quality``."""
    row = keywords(ExposureQuality, source)
    flashes = row["numflash"] if isinstance(row["numflash"], int) else 0
    seconds = [
        finite(source.headers[-1].get(f"LMPDUR{flash}"))
        for flash in range(1, min(flashes, 999) + 1)
    ]
    row["lamp_seconds"] = sum(value for value in seconds if value is not None and value > 0) or None
    return Rows(ExposureQuality, [{"rootname": root_of(source), **row}])


def extract_high_voltage(source: Source) -> Rows:
    """Return rows of ``high_voltage``: one for each FUV segment, or one for the NUV detector."""
    common = keywords(
        HighVoltage, source, frozenset({"expstart", "exptype", "detector", "life_adj"})
    )
    common["rootname"] = root_of(source)
    if common["detector"] != "FUV":
        read_back = keywords(HighVoltage, source, frozenset({"dethvl", "dethvc"}))
        return Rows(HighVoltage, [{**common, "segment": "NUV", **read_back}])
    return Rows(
        HighVoltage,
        [
            {
                **common,
                "segment": segment,
                **keywords(HighVoltage, source, _VOLTAGES, side=segment[-1]),
            }
            for segment in FUV_SEGMENTS
        ],
    )


def extract_aperture(source: Source) -> Rows:
    """Return the row of ``apertures``."""
    return Rows(
        AperturePosition, [{"rootname": root_of(source), **keywords(AperturePosition, source)}]
    )


def extract_keywords(source: Source) -> Rows:
    """Return the row of ``keywords``: every header of the file as one document."""
    content = document(list(source.file.headers))
    return Rows(
        Keywords,
        [{"rootname": source.rootname or source.name.partition(".fits")[0], "hdus": content}],
    )


def document(headers: list[Any]) -> str:
    """Return the headers as JSON; numbers that JSON does not have (infinities) become text."""
    try:
        return json.dumps(headers, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(
            [{key: _finite(value) for key, value in header.items()} for header in headers]
        )


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not isfinite(value) else value


EXTRACTORS = (
    Extractor(table=Header, suffixes=HEADER_PREFERENCE, extract=extract_headers),
    Extractor(table=ExposureQuality, suffixes=HEADER_PREFERENCE, extract=extract_quality),
    Extractor(table=HighVoltage, suffixes=HEADER_PREFERENCE, extract=extract_high_voltage),
    Extractor(table=AperturePosition, suffixes=HEADER_PREFERENCE, extract=extract_aperture),
    Extractor(table=Keywords, suffixes=None, extract=extract_keywords),
)
