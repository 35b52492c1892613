"""Templates of the pages, and how they write sizes and numbers."""

from datetime import datetime
from pathlib import Path

from fastapi.templating import Jinja2Templates

from shared.cos.times import date_text

__all__ = ["templates"]

_LONG = 1e9
"""Numbers from here on are written in powers of ten."""

templates = Jinja2Templates(directory=Path(__file__).parent / "templates")


def _size(count: int) -> str:
    """Bytes for a reader."""
    power = min(max(0, (len(str(count)) - 1) // 3), 4)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _number(value: float | None, digits: int) -> str:
    """Measured value, or nothing where there is none.

    A long one in powers of ten, for a table has no room for it.
    """
    if value is None:
        return ""
    return f"{value:.{digits}f}" if abs(value) < _LONG else f"{value:.{digits}e}"


def _significant(value: float | None) -> str:
    """Four significant digits, or nothing where there is no value."""
    return "" if value is None else f"{value:.4g}"


def _time(moment: datetime) -> str:
    """Date and time to the second, in the zone of the moment (UTC out of the database)."""
    return moment.isoformat(" ", "seconds")[:19]


templates.env.filters |= {
    "time": _time,
    "size": _size,
    "number": _number,
    "mjd": date_text,
    "significant": _significant,
}
