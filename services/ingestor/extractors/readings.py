"""Telemetry of one mnemonic over years: a text file named after it, of lines with MJD and reading.

Source: the telemetry monitor of spacetelescope/cosmo; two blank-separated columns, without a header.
"""

from math import isfinite

from services.ingestor.extractors.reading import Rows, Source
from shared.cos.names import parse_name
from shared.database.models.science import Telemetry
from shared.errors import PermanentError

__all__ = ["extract_readings"]

_LARGEST = 256 << 20
_EARLIEST, _LATEST = 40000.0, 80000.0
"""MJD between which a reading is believed: 1968 to 2077."""


def extract_readings(source: Source) -> Rows:
    """Rows of ``telemetry``, one for each line; the root name is the mnemonic's.

    Raises
    ------
    PermanentError
        If it is no such text; the message names the first wrong line. Nothing of it is used then.
    """
    name = parse_name(source.name)
    with source.opener() as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise PermanentError(f"{source.name}: more than {_LARGEST >> 20} MB; split it")
    mjds: list[float] = []
    values: list[float | None] = []
    texts: list[str | None] = []
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        mjd, value, text = _reading(line, f"{source.name}: line {number}")
        mjds.append(mjd)
        values.append(value)
        texts.append(text)
    return Rows(
        Telemetry,
        common={"rootname": name.rootname, "mnemonic": name.stem},
        columns={"mjd": mjds, "value": values, "text": texts},
    )


def _reading(line: str, where: str) -> tuple[float, float | None, str | None]:
    """MJD, and a number or a text."""
    time, _, reading = line.strip().partition(" ")
    reading = reading.strip()
    mjd = _number(time)
    if mjd is None or not _EARLIEST < mjd < _LATEST or not reading or not reading.isprintable():
        raise PermanentError(f"{where} is no MJD with a reading: {line[:80]!r}")
    value = _number(reading)
    return (mjd, None, reading) if value is None else (mjd, value, None)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if isfinite(found) else None
