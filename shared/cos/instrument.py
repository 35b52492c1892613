"""Instrument of HST that a file is of."""

from collections.abc import Mapping
from typing import Any

from shared.errors import PermanentError

__all__ = ["check_instrument", "instrument_of", "is_foreign"]

_COS = "COS"
_GUIDANCE = "FGS"
"""INSTRUME of jitter files, whatever was observed.

Their CONFIG names its instrument (``COS/FUV``).
"""


def instrument_of(header: Mapping[str, Any]) -> str:
    """Return the instrument by a primary header, upper case; empty where it does not say."""
    found = _text(header, "INSTRUME")
    return _text(header, "CONFIG").partition("/")[0] if found == _GUIDANCE else found


def is_foreign(instrument: str) -> bool:
    """Return whether an instrument is another one than COS.

    Of a file that does not say nothing is known.
    """
    return instrument not in ("", _COS)


def check_instrument(header: Mapping[str, Any], name: str) -> None:
    """Refuse a file of another instrument.

    Raises
    ------
    PermanentError
        With the name of the file and its instrument.
    """
    if is_foreign(instrument := instrument_of(header)):
        raise PermanentError(f"{name} is of {instrument}, not of COS (INSTRUME)")


def _text(header: Mapping[str, Any], keyword: str) -> str:
    return str(header.get(keyword) or "").strip().upper()
