"""Background regions that fall on what is no background.

Gain-sagged rows, or the wavecal's aperture.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.recipes.edits.tables import (
    aperture_of,
    background_height,
    background_middle,
    file_of,
    row_of,
    segments_of,
)
from services.calibrator.run.headers import Exposure

__all__ = ["region_warnings"]

_MIDDLE = {"FUV": 8192, "NUV": 512}
"""Middle column of the detectors, pixel; tables give the row at column 0, and a slope."""

Rows = tuple[float, float]


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
        if (
            exposure.is_set("X1DCORR")
            and exposure.is_set("BACKCORR")
            and exposure.text("EXPTYPE") != "WAVECAL"
        ):
            found |= dict.fromkeys(_warnings(exposure, lref))
    return list(found)


def _warnings(exposure: Exposure, lref: Path) -> Iterator[str]:
    for segment in segments_of(exposure):
        lamp = row_of(exposure, "XTRACTAB", segment, "WCA", lref)
        for number, region in _backgrounds(exposure, segment, lref).items():
            where = (
                f"background region {number} of {segment} (rows {region[0]:.0f} to {region[1]:.0f})"
            )
            if lamp and _overlap(
                region, _around(_at(lamp, "B_SPEC", exposure), float(lamp["HEIGHT"]))
            ):
                yield f"{where} reaches into the wavecal aperture"
            if sagged := _sagged(exposure, segment, region, lref):
                yield f"{where} covers {sagged} gain-sagged areas of {file_of(exposure, 'GSAGTAB')}"


def _backgrounds(exposure: Exposure, segment: str, lref: Path) -> dict[int, Rows]:
    """Return the rows of the background regions, where the spectrum is as far from its place in the
    tables as it should be.
    """
    two_zones, aperture = exposure.algorithm == "TWOZONE", aperture_of(exposure)
    row = row_of(exposure, "TWOZXTAB" if two_zones else "XTRACTAB", segment, aperture, lref)
    profile = row_of(exposure, "PROFTAB", segment, aperture, lref) if two_zones else {}
    if not row:
        return {}
    return {
        number: _around(
            background_middle(row, number, float(profile["CENTER"]))
            if profile
            else _at(row, f"B_BKG{number}", exposure),
            background_height(row, number),
        )
        for number in (1, 2)
    }


def _at(row: Mapping[str, Any], column: str, exposure: Exposure) -> float:
    slope = float(row.get("SLOPE", 0.0))
    return float(row[column]) + slope * _MIDDLE.get(exposure.text("DETECTOR"), 0)


def _around(middle: float, height: float) -> Rows:
    return middle - height / 2, middle + height / 2


def _overlap(one: Rows, other: Rows) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _sagged(exposure: Exposure, segment: str, region: Rows, lref: Path) -> int:
    """Count the areas of the table that were sagged by then and are in serious flags."""
    path = lref / file_of(exposure, "GSAGTAB")
    flagged = exposure.is_set("DQICORR") or exposure.is_done("DQICORR")
    if exposure.text("DETECTOR") != "FUV" or not flagged or not path.is_file():
        return 0
    serious, start = (
        exposure.data_header.get("SDQFLAGS", 0),
        exposure.data_header.get("EXPSTART", 0.0),
    )
    with fits.open(path) as hdus:
        table = _of_voltage(hdus, segment, _voltage(exposure, segment, lref))
        rows = (
            []
            if table is None
            else [row for row in table if row["DATE"] <= start and row["DQ"] & serious]
        )
        return sum(
            _overlap(region, (float(row["LY"]), float(row["LY"] + row["DY"]))) for row in rows
        )


def _voltage(exposure: Exposure, segment: str, lref: Path) -> int | None:
    """Find the high voltage as CalCOS does: by HVTAB where there is one
    (``timetag.updateHVKeywords``).
    """
    keyword, path = f"HVLEVEL{segment[-1]}", lref / file_of(exposure, "HVTAB")
    if not path.is_file():
        return int(exposure.data_header[keyword]) if keyword in exposure.data_header else None
    start = exposure.data_header.get("EXPSTART", 0.0)
    with fits.open(path) as hdus:
        table = hdus[segment, 1].data
        earlier = [(float(row["DATE"]), int(row[keyword])) for row in table if row["DATE"] <= start]
        return max(earlier)[1] if earlier else int(table[keyword][0])


def _of_voltage(hdus: fits.HDUList, segment: str, voltage: int | None) -> fits.FITS_rec | None:
    """Return the table of a voltage, or of the next one above it (``cosutil.findGSagExtn``)."""
    tables = [
        (int(hdu.header.get(f"HVLEVEL{segment[-1]}", -1)), number)
        for number, hdu in enumerate(hdus)
        if number and hdu.header.get("SEGMENT") == segment
    ]
    fitting = [] if voltage is None else [item for item in tables if item[0] >= voltage]
    return hdus[min(fitting)[1]].data if fitting else None
