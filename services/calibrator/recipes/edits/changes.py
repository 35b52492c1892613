"""The exact changes that a recipe makes to files, and making them."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from astropy.io import fits

__all__ = [
    "CellEdit",
    "Change",
    "FileLeftOut",
    "HeaderEdit",
    "RowAdded",
    "SubExposure",
    "TableCopied",
    "apply",
    "describe",
]


@dataclass(frozen=True)
class FileLeftOut:
    """An input that CalCOS does not see."""

    file: str


@dataclass(frozen=True)
class HeaderEdit:
    """A keyword of a file's header, by the number of its extension.

    An old value of None was not there.
    """

    file: str
    extension: int
    keyword: str
    old: Any
    new: Any


@dataclass(frozen=True)
class CellEdit:
    """A cell of a file's table, by the number of its extension, its row from 0, and its column."""

    file: str
    extension: int
    row: int
    column: str
    old: Any
    new: Any


@dataclass(frozen=True)
class RowAdded:
    """A row at the end of a file's table."""

    file: str
    extension: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class TableCopied:
    """A reference table derived from the active one; edits of its cells and headers follow."""

    file: str
    source: str


@dataclass(frozen=True)
class SubExposure:
    """A part of an exposure that is calibrated by itself, once the whole is.

    No input changes for it.

    Attributes
    ----------
    file
        Beginning of the names of its files.
    exposure
        Rootname of the whole.
    start, stop
        Time since EXPSTART, second.
    sun_altitude, target_altitude
        Ranges of altitudes above the limb, degree; None for any.
    pulse_heights
        Lowest and highest pulse height; None for any.
    """

    file: str
    exposure: str
    start: float
    stop: float
    sun_altitude: tuple[float, float] | None
    target_altitude: tuple[float, float] | None
    pulse_heights: tuple[int, int] | None


Change = FileLeftOut | HeaderEdit | CellEdit | RowAdded | TableCopied | SubExposure


def describe(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Turn changes into JSON, each with its kind under ``change`` and, without its file, in words
    under ``text``.
    """
    return [
        {"change": type(change).__name__, "text": _words(change), **asdict(change)}
        for change in changes
    ]


def _words(change: Change) -> str:
    match change:
        case FileLeftOut():
            return "left out"
        case HeaderEdit(_, extension, keyword, old, new):
            return f"[{extension}] {keyword}: {_value(old)} → {_value(new)}"
        case CellEdit(_, extension, row, column, old, new):
            return f"[{extension}] row {row}, {column}: {_value(old)} → {_value(new)}"
        case RowAdded(_, extension, values):
            return (
                f"[{extension}] new row: "
                f"{', '.join(f'{name} {_value(value)}' for name, value in values.items())}"
            )
        case TableCopied(_, source):
            return f"derived from {source}"
        case SubExposure():
            return "; ".join(_limits(change))


def _value(value: Any) -> str:
    """Spell a value; one that is not there, or is empty, by a word."""
    return "(none)" if value in (None, "") else str(value)


def _limits(part: SubExposure) -> Iterator[str]:
    yield f"sub-exposure of {part.exposure}, {part.start:g} to {part.stop:g} s"
    for name, limits in (("Sun", part.sun_altitude), ("target", part.target_altitude)):
        if limits:
            yield f"{name} {limits[0]:g}° to {limits[1]:g}° above the limb"
    if part.pulse_heights:
        yield f"pulse heights {part.pulse_heights[0]} to {part.pulse_heights[1]}"


def apply(changes: Iterable[Change], inputs: Path, lref: Path) -> None:
    """Make changes, in their order.

    Parameters
    ----------
    changes
        The changes.
    inputs
        Folder of the raw files, changed in place.
    lref
        Folder of the reference files; derived ones are added, none is changed.
    """
    derived: set[str] = set()
    for change in changes:
        folder = lref if change.file in derived else inputs
        match change:
            case FileLeftOut(file):
                (inputs / file).unlink()
            case TableCopied(file, source):
                shutil.copyfile(lref / source, lref / file)
                derived.add(file)
            case HeaderEdit(file, extension, keyword, _, new):
                with fits.open(folder / file, mode="update") as hdus:
                    hdus[extension].header[keyword] = new
            case CellEdit(file, extension, row, column, _, new):
                with fits.open(folder / file, mode="update") as hdus:
                    hdus[extension].data[column][row] = new
            case RowAdded(file, extension, values):
                _add_row(folder / file, extension, values)
            case SubExposure():
                pass


def _add_row(path: Path, extension: int, values: Mapping[str, Any]) -> None:
    with fits.open(path, mode="update") as hdus:
        old = hdus[extension]
        count = len(old.data)
        new = fits.BinTableHDU.from_columns(old.columns, header=old.header, nrows=count + 1)
        for column, value in values.items():
            new.data[column][count] = value
        hdus[extension] = new
