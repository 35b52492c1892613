"""From a file to typed rows: one pure extractor per kind of file and table."""

from collections.abc import Callable, Collection, Mapping

from services.ingestor.extractors.acquisitions import extract_acquisition, extract_lamp_image
from services.ingestor.extractors.cci import extract_cumulative_gain
from services.ingestor.extractors.events import EVENT_TABLES, extract_events
from services.ingestor.extractors.events.pulse_heights import extract_accumulated_pulse_heights
from services.ingestor.extractors.external_darks import extract_measurements
from services.ingestor.extractors.headers import (
    extract_aperture,
    extract_headers,
    extract_high_voltage,
    extract_keywords,
    extract_quality,
)
from services.ingestor.extractors.jitter import extract_jitter
from services.ingestor.extractors.lamp_templates import References
from services.ingestor.extractors.lampflashes import extract_lampflashes
from services.ingestor.extractors.rows import Contained, Rows, Source
from services.ingestor.extractors.sms import extract_schedule
from services.ingestor.extractors.spectra import extract_spectrum
from services.ingestor.extractors.spt import extract_support, extract_telemetry
from services.ingestor.extractors.telemetry import extract_readings
from shared.database.models.science import SCIENCE_TABLES

__all__ = [
    "HEADER_PREFERENCE",
    "References",
    "Rows",
    "Source",
    "extract",
    "has_rows",
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

_Extractors = Mapping[str, Callable[[Source], Rows]]

_HEADERS: _Extractors = {
    "headers": extract_headers,
    "quality": extract_quality,
    "high_voltage": extract_high_voltage,
    "apertures": extract_aperture,
}
_EXTRACTORS: Mapping[str, _Extractors] = {
    "x1d": {"data": extract_spectrum},
    "spt": {"spt": extract_support, "telemetry": extract_telemetry},
    "jit": {"jitter": extract_jitter},
    "lampflash": {"lampflash": extract_lampflashes},
    "rawacq": {"acqs": extract_acquisition, "lampflash": extract_lamp_image},
    "cci": {"gain": extract_cumulative_gain},
    "sms": {"sms": extract_schedule},
    "darkrates": {"darks": extract_measurements},
    "readings": {"telemetry": extract_readings},
    "pha_a": {"phd": extract_accumulated_pulse_heights},
    "pha_b": {"phd": extract_accumulated_pulse_heights},
}
"""Extractors by kind of file and table, beside those of headers."""

_NOT_FITS = frozenset({"sms", "darkrates", "readings"})
_EVENTS = frozenset({"corrtag", "corrtag_a", "corrtag_b"})


def has_rows(suffix: str, tables: Collection[str]) -> bool:
    """Return whether files of a kind may have rows of any of these tables."""
    return any(
        table in tables
        for table in (*_by_table(suffix), *(EVENT_TABLES if suffix in _EVENTS else ()))
    )


def _by_table(suffix: str) -> dict[str, Callable[[Source], Rows]]:
    extractors = dict(_EXTRACTORS.get(suffix, {}))
    if suffix not in _NOT_FITS:
        extractors["keywords"] = extract_keywords
    if suffix in HEADER_PREFERENCE:
        extractors |= _HEADERS
    return extractors


def extract(source: Source, tables: Collection[str] = SCIENCE_TABLES) -> list[Rows]:
    """Return the rows of every table that a file has something for.

    What is wrong with it is noted in the source.

    What cannot be read of one table costs the rows of this table only.

    Parameters
    ----------
    source
        File.
    tables
        Tables that are wanted.
    """
    found: list[Rows] = []
    for table, extractor in _by_table(source.suffix).items():
        if table in tables:
            with Contained(source, f"rows of {table}"):
                found.append(extractor(source))
    if source.suffix in _EVENTS:
        with Contained(source, "events"):
            found += extract_events(source, tables)
    return found
