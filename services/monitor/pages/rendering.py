"""Templates of the pages, and how they write sizes and numbers."""

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


templates.env.filters |= {"size": _size, "number": _number}
