"""Common parts of the reference files that monitors make.

Their primary header, its checks, and deliverability.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time

from shared.cos.references import FILETYPES

__all__ = ["common_keywords", "is_ready", "primary_hdu", "reaches_beyond", "wrong_header"]

_VERSION = "2.0"
"""VCALCOS: lowest version of CalCOS that reads the files, as those that it replaces say."""

_USEAFTER = "%b %d %Y %H:%M:%S"
_FIRST_USE = 54962.0
"""MJD of 2009-05-11, the USEAFTER of tables that hold for the whole mission (legacy
``cci/gsag.py``).
"""

_DESCRIPTION_LENGTH = 67
"""Characters that a DESCRIP is filled up to with hyphens (legacy ``cci/gsag.py``)."""


def primary_hdu(
    keyword: str, detector: str, newest: float, description: str, *, oldest: float = _FIRST_USE
) -> fits.PrimaryHDU:
    """Return the primary HDU with the keywords that every reference file of COS has.

    Parameters
    ----------
    keyword
        Header keyword that names such files.
    detector
        FUV or NUV.
    newest
        MJD of the newest exposure that it is from.
    description
        DESCRIP.
    oldest
        MJD from which on it may be used, and of the oldest exposure.
    """
    hdu = fits.PrimaryHDU()
    hdu.header.update(
        FILETYPE=FILETYPES[keyword],
        VCALCOS=_VERSION,
        **common_keywords(detector, oldest, newest, description),
    )
    return hdu


def common_keywords(
    detector: str, oldest: float, newest: float, description: str
) -> dict[str, str]:
    """Return what the primary header of every reference file of COS says of it.

    Parameters
    ----------
    detector
        FUV or NUV.
    oldest, newest
        MJD from which on it may be used, and of the newest exposure that it is from.
    description
        DESCRIP.
    """
    first, last = (Time(mjd, format="mjd").to_datetime(timezone=UTC) for mjd in (oldest, newest))
    return {
        "TELESCOP": "HST",
        "INSTRUME": "COS",
        "DETECTOR": detector,
        "COSCOORD": "USER",
        "USEAFTER": first.strftime(_USEAFTER),
        "PEDIGREE": f"INFLIGHT {first:%d/%m/%Y} {last:%d/%m/%Y}",
        "DESCRIP": description.ljust(_DESCRIPTION_LENGTH, "-"),
    }


def wrong_header(
    header: fits.Header, keyword: str, detectors: Sequence[str], version: str = _VERSION
) -> Iterator[str]:
    """Say what is wrong with the primary header of a reference file.

    Parameters
    ----------
    header
        Primary header.
    keyword
        Header keyword that names such files.
    detectors
        What DETECTOR may be.
    version
        What VCALCOS must be.
    """
    expected: dict[str, Sequence[str]] = {
        "TELESCOP": ("HST",),
        "INSTRUME": ("COS",),
        "DETECTOR": detectors,
        "FILETYPE": (FILETYPES[keyword],),
        "VCALCOS": (version,),
    }
    for name, allowed in expected.items():
        if header.get(name) not in allowed:
            yield f"{name} is {header.get(name)!r}, not {' or '.join(map(repr, allowed))}"
    try:
        datetime.strptime(str(header.get("USEAFTER")), _USEAFTER).replace(tzinfo=UTC)
    except ValueError:
        yield f"USEAFTER is not a date: {header.get('USEAFTER')!r}"
    if not _is_pedigree(str(header.get("PEDIGREE"))):
        yield f"PEDIGREE is not INFLIGHT with two dates in turn: {header.get('PEDIGREE')!r}"
    if not str(header.get("DESCRIP", "")).strip("- "):
        yield "DESCRIP is empty"


def _is_pedigree(text: str) -> bool:
    kind, *dates = text.split()
    try:
        first, last = (datetime.strptime(date, "%d/%m/%Y").replace(tzinfo=UTC) for date in dates)
    except ValueError:
        return False
    return kind == "INFLIGHT" and first <= last


def reaches_beyond(data: Any, width: int, height: int) -> bool:
    """Return whether a rectangle (LX, LY, DX, DY) of a table reaches beyond a detector of so many
    pixels.
    """
    right, top = data["LX"] + data["DX"], data["LY"] + data["DY"]
    lowest = np.minimum(np.minimum(data["LX"], data["LY"]), np.minimum(data["DX"], data["DY"]))
    return bool((lowest < 0).any() or (right > width).any() or (top > height).any())


def is_ready(detail: Mapping[str, Any], lost: int) -> bool:
    """Return whether a file may be delivered: no fault, and nothing lost from the active one.

    Parameters
    ----------
    detail
        ``wrong`` and ``difference`` of the file; the latter None where there was nothing to compare
        with.
    lost
        What the active one flags and this one does not.
    """
    return not detail["wrong"] and detail["difference"] is not None and not lost
