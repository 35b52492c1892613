"""Checks that the regions of an extraction lie where CalCOS can read them.

CalCOS 3.6.2 stops where a box reaches beyond the detector (``ccos.extractband``), or both
background regions of a two-zone extraction miss the profile; it takes rows from the wrong end of
the profile where the extraction region begins before it (``extract.extractSegmentTwozone``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.calibrator.recipes.edits.tables import (
    aperture_of,
    background_height,
    background_middle,
    file_of,
    row_of,
    segments_of,
)
from services.calibrator.run.headers import Exposure
from shared.errors import RefusedError
from shared.recipes.extraction import ROWS

__all__ = ["check_placement"]

_COLUMNS = {"FUV": (0, 16383), "NUV": (-100, 1173)}
"""First and last column of the images, from where SLOPE counts, pixel.

NUV images have 100 more to the left.
"""


def check_placement(exposures: Sequence[Exposure], lref: Path) -> None:
    """Refuse regions that CalCOS cannot read.

    Parameters
    ----------
    exposures
        Raw files as CalCOS will see them.
    lref
        Folder of their reference files.

    Raises
    ------
    RefusedError
        With what would fit.
    """
    for exposure in exposures:
        if exposure.text("EXPTYPE") == "WAVECAL" or not exposure.is_set("X1DCORR"):
            continue
        for segment in segments_of(exposure):
            if exposure.algorithm == "TWOZONE":
                aperture = aperture_of(exposure)
                numbers, profile = (
                    row_of(exposure, keyword, segment, aperture, lref)
                    for keyword in ("TWOZXTAB", "PROFTAB")
                )
                if numbers and profile:
                    _check_profile(exposure, numbers, profile)
            elif numbers := row_of(exposure, "XTRACTAB", segment, aperture_of(exposure), lref):
                _check_boxes(exposure, segment, numbers)


def _check_boxes(exposure: Exposure, segment: str, numbers: dict[str, Any]) -> None:
    regions = {"B_SPEC": numbers["HEIGHT"]}
    if exposure.is_set("BACKCORR"):
        regions |= {f"B_BKG{number}": background_height(numbers, number) for number in (1, 2)}
    for column, height in regions.items():
        ends = [
            float(numbers[column]) + float(numbers["SLOPE"]) * x
            for x in _COLUMNS[exposure.text("DETECTOR")]
        ]
        if min(ends) < height // 2 or max(ends) > ROWS - 1 - height // 2:
            raise RefusedError(
                f"extraction: the box of {height} rows around {column} {numbers[column]:g} of "
                f"{segment} reaches beyond "
                f"the detector, which has rows 0 to {ROWS - 1}; make it lower, or move it inwards"
            )


def _check_profile(exposure: Exposure, numbers: dict[str, Any], profile: dict[str, Any]) -> None:
    first, rows = int(profile["ROW_0"]), len(profile["PROFILE"])
    centre = float(profile["CENTER"]) - first
    where = f"the profile of {exposure.text('SEGMENT')} in {file_of(exposure, 'PROFTAB')}"
    where += f", which has rows {first} to {first + rows - 1} around {profile['CENTER']:g}"
    middle, half = round(centre), int(numbers["HEIGHT"]) // 2
    most = min(middle, rows - 1 - middle)
    if half > most:
        raise RefusedError(
            f"extraction: HEIGHT {numbers['HEIGHT']} reaches beyond {where}; it can be at most "
            f"{2 * most + 1}"
        )
    if exposure.is_set("BACKCORR") and not any(
        _meets(numbers, number, centre, rows) for number in (1, 2)
    ):
        raise RefusedError(
            f"extraction: both background regions lie outside of {where}; put one of them on it, "
            "or omit BACKCORR"
        )


def _meets(numbers: dict[str, Any], number: int, centre: float, rows: int) -> bool:
    """Return whether a background region has a row of the profile."""
    middle, half = (
        background_middle(numbers, number, centre),
        background_height(numbers, number) // 2,
    )
    return bool(middle - half < rows and middle + half >= 0)
