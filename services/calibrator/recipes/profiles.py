"""Whether the regions of a two-zone extraction lie on the profile that CalCOS reads its fractions from.

CalCOS 3.6.2 stops with a ValueError where both background regions miss the profile, and takes rows from the wrong end
of it where the extraction region begins before it (``extract.extractSegmentTwozone``).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.io import fits

from services.calibrator.headers import Exposure
from services.calibrator.recipes.extraction import aperture_of, file_of, find_row
from shared.errors import PermanentError

__all__ = ["check_profiles"]


def check_profiles(exposures: Sequence[Exposure], lref: Path) -> None:
    """Refuse regions that miss the profile.

    Parameters
    ----------
    exposures
        Raw files as CalCOS will see them.
    lref
        Folder of their reference files.

    Raises
    ------
    PermanentError
        With the rows of the profile, and what would fit.
    """
    for exposure in exposures:
        if exposure.text("XTRCTALG") == "TWOZONE" and exposure.is_set("X1DCORR") and exposure.text("SEGMENT") != "N/A":
            numbers, profile = (_row(lref / file_of(exposure, name), exposure) for name in ("TWOZXTAB", "PROFTAB"))
            if numbers and profile and exposure.text("EXPTYPE") != "WAVECAL":
                _check(exposure, numbers, profile)


def _row(path: Path, exposure: Exposure) -> dict[str, Any]:
    if not path.is_file():
        return {}
    table = fits.getdata(path, 1)
    number = find_row(table, exposure, exposure.text("SEGMENT"), aperture_of(exposure))
    return {} if number is None else {name: table[name][number] for name in table.names}


def _check(exposure: Exposure, numbers: dict[str, Any], profile: dict[str, Any]) -> None:
    first, rows = int(profile["ROW_0"]), len(profile["PROFILE"])
    centre = float(profile["CENTER"]) - first
    where = f"the profile of {exposure.text('SEGMENT')} in {file_of(exposure, 'PROFTAB')}"
    where += f", which has rows {first} to {first + rows - 1} around {profile['CENTER']:g}"
    middle, half = round(centre), int(numbers["HEIGHT"]) // 2
    most = min(middle, rows - 1 - middle)
    if half > most:
        raise PermanentError(
            f"extraction: HEIGHT {numbers['HEIGHT']} reaches beyond {where}; it can be at most {2 * most + 1}"
        )
    if exposure.is_set("BACKCORR") and not any(_meets(numbers, number, centre, rows) for number in (1, 2)):
        raise PermanentError(
            f"extraction: both background regions lie outside of {where}; put one of them on it, or omit BACKCORR"
        )


def _meets(numbers: dict[str, Any], number: int, centre: float, rows: int) -> bool:
    """Whether a background region has a row of the profile; rounded as CalCOS does (``extract.getBackground``)."""
    middle = round(round(numbers[f"B_BKG{number}"] - numbers["B_SPEC"]) + centre)
    half = int(numbers.get(f"B_HGT{number}", numbers.get("BHEIGHT", 0))) // 2
    return bool(middle - half < rows and middle + half >= 0)
