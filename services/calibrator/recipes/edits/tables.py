"""Rows of reference tables, as CalCOS finds them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.run.headers import Exposure
from shared.cos.reference_names import ReferenceName

__all__ = [
    "aperture_of",
    "background_height",
    "background_middle",
    "file_of",
    "find_row",
    "matches",
    "row_of",
    "segments_of",
]

_STRIPES = ("NUVA", "NUVB", "NUVC")
_UNASKED = ("ANY", "N/A")


def file_of(exposure: Exposure, keyword: str) -> str:
    """Return the name of a reference file without ``lref$``; empty where there is none."""
    value = exposure.text(keyword)
    return ReferenceName.parse(value).name if value.upper() not in ("", "N/A") else ""


def segments_of(exposure: Exposure) -> tuple[str, ...]:
    """Return the segments or stripes that a raw file has."""
    return _STRIPES if exposure.text("DETECTOR") == "NUV" else (exposure.text("SEGMENT"),)


def aperture_of(exposure: Exposure) -> str:
    """Return the aperture that extraction tables are asked for."""
    return exposure.text("APERTURE").split("-")[0]


def matches(cell: Any, value: object) -> bool:
    """Return whether a row is taken for a value that a table is asked for (``cosutil.getTable``).

    ANY in a table stands for all values; where the value itself is ANY or N/A, all rows are taken.
    """
    return value in _UNASKED or str(cell).strip() in (str(value), "ANY")


def find_row(table: fits.FITS_rec, exposure: Exposure, segment: str, aperture: str) -> int | None:
    """Find the row that CalCOS takes.

    The first one for segment, grating, central wavelength and aperture.
    """
    wanted = {
        "SEGMENT": segment,
        "OPT_ELEM": exposure.text("OPT_ELEM"),
        "CENWAVE": exposure.header["CENWAVE"],
        "APERTURE": aperture,
    }
    for number, row in enumerate(table):
        if all(matches(row[name], value) for name, value in wanted.items()):
            return number
    return None


def row_of(
    exposure: Exposure, keyword: str, segment: str, aperture: str, lref: Path
) -> dict[str, Any]:
    """Return the columns of the row that CalCOS takes of an extraction table.

    Empty where there is no such file or row.

    Parameters
    ----------
    exposure
        Raw file as CalCOS will see it.
    keyword
        Keyword of the table.
    segment, aperture
        What the row is for.
    lref
        Folder of the reference files.
    """
    path = lref / file_of(exposure, keyword)
    if not path.is_file():
        return {}
    table = fits.getdata(path, 1)
    number = find_row(table, exposure, segment, aperture)
    return {} if number is None else {name: table[name][number] for name in table.names}


def background_height(row: Mapping[str, Any], number: int) -> int:
    """Return the height of the first or the second background region of a row, pixel."""
    return int(row.get(f"B_HGT{number}", row.get("BHEIGHT", 0)))


def background_middle(row: Mapping[str, Any], number: int, centroid: float) -> int:
    """Return the middle row of a background region of a two-zone extraction
    (``extract.getBackgroundCenters``).

    It lies as far from the centroid of the profile as the table's B_BKG from its B_SPEC.
    """
    return round(round(float(row[f"B_BKG{number}"]) - float(row["B_SPEC"])) + centroid)
