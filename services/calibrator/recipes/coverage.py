"""Whether references that a recipe names cover the modes of its exposures.

CalCOS stops half-way at a table without the row of a mode.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from astropy.io import fits

from services.calibrator.headers import Exposure
from services.calibrator.recipes.tables import aperture_of, file_of, matches
from shared.cos.references import needed_references
from shared.errors import PermanentError

__all__ = ["check_coverage"]

_IMAGES = ("FLATFILE", "GEOFILE", "DGEOFILE", "XWLKFILE", "YWLKFILE", "PHAFILE")
"""References with an image for each FUV segment."""

_SPARSE = ("BPIXTAB", "GSAGTAB", "SPOTTAB", "BADTTAB", "HVTAB")
"""Tables of what is unusual; a mode without rows has nothing unusual."""

_ANY = ("ANY", "N/A", "")


def check_coverage(exposures: Sequence[Exposure], keywords: Iterable[str], lref: Path) -> None:
    """Refuse references without rows or images for an exposure.

    Parameters
    ----------
    exposures
        Raw files as CalCOS will see them.
    keywords
        Keywords whose files a recipe chose.
    lref
        Folder of the reference files.

    Raises
    ------
    PermanentError
        With keyword, file and mode.
    """
    for exposure in exposures:
        # Of wavecals and images CalCOS reads only some of the rows that a spectrum needs.
        if not exposure.text("EXPTYPE").startswith("EXTERNAL") or exposure.text("OBSTYPE") != "SPECTROSCOPIC":
            continue
        needed = needed_references(exposure.header)
        for keyword in sorted(set(keywords) & set(needed)):
            path = lref / file_of(exposure, keyword)
            if path.is_file() and not _covers(path, keyword, exposure):
                raise PermanentError(
                    f"{keyword}: {path.name} has nothing for {_mode(exposure)} of {exposure.path.name}; choose a file "
                    "that covers this mode"
                )


def _mode(exposure: Exposure) -> str:
    names = (exposure.text(name) for name in ("SEGMENT", "OPT_ELEM", "CENWAVE", "APERTURE"))
    return " ".join(name for name in names if name not in _ANY)


def _covers(path: Path, keyword: str, exposure: Exposure) -> bool:
    if keyword in _SPARSE:
        return True
    segment = exposure.text("SEGMENT")
    with fits.open(path) as hdus:
        if keyword in _IMAGES:
            sides = {hdu.name for hdu in hdus[1:]} | {str(hdu.header.get("SEGMENT", "")).strip() for hdu in hdus[1:]}
            return segment in _ANY or segment in sides
        wanted = {
            "SEGMENT": segment,
            "OPT_ELEM": exposure.text("OPT_ELEM"),
            "CENWAVE": exposure.text("CENWAVE"),
            "APERTURE": aperture_of(exposure),
        }
        table = hdus[1].data
        asked = {name: value for name, value in wanted.items() if name in table.names and value not in _ANY}
        return any(all(matches(row[name], value) for name, value in asked.items()) for row in table)
