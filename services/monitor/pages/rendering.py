"""Templates of the pages, and how they write sizes and numbers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi.templating import Jinja2Templates

__all__ = ["templates"]

templates = Jinja2Templates(directory=Path(__file__).parent / "templates")


def _size(count: int) -> str:
    """Bytes for a reader."""
    power = min(max(0, (len(str(count)) - 1) // 3), 4)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _number(value: float | None, digits: int) -> str:
    """Measured value, or nothing where there is none."""
    return "" if value is None else f"{value:.{digits}f}"


def _mjd(value: float) -> str:
    """Date of an MJD."""
    return (datetime(1858, 11, 17, tzinfo=UTC) + timedelta(days=value)).strftime("%Y-%m-%d")


def _significant(value: float | None) -> str:
    """Four significant digits, or nothing where there is no value."""
    return "" if value is None else f"{value:.4g}"


templates.env.filters |= {"size": _size, "number": _number, "mjd": _mjd, "significant": _significant}
