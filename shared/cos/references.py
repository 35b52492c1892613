"""Reference files that a raw COS header asks for.

Source: CalCOS 3.6.2, `cosutil.missingRefFiles`, `calcos.resetSwitches` and the reading of each
step.
"""

import re
from collections.abc import Mapping
from typing import Any

from shared.cos.reference_names import ReferenceName
from shared.errors import PermanentError

__all__ = ["FILETYPES", "check_reference", "header_keyword", "needed_references"]

FILETYPES = {
    "FLATFILE": "FLAT FIELD REFERENCE IMAGE",
    "DEADTAB": "DEADTIME REFERENCE TABLE",
    "BPIXTAB": "DATA QUALITY INITIALIZATION TABLE",
    "GSAGTAB": "GAIN SAG REFERENCE TABLE",
    "SPOTTAB": "TRANSIENT BAD PIXEL REFERENCE TABLE",
    "HVTAB": "FUV HIGH VOLTAGE HISTORY",
    "BRFTAB": "BASELINE REFERENCE FRAME TABLE",
    "GEOFILE": "GEOMETRIC DISTORTION REFERENCE IMAGE",
    "DGEOFILE": "DELTA GEOMETRIC CORRECTION REFERENCE IMAGE",
    "XWLKFILE": "X WALK CORRECTION LOOKUP REFERENCE IMAGE",
    "YWLKFILE": "Y WALK CORRECTION LOOKUP REFERENCE IMAGE",
    "PHATAB": "PULSE HEIGHT PARAMETERS REFERENCE TABLE",
    "PHAFILE": "PULSE HEIGHT THRESHOLD REFERENCE IMAGE",
    "BADTTAB": "BAD TIME INTERVALS TABLE",
    "BRSTTAB": "BURST PARAMETERS TABLE",
    "HVDSTAB": "HV SENSITIVITY TABLE TO CORRECT EPSILON BASED ON EXPOSURE HV",
    "TRACETAB": "1D SPECTRAL TRACE TABLE",
    "PROFTAB": "2D SPECTRUM PROFILE TABLE",
    "TWOZXTAB": "TWO-ZONE SPECTRAL EXTRACTION PARAMETERS TABLE",
    "XTRACTAB": "1-D EXTRACTION PARAMETERS TABLE",
    "LAMPTAB": "TEMPLATE CAL LAMP SPECTRA TABLE",
    "DISPTAB": "DISPERSION RELATION REFERENCE TABLE",
    "FLUXTAB": "PHOTOMETRIC SENSITIVITY REFERENCE TABLE",
    "TDSTAB": "TIME DEPENDENT SENSITIVITY TABLE",
    "SPWCSTAB": "SPECTROSCOPIC WCS PARAMETERS TABLE",
    "WCPTAB": "WAVECAL PARAMETERS REFERENCE TABLE",
}
"""Reference keywords that CalCOS 3.6.2 reads, with the FILETYPE that it demands of their files."""

_MIN_VERSION = {"XWLKFILE": "3.1", "YWLKFILE": "3.1", "HVDSTAB": "3.4"}
"""Lowest VCALCOS where it is not 2.0 (`missingRefFiles`)."""

_UNCHECKED_VERSION = "1.0"
"""VCALCOS of a file that has none, as CalCOS takes it."""

_ONLY_FOR = {
    "FLATFILE": ("FLATCORR",),
    "HVDSTAB": ("HVDSCORR",),
    "BRSTTAB": ("BRSTCORR",),
    "BADTTAB": ("BADTCORR",),
    "DEADTAB": ("DEADCORR",),
    "GSAGTAB": ("DQICORR", "WAVECORR"),
    "SPOTTAB": ("DQICORR", "WAVECORR"),
    "BPIXTAB": ("DQICORR", "WAVECORR"),
    "DGEOFILE": ("DGEOCORR",),
    "XWLKFILE": ("XWLKCORR",),
    "YWLKFILE": ("YWLKCORR",),
    "TRACETAB": ("TRCECORR",),
    "FLUXTAB": ("FLUXCORR",),
    "TDSTAB": ("TDSCORR",),
    "LAMPTAB": ("WAVECORR",),
    "WCPTAB": ("WAVECORR",),
}
"""References that CalCOS 3.6.2 does not open unless one of these switches is PERFORM
(`missingRefFiles`, and for the flags of lamp flashes `concurrent.ConcurrentWavecal`); others are
read for more than one step."""

_OF_WAVECALS = {"LAMPTAB", "WCPTAB"}
"""References that CalCOS 3.6.2 opens for every wavecal, whatever WAVECORR is
(`calcos.allWavecals`).
"""

_INSTEAD = {"XTRCTALG": " or XTRCTALG to BOXCAR", "EXPTYPE": "", "TAGFLASH": ""}
"""What else to do about a reference that is N/A, where no switch can be omitted."""

_OPTIONAL = {"BADTTAB", "GSAGTAB", "SPOTTAB", "TDSTAB", "XWLKFILE", "YWLKFILE"}
"""References that may be N/A though their switch is PERFORM: CalCOS then skips the step
(`resetSwitches`).
"""

_REQUIRED = {
    "BRFTAB": "TEMPCORR",
    "GEOFILE": "GEOCORR",
    "PROFTAB": "ALGNCORR",
    "XTRACTAB": "X1DCORR",
    "DISPTAB": "X1DCORR",
}
"""References of more than one step, with the switch that makes them mandatory."""

_SPECTROSCOPIC = {"FLUXTAB", "LAMPTAB", "TDSTAB", "WCPTAB", "XTRACTAB", "DISPTAB"}
"""References that are mandatory for spectra only: CalCOS resets the switches of images."""


def needed_references(header: Mapping[str, Any]) -> dict[str, str]:
    """List the reference files that calibrating a raw file opens, keyword to text of a
    `ReferenceName`.

    A file of a step that is switched off is not among them. CalCOS 3.6.2 fails where a mandatory
    one is N/A.

    Parameters
    ----------
    header
        Primary header of the raw file.

    Raises
    ------
    PermanentError
        If the header does not name a file that a switch asks for; the message names the keyword and
        the switch. Also if the value of a keyword is not the name of a file.
    """
    spectroscopic = _text(header, "OBSTYPE") == "SPECTROSCOPIC"
    needed: dict[str, str] = {}
    for keyword in FILETYPES:
        switches = _ONLY_FOR.get(keyword, ())
        if (
            switches
            and not any(_is_set(header, switch) for switch in switches)
            and not _of_lamp(header, keyword)
        ):
            continue
        if value := _value(header, keyword):
            needed[keyword] = _parse(keyword, value)
            continue
        switch = _demanded_by(header, keyword)
        if switch and (spectroscopic or keyword not in _SPECTROSCOPIC):
            raise PermanentError(
                f"{keyword} is N/A, but {switch}={_text(header, switch)} asks for it; set "
                f"{keyword} to a reference "
                f"file{_INSTEAD.get(switch, f' or {switch} to OMIT')}, in the header or by a recipe"
            )
    return needed


def _version(text: str) -> tuple[tuple[int, str], ...]:
    """Return the version as CalCOS compares it: part by part, number first, then letters."""
    parts = re.findall(r"(\d+)([A-Za-z]*)", text)
    return tuple((int(number), letters) for number, letters in parts)


def check_reference(name: str, header: Mapping[str, Any], keyword: str, calcos: str | None) -> None:
    """Refuse a reference file that CalCOS would refuse for its type or version.

    Parameters
    ----------
    name
        Its name, for the message.
    header
        Its primary header.
    keyword
        Keyword that shall name it.
    calcos
        Version of the CalCOS that will read it; None where that is not known yet.

    Raises
    ------
    PermanentError
        If it is of another type (FILETYPE), or made for a CalCOS that is too old or too new
        (VCALCOS).
    """
    filetype = _text(header, "FILETYPE") or "ANY"
    if filetype not in (FILETYPES[keyword], "ANY"):
        raise PermanentError(f"{name} is a {filetype}, where a {FILETYPES[keyword]} belongs")
    version, lowest = (
        _text(header, "VCALCOS") or _UNCHECKED_VERSION,
        _MIN_VERSION.get(keyword, "2.0"),
    )
    if _version(version) < _version(lowest):
        raise PermanentError(
            f"{name} is for CalCOS {version} (VCALCOS); at least {lowest} is needed"
        )
    if calcos is not None and _version(version) > _version(calcos):
        raise PermanentError(f"{name} needs CalCOS {version} or later (VCALCOS); this is {calcos}")


def _text(header: Mapping[str, Any], keyword: str) -> str:
    return str(header.get(keyword) or "").strip()


def header_keyword(header: Mapping[str, Any], keyword: str) -> str:
    """Return the keyword that names a reference file in a header.

    FLUXTAB was PHOTTAB before CalCOS 2.18.
    """
    return "PHOTTAB" if keyword == "FLUXTAB" and keyword not in header else keyword


def _is_set(header: Mapping[str, Any], switch: str) -> bool:
    """Return whether a step is made.

    CalCOS opens files again for steps that are done in calibrated events.
    """
    return _text(header, switch).upper() in ("PERFORM", "COMPLETE")


def _value(header: Mapping[str, Any], keyword: str) -> str:
    """Return the value of a reference keyword; empty where it names nothing."""
    value = _text(header, header_keyword(header, keyword))
    return "" if value.upper() == "N/A" else value


def _parse(keyword: str, value: str) -> str:
    try:
        return str(ReferenceName.parse(value))
    except PermanentError as error:
        raise PermanentError(f"{keyword}: {error}") from error


def _of_lamp(header: Mapping[str, Any], keyword: str) -> str | None:
    """Return the keyword that shows lamp light for which CalCOS always opens a reference."""
    if keyword in _OF_WAVECALS and _text(header, "EXPTYPE") == "WAVECAL":
        return "EXPTYPE"
    return (
        "TAGFLASH"
        if keyword == "WCPTAB" and _text(header, "TAGFLASH") not in ("", "NONE")
        else None
    )


def _demanded_by(header: Mapping[str, Any], keyword: str) -> str | None:
    """Return the switch that fails without this reference; None when CalCOS goes on without it."""
    if keyword in _OPTIONAL:
        return None
    if lamp := _of_lamp(header, keyword):
        return lamp
    if (
        keyword == "BPIXTAB"
        and _text(header, "TAGFLASH") not in ("", "NONE")
        and _is_set(header, "WAVECORR")
    ):
        return "WAVECORR"
    if keyword == "FLUXTAB" and not _is_set(header, "X1DCORR"):
        return None
    if keyword == "TWOZXTAB":
        return "XTRCTALG" if _text(header, "XTRCTALG") == "TWOZONE" else None
    if keyword == "PHATAB":
        unnamed = not _value(header, "PHAFILE")
        wanted = _text(header, "OBSMODE") == "ACCUM" or unnamed
        return "PHACORR" if _is_set(header, "PHACORR") and wanted else None
    switch = _ONLY_FOR[keyword][0] if keyword in _ONLY_FOR else _REQUIRED.get(keyword)
    return switch if switch and _is_set(header, switch) else None
