"""Telemetry: readings of one mnemonic over years, a text file named after it, of lines with MJD and
reading.

Source: the telemetry monitor of spacetelescope/cosmo; two columns separated by blanks or tabs,
without a header.
"""

from collections.abc import Iterator
from math import isfinite
from typing import IO

from services.ingestor.extractors.declaration import Extractor
from services.ingestor.extractors.rows import Rows, Source, as_number, finite
from services.ingestor.extractors.unreadable import Unreadable
from shared.cos.names import parse_name
from shared.database.models.science import ROWS_PER_FILE, Telemetry
from shared.errors import PermanentError
from shared.fits.streams import reading

__all__ = ["EXTRACTORS", "extract_readings", "reading_of"]

_LONGEST_LINE = 4096
_EARLIEST, _LATEST = 40000.0, 80000.0
"""MJD between which a reading is believed: 1968 to 2077."""


def reading_of(reading: object) -> dict[str, object]:
    """Return the value of a reading that is a number, also one written as text.

    Null where it is not finite. Else its text.
    """
    value = as_number(reading)
    if value is None:
        return {"text": str(reading).strip()}
    return {"value": float(value) if isfinite(value) else None}


def extract_readings(source: Source) -> Rows:
    """Return the rows of ``telemetry``, one for each line.

    The root name is the mnemonic's. Unreadable lines are noted.

    Raises
    ------
    PermanentError
        If no line can be read, or there are too many.
    """
    name = parse_name(source.name)
    unreadable = Unreadable("line", "MJD with a reading")
    mjds: list[float] = []
    readings: list[dict[str, object]] = []
    with reading(source.name), source.opener() as stream:
        for number, line in enumerate(_lines(stream), start=1):
            if not line.strip():
                continue
            mjd, text = _reading(line)
            if mjd is None or text is None:
                unreadable.add(number, repr(line))
                continue
            mjds.append(mjd)
            readings.append(reading_of(text))
            if len(mjds) > ROWS_PER_FILE:
                raise PermanentError(f"{source.name}: more than {ROWS_PER_FILE} readings; split it")
    unreadable.report(source, len(mjds))
    return Rows(
        Telemetry,
        common={"rootname": name.rootname, "mnemonic": name.stem},
        columns={
            "mjd": mjds,
            **{key: [one.get(key) for one in readings] for key in ("value", "text")},
        },
    )


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield the lines without their ends.

    One that is too long comes in parts, none of which makes sense.
    """
    while line := stream.readline(_LONGEST_LINE):
        yield line.decode("ascii", "replace").rstrip("\r\n")


def _reading(line: str) -> tuple[float | None, str | None]:
    """Return MJD and reading of a line, as far as it has them."""
    time, _, reading = line.strip().replace("\t", " ").partition(" ")
    reading, mjd = reading.strip(), finite(time)
    known = reading and reading.isascii() and reading.isprintable()
    return (
        mjd if mjd is not None and _EARLIEST < mjd < _LATEST else None,
        reading if known else None,
    )


EXTRACTORS = (
    Extractor(table=Telemetry, suffixes=("readings",), extract=extract_readings, fits=False),
)
