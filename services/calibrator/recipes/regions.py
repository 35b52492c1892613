"""Background regions that fall on what is no background: gain-sagged rows, or the wavecal's aperture."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.headers import Exposure
from services.calibrator.recipes.tables import aperture_of, file_of, find_row, segments_of

__all__ = ["region_warnings"]

_MIDDLE = {"FUV": 8192, "NUV": 512}
"""Middle column of the detectors, pixel; tables give the row at column 0, and a slope."""


def region_warnings(exposures: Sequence[Exposure], lref: Path) -> list[str]:
    """Warn of background regions over gain-sagged rows or over the spectrum of the wavecal lamp.

    Parameters
    ----------
    exposures
        Raw files as CalCOS will see them.
    lref
        Folder of their reference files.
    """
    found: dict[str, None] = {}
    for exposure in exposures:
        if exposure.is_set("X1DCORR") and exposure.is_set("BACKCORR") and exposure.text("EXPTYPE") != "WAVECAL":
            found |= dict.fromkeys(_warnings(exposure, lref))
    return list(found)


def _warnings(exposure: Exposure, lref: Path) -> Iterator[str]:
    keyword = "TWOZXTAB" if exposure.text("XTRCTALG") == "TWOZONE" else "XTRACTAB"
    for segment in segments_of(exposure):
        row = _row(exposure, segment, aperture_of(exposure), lref / file_of(exposure, keyword))
        lamp = _row(exposure, segment, "WCA", lref / file_of(exposure, "XTRACTAB"))
        for number in (1, 2) if row else ():
            region = _background(row, number, exposure)
            where = f"background region {number} of {segment} (rows {region[0]:.0f} to {region[1]:.0f})"
            if lamp and _overlap(region, _spectrum(lamp, exposure)):
                yield f"{where} reaches into the wavecal aperture"
            if sagged := _sagged(exposure, segment, region, lref):
                yield f"{where} covers {sagged} gain-sagged areas of {file_of(exposure, 'GSAGTAB')}"


def _row(exposure: Exposure, segment: str, aperture: str, path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    table = fits.getdata(path, 1)
    number = find_row(table, exposure, segment, aperture)
    return {} if number is None else {name: table[name][number] for name in table.names}


def _at(row: dict[str, Any], column: str, exposure: Exposure) -> float:
    slope = float(row.get("SLOPE", 0.0))
    return float(row[column]) + slope * _MIDDLE.get(exposure.text("DETECTOR"), 0)


def _spectrum(row: dict[str, Any], exposure: Exposure) -> tuple[float, float]:
    middle, half = _at(row, "B_SPEC", exposure), float(row["HEIGHT"]) / 2
    return middle - half, middle + half


def _background(row: dict[str, Any], number: int, exposure: Exposure) -> tuple[float, float]:
    middle = _at(row, f"B_BKG{number}", exposure)
    half = float(row[f"B_HGT{number}"] if f"B_HGT{number}" in row else row["BHEIGHT"]) / 2
    return middle - half, middle + half


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _sagged(exposure: Exposure, segment: str, region: tuple[float, float], lref: Path) -> int:
    """Areas of the table for the segment's high voltage that were sagged by then and are in serious flags."""
    path = lref / file_of(exposure, "GSAGTAB")
    if exposure.text("DETECTOR") != "FUV" or not exposure.is_set("DQICORR") or not path.is_file():
        return 0
    voltage = f"HVLEVEL{segment[-1]}"
    serious, start = exposure.data_header.get("SDQFLAGS", 0), exposure.data_header.get("EXPSTART", 0.0)
    count = 0
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            header = hdu.header
            if header.get("SEGMENT") != segment or header.get(voltage) != exposure.data_header.get(voltage):
                continue
            for row in hdu.data:
                rows = (float(row["LY"]), float(row["LY"] + row["DY"]))
                count += bool(row["DATE"] <= start and row["DQ"] & serious and _overlap(region, rows))
    return count
